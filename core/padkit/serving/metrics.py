"""Figures of a server for Prometheus. Imports no torch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence

import psutil

from padkit.deploy.verdict import Reason, Verdict
from padkit.serving.judging import Result

STATUSES = (200, 400, 404, 405, 408, 413, 415, 422, 500, 501, 503)
TIMES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
SCORES = tuple(round(0.1 * step, 1) for step in range(1, 11))
HELP = {
    "padkit_responses_total": ("counter", "Answers, by HTTP status (other: any status not listed)."),
    "padkit_received_bytes_total": ("counter", "Bytes of the pictures that were read."),
    "padkit_results_total": ("counter", "Results, one for each face or picture, by verdict."),
    "padkit_not_judged_total": ("counter", "Results without a verdict, by reason."),
    "padkit_judge_seconds": ("histogram", "Time from a request to POST /judge to its answer, waiting included."),
    "padkit_score": ("histogram", "Scores, P(bona fide)."),
}


def _histogram(name: str, edges: Sequence[float]) -> list[str]:
    return [*(f'{name}_bucket{{le="{edge}"}}' for edge in (*edges, "+Inf")), f"{name}_sum", f"{name}_count"]


NAMES = (
    *(f'padkit_responses_total{{status="{status}"}}' for status in (*STATUSES, "other")),
    "padkit_received_bytes_total",
    *(f'padkit_results_total{{verdict="{verdict}"}}' for verdict in Verdict),
    *(f'padkit_not_judged_total{{reason="{reason}"}}' for reason in Reason),
    *_histogram("padkit_judge_seconds", TIMES),
    *_histogram("padkit_score", SCORES),
)


class Metrics:
    """Counts answers; touched by the event loop alone."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0.0)

    def responded(self, status: int) -> None:
        """Count an answer."""
        self._add(f'padkit_responses_total{{status="{status if status in STATUSES else "other"}"}}')

    def judged(self, results: Sequence[Result], size: int, seconds: float) -> None:
        """Count a picture of `size` bytes that was answered after `seconds`."""
        self._add("padkit_received_bytes_total", size)
        self._observe("judge_seconds", TIMES, seconds)
        for one in results:
            self._add(f'padkit_results_total{{verdict="{one.verdict}"}}')
            if one.reason is not None:
                self._add(f'padkit_not_judged_total{{reason="{one.reason}"}}')
            if one.score is not None:
                self._observe("score", SCORES, one.score)

    def text(self, sha256: str) -> str:
        """Return the figures in Prometheus' text format, version 0.0.4."""
        lines, last = [], ""
        for name, value in self._counts.items():
            family = next(one for one in HELP if name.startswith(one))
            if family != last:
                kind, text = HELP[family]
                lines += [f"# HELP {family} {text}", f"# TYPE {family} {kind}"]
                last = family
            lines.append(f"{name} {value:.12g}")
        resident = list(_resident())
        lines += _gauge("padkit_processes", "The server and its worker processes.", len(resident))
        lines += _gauge("padkit_resident_bytes", "Their memory (resident set size), summed.", sum(resident))
        lines += ["# HELP padkit_model The model that is served.", "# TYPE padkit_model gauge"]
        lines.append(f'padkit_model{{sha256="{sha256}"}} 1')
        return "\n".join(lines) + "\n"

    def _observe(self, name: str, edges: Sequence[float], value: float) -> None:
        for edge in edges:
            if value <= edge:
                self._add(f'padkit_{name}_bucket{{le="{edge}"}}')
        self._add(f'padkit_{name}_bucket{{le="+Inf"}}')
        self._add(f"padkit_{name}_sum", value)
        self._add(f"padkit_{name}_count")

    def _add(self, name: str, amount: float = 1) -> None:
        self._counts[name] += amount


def _resident() -> Iterator[int]:
    for number in (None, *(one.pid for one in multiprocessing.active_children())):
        try:
            yield psutil.Process(number).memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue


def _gauge(name: str, text: str, value: float) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value:.12g}"]
