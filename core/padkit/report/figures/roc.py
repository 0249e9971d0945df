"""The ROC of the target, with the operating point of each threshold policy."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from padkit.evaluation.metrics import Roc, roc
from padkit.evaluation.results import Results, headline
from padkit.evaluation.scores import Scores
from padkit.evaluation.selection import checkpoint_mark
from padkit.report.figures.style import LIGHT, MARKERS, Palette, dress, legend_below, new_figure, plain_settings

_ZOOM = 20.0  # percent of each axis that the inset shows; good detectors are all in this corner


def roc_figure(
    results: Results, target: Scores, source_dev: Scores | None = None, *, palette: Palette = LIGHT
) -> Figure:
    """Draw the ROC: attacks accepted (FPR, %) against bona fide accepted (TPR, %).

    Args:
        results: Their policies' operating points are marked.
        target: Scores of the target test set; the curve.
        source_dev: Scores of held-out source presentations; a thin second curve, which shows how much worse the new
            domain is.
        palette: Colours.

    Raises:
        DataError: A set of scores holds only one class.
    """
    curve = roc(target.label, target.score)
    known = None if source_dev is None else roc(source_dev.label, source_dev.score)
    with plain_settings():
        figure = new_figure(5.4, palette)
        axes = figure.add_subplot()
        _draw(axes, results, curve, known, palette)
        axes.set(xlim=(-1, 101), ylim=(-1, 101), aspect="equal")
        axes.set(xlabel="attacks accepted, species pooled: FPR (%)", ylabel="bona fide accepted: TPR (%)")
        mark = checkpoint_mark(results.checkpoint_selection)
        dress(axes, palette, headline(results.protocol) + (f"\n{mark}" if mark else ""), centred=True)
        legend_below(figure, axes, palette)
        if results.values["eer"] < _ZOOM / 100:
            inset = axes.inset_axes((0.42, 0.13, 0.52, 0.52))
            _draw(inset, results, curve, known, palette)
            inset.set(xlim=(-0.3, _ZOOM), ylim=(100 - _ZOOM, 100.3))
            dress(inset, palette)
            inset.tick_params(labelsize=8)
            zoom = axes.indicate_inset_zoom(inset, edgecolor=palette.quiet)
            for connector in zoom.connectors or ():
                connector.set_visible(False)
    return figure


def _draw(axes: Axes, results: Results, curve: Roc, known: Roc | None, palette: Palette) -> None:
    label = f"target {results.protocol.target}, AUC {100 * results.values['auc']:.2f} %"
    axes.plot(100 * curve.fpr, 100 * curve.tpr, color=palette.bona_fide, linewidth=1.8, label=label, zorder=2.5)
    if known is not None and results.source_dev is not None:
        label = f"held-out source, AUC {100 * results.source_dev.values['auc']:.2f} %"
        axes.plot(100 * known.fpr, 100 * known.tpr, color=palette.quiet, linewidth=1.1, label=label)
    axes.plot([0, 100], [100, 0], color=palette.quiet, linestyle="--", linewidth=0.8, label="FPR = FNR")
    for number, entry in enumerate(results.results):
        point = [100 * entry.values["fpr"]], [100 * (1 - entry.values["fnr"])]
        colour, marker = palette.marks[number % len(palette.marks)], MARKERS[number % len(MARKERS)]
        label = f"{entry.policy}: HTER {100 * entry.values['hter']:.2f} %"
        label += ", chosen on the test set" if entry.test_set_choice else ""
        axes.plot(*point, marker, color=colour, ms=7, mec=palette.background, zorder=3, label=label)
