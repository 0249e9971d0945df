"""Shows whether the source domains become alike: how well a classifier names the domain during training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from padkit.report.figures.run import series
from padkit.report.figures.style import LIGHT, LINES, MARKERS, Palette, dress, legend_below, new_figure, plain_settings
from padkit.runs.folder import EVIDENCE

PROBE = "domain_probe"
WIDE = 7.2  # inches of two panels
_ACCURACY = re.compile(
    r"(?:(?P<member>[\w-]+)\.)?(?P<fresh>fresh_)?domain_accuracy(?:_(?P<state>\w+))?"
)  # aligners name theirs so


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The log of one run.

    Attributes:
        label: The run.
        domains: Number of source domains.
        log: Records of its `log.jsonl`.
    """

    label: str
    domains: int
    log: Sequence[Mapping[str, Any]] = field(default=())


def accuracies(log: Iterable[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """Return name -> (steps, shares in [0, 1]) of the probe's and the classifiers' accuracies in naming the domain.

    The probe's accuracy is called `PROBE`; the others have names in words: `own domain classifier, clean images`. What
    the aligner's own classifier makes of perturbed images is left out where no fresh one was asked: it was trained to
    be deceived, so alone it would mislead.
    """
    found = {}
    known = series(log)
    asked = any(name.startswith(f"{EVIDENCE}fresh_") for name in known)
    for name, points in known.items():
        plain = name.removeprefix(EVIDENCE)
        told = _ACCURACY.fullmatch(plain)
        if not name.startswith(EVIDENCE) or not (told or plain == PROBE):
            continue
        if told and told["state"] not in (None, "clean") and not asked:
            continue
        if told:
            state = {"": "", "clean": ", clean images", "attacked": ", attacked images"}
            own = told["state"] or ""
            member = f" of {told['member']}" if told["member"] else ""
            kind = "fresh domain classifier" if told["fresh"] else "own domain classifier"
            plain = f"{kind}{member}{state.get(own, f', {own}')}"
        found[plain] = points
    return found


def alignment_figure(courses: Sequence[Course], *, note: str = "", palette: Palette = LIGHT) -> Figure | None:
    """Draw how often the domain of held-out source frames is named correctly: by the probe, and by the aligner.

    One run: one line each. Several runs: one panel for the probe and one for the fresh and the aligners' own
    classifiers, with one colour per run. None if no run logged any of them.
    """
    drawn = [(course, found) for course in courses if (found := accuracies(course.log))]
    if not drawn:
        return None
    chances = sorted({1 / course.domains for course, _ in drawn})
    title = f"Can the source domain still be told? Held-out source frames{note}"
    with plain_settings():
        if len(drawn) == 1:
            figure = new_figure(3.6, palette)
            axes = figure.add_subplot()
            for number, (name, points) in enumerate(drawn[0][1].items()):
                _line(axes, points, palette, number, _words(name))
            _finish(axes, palette, chances, title)
        else:
            figure = new_figure(3.2 + 0.16 * len(drawn), palette, WIDE)
            axes, right = figure.subplots(1, 2, sharey=True)
            _compare(axes, right, drawn, palette)
            _finish(axes, palette, chances, "by a linear probe, from the student's features")
            _finish(right, palette, chances, "by a fresh and the aligner's own classifier")
            right.set_ylabel("")
            figure.suptitle(title, color=palette.text, fontsize=10)
        legend_below(figure, axes, palette)
    return figure


def _compare(
    left: Axes,
    right: Axes,
    drawn: Sequence[tuple[Course, Mapping[str, tuple[list[float], list[float]]]]],
    palette: Palette,
) -> None:
    """Draw the probe on the left, the aligners' classifiers on the right with labels at the lines' ends."""
    for number, (course, found) in enumerate(drawn):
        if PROBE in found:
            _line(left, found[PROBE], palette, number, course.label)
        for name, points in found.items():
            if name != PROBE:
                _line(right, points, palette, number, course.label)
                if state := name.partition(", ")[2]:
                    state = f"{name.split()[0]}, {state}"
                    colour = palette.series[number % len(palette.series)]
                    end = (points[0][-1], 100 * points[1][-1])
                    right.annotate(state, end, (0, 6), textcoords="offset points", ha="right", color=colour, fontsize=8)


def _words(name: str) -> str:
    return "linear probe on the student's features" if name == PROBE else name


def _line(
    axes: Axes,
    points: tuple[list[float], list[float]],
    palette: Palette,
    number: int,
    label: str,
) -> None:
    steps, values = points
    axes.plot(
        steps, 100 * np.asarray(values), color=palette.series[number % len(palette.series)], label=label, lw=1.5, ms=4,
        linestyle=LINES[number % len(LINES)], marker=MARKERS[number % len(MARKERS)],
    )  # fmt: skip


def _finish(axes: Axes, palette: Palette, chances: Sequence[float], title: str) -> None:
    for chance in chances:
        name = f"chance, 1 of {round(1 / chance)}"
        axes.axhline(100 * chance, color=palette.quiet, linestyle=(0, (1, 2)), linewidth=1.1, label=name)
    axes.set(xlim=(0, None), ylim=(0, 104), xlabel="step", ylabel="domain named correctly (%)")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    dress(axes, palette, title)
