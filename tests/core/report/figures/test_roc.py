"""Figures: what they show is what was measured, and the same scores give the same bytes."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from padkit.evaluation.results import ProtocolSummary, Results, evaluate
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.report.figures.roc import roc_figure
from padkit.report.figures.run import score_figure, series, training_figure
from padkit.report.figures.style import DARK, LIGHT, render, write_figure


def scores(seed: int, spread: float = 0.15) -> Scores:
    label = np.arange(60) % 2
    values = np.clip(np.random.default_rng(seed).normal(0.3 + 0.4 * label, spread), 0, 1)
    return presentation_scores({"presentation": [f"p{i}" for i in range(60)], "label": label}, values)


def results(target: Scores, name: str = "_a$b$") -> Results:
    protocol = ProtocolSummary(name=f"x->{name}", convention="all", sources=("x",), target=name, simulated=True)
    return evaluate(target, protocol=protocol, seed=0, source_dev=scores(1))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_operating_points_lie_on_the_curve_where_they_belong() -> None:
    target = scores(2)
    found = results(target)
    axes = roc_figure(found, target, scores(1)).axes[0]
    marks = {line.get_label(): line.get_xydata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert len(marks) == len(found.results) == 2
    curve = next(line for line in axes.lines if str(line.get_label()).startswith("target")).get_xydata()
    for entry in found.results:
        label = next(label for label in marks if str(label).startswith(entry.policy))
        expected = [100 * entry.values["fpr"], 100 - 100 * entry.values["fnr"]]
        assert marks[label] == pytest.approx(expected)
        assert np.min(np.linalg.norm(curve - expected, axis=1)) < 1e-9
        assert f"HTER {100 * entry.values['hter']:.2f} %" in label
        assert ("chosen on the test set" in label) == entry.test_set_choice


def test_title_and_legend_name_target_and_simulation_even_with_odd_names() -> None:
    target = scores(2)
    figure = roc_figure(results(target), target, scores(1))
    assert "simulated data" in figure.axes[0].get_title()
    assert any(text.startswith("target _a$b$, AUC") for text in legend(figure))
    assert any(text.startswith("held-out source, AUC") for text in legend(figure))
    assert render(figure)  # "$...$" is not taken for mathematics


def test_the_corner_is_magnified_only_where_the_curve_lives_there() -> None:
    good, bad = scores(2), scores(2, spread=2.0)
    assert [len(roc_figure(results(s), s).axes[0].child_axes) for s in (good, bad)] == [1, 0]


def test_figures_are_deterministic_and_ignore_the_users_settings(tmp_path) -> None:
    target = scores(2)
    write_figure(roc_figure(results(target), target, scores(1)), tmp_path / "one.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        write_figure(roc_figure(results(target), target, scores(1)), tmp_path / "two.png")
    one, two = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png"))
    assert one.startswith(b"\x89PNG")
    assert one == two
    assert render(roc_figure(results(target), target, palette=DARK)) != render(
        roc_figure(results(target), target, palette=LIGHT)
    )


def test_histograms_count_every_presentation_and_mark_every_threshold() -> None:
    target = scores(2)
    found = results(target)
    figure = score_figure(found, target, scores(1))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["held-out source", "target: _a$b$"]
    heights = [patch.get_height() for patch in figure.axes[1].patches if hasattr(patch, "get_height")]
    assert sum(heights) == 60
    lines = [line.get_xdata()[0] for line in figure.axes[1].lines]
    assert lines == [entry.threshold for entry in found.results]
    assert legend(figure)[-1] == "threshold target-eer (chosen on the test set)"
    assert len(score_figure(found, target).axes) == 1
    render(figure)
    ticks = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels(which="both")]
    assert "1" in ticks
    assert not [text for text in ticks if "$" in text]


def test_series_take_numbers_by_step_and_the_later_record_of_a_resumed_run() -> None:
    log = [
        {"step": 2, "epoch": 0, "live": 0.5, "note": "text", "done": True},
        {"step": 1, "epoch": 0, "live": 0.7, "fr": float("nan")},
        {"epoch": 0, "live": 9.0},
        {"step": 2, "epoch": 0, "live": 0.4, "nested": {"a": 1}, "auc": 1},
    ]
    assert series(log) == {"live": ([1, 2], [0.7, 0.4]), "auc": ([2], [1.0])}


@pytest.mark.parametrize("length", [1, 10, 400])
def test_training_panels_one_per_name(length: int) -> None:
    log = [{"step": i, "epoch": 0, "live": 1 / (i + 1), "fr": 0.5, "fe": i} for i in range(length)]
    figure = training_figure(log)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes][:3] == ["loss: live", "loss: fr", "loss: fe"]
    assert render(figure)
    smooth = figure.axes[2].lines[-1].get_xydata()
    assert smooth[:, 0] == pytest.approx(smooth[:, 1], abs=0.51)  # the running mean of a straight line lies on it


def test_training_panels_mark_the_step_that_is_shipped_and_leave_the_domain_to_its_own_figure() -> None:
    log = [{"step": 4, "epoch": 1, "live": 0.5, "total": 0.7, "lr": 0.1}]
    log += [{"step": 4, "source_dev/auc": 0.9, "source_dev/domain_probe": 0.4, "source_dev/domain_accuracy": 0.5}]
    log += [{"step": 4, "source_dev/loss": 0.3, "test_set/auc": 0.8}]
    figure = training_figure(log, selected=3, title="this run")
    assert figure is not None
    heads = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    wanted = ["loss: live", "loss, weighted sum", "learning rate", "held-out source: AUC"]
    wanted += ["held-out source: log loss", "target (test set): AUC"]
    assert heads == wanted
    assert all(axes.lines[-1].get_xdata()[0] == 3 for axes in figure.axes if axes.axison)
    assert figure.get_suptitle() == "this run"
    assert "step 3, whose weights are shipped" in figure.get_supxlabel()


def test_training_panels_show_moving_weights_and_leave_distillation_to_its_table() -> None:
    log = [{"step": i, "fr": 0.5, "weight/fr": 0.1 * i, "distillation/fr/loss": 0.4} for i in range(3)]
    figure = training_figure(log)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.axison] == ["loss: fr", "weight of loss fr"]


def test_a_course_that_never_moves_is_not_magnified() -> None:
    figure = training_figure([{"step": i, "size": 4 / 255 + 1e-9 * i} for i in range(3)])
    assert figure is not None
    assert figure.axes[0].get_ylim()[0] == 0


def test_a_log_without_numbers_gives_no_figure() -> None:
    assert training_figure([]) is None
    assert training_figure([{"step": 1, "note": "nothing"}]) is None


def test_neither_torch_nor_pyplot_is_imported() -> None:
    code = (
        "import sys, padkit.evaluation.results, padkit.report.page.page, padkit.commands.figures;"
        "import padkit.inspection.from_scores;"
        "print([name for name in ('torch', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
