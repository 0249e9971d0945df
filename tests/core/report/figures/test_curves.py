"""ROC and DET of several runs, and the course of alignment: lines are where an independent count puts them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from padkit.evaluation.scores import Scores, presentation_scores
from padkit.report.figures.alignment import Course, accuracies, alignment_figure
from padkit.report.figures.curves import Curve, det_comparison, mean_roc, roc_comparison
from padkit.report.figures.style import FORMATS, render


def scores(seed: int, spread: float = 0.2, count: int = 60) -> Scores:
    label = np.arange(count) % 2
    values = np.clip(np.random.default_rng(seed).normal(0.35 + 0.3 * label, spread), 0, 1)
    return presentation_scores({"presentation": [f"p{i}" for i in range(count)], "label": label}, values)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def rates(found: Scores, threshold: float) -> tuple[float, float]:
    """Attacks and bona fide accepted, counted one by one."""
    pairs = list(zip(found.label.tolist(), found.score.tolist(), strict=True))
    attacks, live = ([score for label, score in pairs if label == wanted] for wanted in (0, 1))
    return tuple(sum(score >= threshold for score in part) / len(part) for part in (attacks, live))


def test_every_threshold_is_a_vertex_of_the_roc_and_of_the_det() -> None:
    found = scores(0)
    curve = Curve(label="mine", target="c", runs=(found,))
    line = roc_comparison([curve]).axes[0].lines[0].get_xydata()
    det = det_comparison([curve]).axes[0].lines[0].get_xydata()
    assert line[0].tolist() == [0, 0]
    assert line[-1].tolist() == [100, 100]
    low = 0.5 / 30
    for threshold in found.score:
        fpr, tpr = rates(found, float(threshold))
        assert np.min(np.abs(line - [100 * fpr, 100 * tpr]).sum(axis=1)) < 1e-9
        place = norm.ppf(np.clip([fpr, 1 - tpr], low, 1 - low))
        assert np.min(np.abs(det - place).sum(axis=1)) < 1e-9


def test_the_mean_of_runs_is_the_mean_tpr_at_each_fpr() -> None:
    runs = tuple(scores(seed) for seed in range(3))
    fpr, tpr = mean_roc(runs)
    for position in (0, 137, 500, 1000):
        own = []
        for run in runs:  # the largest TPR among thresholds that give no more than this FPR, and the straight line on
            vertices = sorted({(0.0, 0.0), (1.0, 1.0)} | {rates(run, float(t)) for t in run.score})
            tops = {x: max(y for a, y in vertices if a == x) for x, _ in vertices}
            own.append(np.interp(fpr[position], list(tops), list(tops.values())))
        assert tpr[position] == pytest.approx(np.mean(own), abs=1e-12)
    assert "(3 runs)" in legend(roc_comparison([Curve(label="a", target="c", runs=runs)]))[0]


def test_a_panel_per_target_and_a_colour_per_label_whatever_is_missing() -> None:
    curves = [Curve(label=f"m{i}", target=t, runs=(scores(i),)) for t in "xyz" for i in range(2) if (t, i) != ("y", 0)]
    figure = roc_comparison(curves, note=" (simulated data)")
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == ["x", "y", "z"]
    assert figure.get_suptitle() == "ROC (simulated data)"
    colours = [[line.get_color() for line in axes.lines[:-1]] for axes in shown]
    assert colours[0] == colours[2]
    assert colours[1] == colours[0][1:]
    assert [text.partition(",")[0] for text in legend(figure)] == ["m0", "m1", "FPR = FNR"]
    assert all("mean AUC" in text for text in legend(figure)[:2])


def test_marks_lie_where_their_rates_are_and_a_rate_of_nothing_at_half_a_presentation() -> None:
    curve = Curve(label="mine", target="c", runs=(scores(0),))
    axes = det_comparison([curve], points=[("source-dev", 0.2, 0.1), ("fixed:1", 0.0, 0.5)]).axes[0]
    marks = {
        str(line.get_label()).partition(":")[0]: line.get_xydata()[0]
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }
    assert marks["source-dev"] == pytest.approx(norm.ppf([0.2, 0.1]))
    assert marks["fixed"] == pytest.approx(norm.ppf([0.5 / 30, 0.5]))
    ticks = dict(zip([text.get_text() for text in axes.get_xticklabels()], axes.get_xticks(), strict=True))
    assert ticks["10"] == pytest.approx(norm.ppf(0.1))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_the_same_twice(kind: str) -> None:
    curves = [Curve(label="_a$b$", target="c", runs=(scores(0),))]
    one, two = (render(det_comparison(curves), kind) for _ in range(2))
    assert one == two
    assert one


LOG = [
    {"step": 5, "live": 1.0},
    {"step": 5, "source_dev/auc": 0.9, "source_dev/domain_accuracy_clean": 0.8, "source_dev/domain_probe": 0.6},
    {"step": 9, "source_dev/domain_accuracy_clean": 0.9, "source_dev/domain_accuracy_attacked": 0.4},
    {"step": 9, "source_dev/domain_probe": 0.5, "source_dev/daa.domain_accuracy": 0.7, "source_dev/perturbation": 0.1},
    {"step": 9, "source_dev/fresh_domain_accuracy_attacked": 0.6, "source_dev/fresh_domain_kl_attacked": 0.2},
]


def test_only_accuracies_of_the_domain_are_taken_from_a_log_by_names_in_words() -> None:
    assert accuracies(LOG) == {
        "own domain classifier, clean images": ([5, 9], [0.8, 0.9]),
        "domain_probe": ([5, 9], [0.6, 0.5]),
        "own domain classifier, attacked images": ([9], [0.4]),
        "own domain classifier of daa": ([9], [0.7]),
        "fresh domain classifier, attacked images": ([9], [0.6]),
    }


def test_the_deceived_classifier_is_not_shown_alone() -> None:
    assert list(accuracies(LOG[:4])) == [
        "own domain classifier, clean images",
        "domain_probe",
        "own domain classifier of daa",
    ]


def test_one_run_is_one_panel_and_several_are_two_with_chance_in_each() -> None:
    one = alignment_figure([Course(label="a", domains=4, log=LOG)])
    assert one is not None
    lines = {line.get_label(): line.get_ydata() for line in one.axes[0].lines}
    assert lines["linear probe on the student's features"].tolist() == pytest.approx([60, 50])
    assert list(lines["chance, 1 of 4"]) == [25, 25]
    two = alignment_figure([Course(label="a", domains=4, log=LOG), Course(label="b", domains=4, log=LOG[:2])])
    assert two is not None
    assert [line.get_label() for line in two.axes[0].lines] == ["a", "b", "chance, 1 of 4"]
    assert [text.get_text() for text in two.axes[1].texts] == [
        "own, clean images", "own, attacked images", "fresh, attacked images", "own, clean images"
    ]  # fmt: skip
    assert alignment_figure([Course(label="a", domains=4, log=LOG[:1])]) is None


def test_ten_methods_have_ten_lines() -> None:
    shown = roc_comparison([Curve(label=f"m{number}", target="c", runs=(scores(number),)) for number in range(10)])
    lines = [line for line in shown.axes[0].get_lines() if len(line.get_xdata()) > 2]
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == 10
