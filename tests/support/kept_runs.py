"""Kept runs made up for tests, and an independent way from a document's blocks back to the scores behind them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from padkit.ablation.kept import KeptRun, digest
from padkit.evaluation.results import ProtocolSummary


def kept_run(cell: str, target: str, seed: int, shift: float = 1.0, /, **changes: Any) -> KeptRun:
    """A run whose bona fide scores lie above its attacks by `shift` standard deviations."""
    generator = np.random.default_rng([seed, *target.encode(), round(100 * shift)])

    def scores(count: int, mean: float) -> list[float]:
        return [float(f"{1 / (1 + np.exp(-value)):.8g}") for value in generator.normal(mean, 1, count)]

    def part() -> dict[str, Any]:
        return {"bona fide": scores(40, shift), "attack": {"print": scores(30, 0.0), "replay": scores(20, 0.3)}}

    aligner = "daa" if cell == "DAA" else "none"
    settings = {"aligner": aligner, "lr": 0.001, "target": target, "seed": seed, "data.seed": seed}
    facts = {"data": f"key{seed}", "precision": "no", "launch": ""} | changes.pop("facts", {})
    settings |= changes.pop("settings", {})
    protocol = ProtocolSummary(
        name=f"rest->{target}", convention="official", sources=("rest",), target=target, simulated=True
    )
    values = {
        "cell": cell, "target": target, "option": "target", "seed": seed, "cell_settings": {"aligner": aligner},
        "settings": settings, "facts": facts, "digest": digest(settings, facts), "protocol": protocol, "dataset": "toy",
        "fingerprint": f"toy world, seed {seed}", "selection": "source-dev", "policies": ["source-dev", "target-eer"],
        "scores": {"target": part(), "source_dev": part()}, "evidence": {}, "seconds": 7.0,
        "environment": {"libraries": {"padkit": "0.1.0", "torch": "2"}, "platform": "Linux", "revision": "abc"},
    }  # fmt: skip
    return KeptRun(**(values | changes))


def write_kept(path: Path, *runs: KeptRun) -> Path:
    path.write_text("".join(f"{run.line()}\n" for run in runs), encoding="utf-8")
    return path


def labels_and_scores(part: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    attacks = [score for scores in part["attack"].values() for score in scores]
    return np.array([1] * len(part["bona fide"]) + [0] * len(attacks)), np.array([*part["bona fide"], *attacks])


def equal_error_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """By trying every threshold that decides differently; the docs of `padkit.evaluation.metrics` say which is best."""
    values = np.unique(scores)
    tried = [values[0], *((values[1:] + values[:-1]) / 2)]

    def rank(threshold: float) -> tuple[float, float, float]:
        fpr, fnr = np.mean(scores[labels == 0] >= threshold), np.mean(scores[labels == 1] < threshold)
        return round(abs(fpr - fnr), 12), round(fpr + fnr, 12), fpr

    return float(min(tried, key=rank))


def hter(part: dict[str, Any], threshold: float) -> float:
    labels, scores = labels_and_scores(part)
    return float(np.mean(scores[labels == 0] >= threshold) + np.mean(scores[labels == 1] < threshold)) / 2


def independent_figures(run: dict[str, Any]) -> dict[str, float]:
    """AUC and HTER, in percent, of one line of a file of kept runs, without padkit."""
    target, source_dev = run["scores"]["target"], run["scores"]["source_dev"]
    return {
        "AUC": 100 * float(roc_auc_score(*labels_and_scores(target))),
        "HTER": 100 * hter(target, equal_error_threshold(*labels_and_scores(source_dev))),
        "HTER, target-eer": 100 * hter(target, equal_error_threshold(*labels_and_scores(target))),
    }


def check_block(document: str, files: list[Path]) -> int:
    """Compare every figure of the tables of AUC and HTER with the scores in the files; return how many there were."""
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    figures = {(run["cell"], run["target"], run["seed"]): independent_figures(run) for run in reversed(lines)}
    seen = 0
    for title, table in re.findall(r"\*\*((?:AUC|HTER) \(%\)[^\n]*)\*\*\n\n((?:\|[^\n]*\n)+)", document):
        metric = "AUC" if title.startswith("AUC") else "HTER, target-eer" if "target-eer" in title else "HTER"
        head, _, *rows = ([cell.strip() for cell in row.strip("|\n").split(" |")] for row in table.splitlines())
        for cell, *texts in rows:
            for target, text in zip(head[1:], texts, strict=True):
                name = cell.replace("\\", "")
                values = [found[metric] for (one, where, _), found in figures.items() if (one, where) == (name, target)]
                if not values or target in {"mean", "runs"}:
                    continue
                shown = [float(figure) for figure in text.replace("*", "").partition(" (")[0].split(" ± ")]
                expected = [np.mean(values), *([np.std(values, ddof=1)] if len(values) > 1 else [])]
                # Half a unit of the last digit, and where a mean lies between two of them either may be shown.
                assert len(shown) == len(expected), (title, cell, target)
                assert np.allclose(shown, expected, rtol=0, atol=0.005 + 1e-9), (title, cell, target)
                seen += 1
    return seen
