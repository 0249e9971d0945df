"""Compares exported forms with the weights that they were made from, on crops of a run. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.squares import Square, cut
from padkit.deploy.bundle import Bundle, CropPolicy
from padkit.deploy.forms import Form, files_of
from padkit.deploy.runtimes import Exported, open_exported
from padkit.deploy.scorers import Scorer
from padkit.deploy.timing import Timing, timed
from padkit.evaluation.metrics import auc, error_rates
from padkit.evaluation.scores import presentation_scores

BATCH = 16
MOST_POINTS = 0.5  # change of HTER in percentage points, beyond which a form is said to differ
ENLARGED = 1.7  # how much larger a face is in the photographs that are made of crops
SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCrops:
    """Crops to compare on.

    Attributes:
        crops: uint8 RGB [n, S, S, 3].
        columns: Columns of their presentations, with one entry per crop (`padkit.evaluation.scores`); empty where
            it is not known what they show.
        told: What they are, in words.
        held: Further crops, held-out source frames of the run: forms that round are compared on these too, so that one
            can choose among them without a look at the test. None without a run.
    """

    crops: NDArray[np.uint8]
    columns: Mapping[str, NDArray[Any]]
    told: str
    held: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCheck:
    """How one form differs from the weights; rates are shares in [0, 1].

    Attributes:
        form: Its name.
        largest, mean: Difference of the scores of single crops.
        flips: Share of single crops whose verdict differs.
        hter: HTER of presentations at the bundle's threshold; None where labels are not known.
        hter_change: How much larger it is than that of the weights.
        auc: Area under the ROC curve.
        auc_change: How much larger it is.
        size: Bytes of the form's files.
        p50: Median milliseconds for one crop.
        held: Largest and mean difference on held-out source crops; None for forms that do not round, and without a run.
    """

    form: str
    largest: float
    mean: float
    flips: float
    hter: float | None
    hter_change: float | None
    auc: float | None
    auc_change: float | None
    size: int
    p50: float
    held: tuple[float, float] | None = None

    @property
    def differs(self) -> bool:
        """Whether its HTER differs by more than `MOST_POINTS`."""
        return self.hter_change is not None and 100 * abs(self.hter_change) > MOST_POINTS

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def check_forms(
    folder: Path, forms: Sequence[Form], bundle: Bundle, weights: Scorer, shown: CheckCrops, threads: int | None
) -> tuple[list[FormCheck], float]:
    """Compare forms with the weights.

    Args:
        folder: Where the forms are.
        forms: Which to compare.
        bundle: The bundle.
        weights: Scores crops by the weights, with the bundle's temperature.
        shown: The crops.
        threads: CPU threads.

    Returns:
        The comparison of each form, and the median milliseconds of the weights for one crop.
    """
    crops = shown.crops
    opened = {form.name: open_exported(folder / form.file, threads) for form in forms}
    expected = in_batches(weights, crops)
    photographs = [as_photograph(crop, bundle) for crop in crops] if any(f.photograph for f in forms) else []
    again = in_batches(weights, np.stack([one.cut for one in photographs])) if photographs else expected
    one = crops[:1]
    calls: dict[str, Callable[[], object]] = {"weights": partial(weights, one)}
    for form in forms:
        inputs = (photographs[0].pixels, photographs[0].box) if form.photograph else (one,)
        calls[form.name] = partial(opened[form.name], *inputs)
    times = timed(calls, seconds=SECONDS)
    found = []
    for form in forms:
        run = opened[form.name]
        if form.photograph:
            scores = np.concatenate([run(photo.pixels, photo.box) for photo in photographs])
        else:
            scores = in_batches(run, crops)
        size = sum((folder / name).stat().st_size for name in files_of(form))
        truth = again if form.photograph else expected
        found.append(_compared(form, scores, truth, shown, bundle.threshold, size, times[form.name]))
    if shown.held is not None and any(form.calibrated for form in forms):
        truth = in_batches(weights, shown.held)
        for place, form in enumerate(forms):
            if form.calibrated:
                held = _difference(in_batches(opened[form.name], shown.held), truth)
                found[place] = replace(found[place], held=held)
    return found, times["weights"].p50


def in_batches(score: Scorer | Exported, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return P(bona fide) [n] of crops [n, S, S, 3]."""
    return np.concatenate([score(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A picture with a face: pixels uint8 RGB [H, W, 3], the face's box float32 [4], and our cut of it [S, S, 3]."""

    pixels: Frame
    box: NDArray[np.float32]
    cut: Frame


def as_photograph(crop: Frame, bundle: Bundle) -> Photograph:
    """Return a photograph in which a crop's face is larger and lies beside the middle, with its box."""
    size = len(crop)
    side = round(ENLARGED * size)
    large = Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (round(1.6 * side), round(1.3 * side)), (96, 112, 128))
    left, top = 0.4 * side, 0.1 * side
    picture.paste(large, (round(left), round(top)))
    box = _face_in(Square(round(left) + side / 2, round(top) + side / 2, float(side)), bundle.crop)
    square = _square(box, bundle.crop)  # of the box in single precision, as the graph is given it
    return Photograph(pixels=np.asarray(picture), box=box, cut=cut(picture, square, bundle.image_size))


def _square(box: NDArray[np.float32], crop: CropPolicy) -> Square:
    x, y, width, height = map(float, box)
    side = max(width, height) * (1 + 2 * crop.margin)
    return Square(x + width / 2, y + height / 2 - crop.drop * side, side)


def _face_in(square: Square, crop: CropPolicy) -> NDArray[np.float32]:
    """Return the face box that the crop policy enlarges to a square."""
    face = square.side / (1 + 2 * crop.margin)
    x, y = square.x, square.y + crop.drop * square.side
    return np.array([x - face / 2, y - face / 2, face, face], dtype=np.float32)


def _compared(
    form: Form, scores: NDArray[np.float32], truth: NDArray[np.float32], shown: CheckCrops, threshold: float,
    size: int, time: Timing,
) -> FormCheck:  # fmt: skip
    largest, mean = _difference(scores, truth)
    flips = float(np.mean((scores >= threshold) != (truth >= threshold)))
    rates, former = _rates(scores, shown, threshold), _rates(truth, shown, threshold)
    return FormCheck(
        form=form.name, largest=largest, mean=mean, flips=flips,
        hter=rates and rates[0], hter_change=rates and former and rates[0] - former[0],
        auc=rates and rates[1], auc_change=rates and former and rates[1] - former[1],
        size=size, p50=time.p50,
    )  # fmt: skip


def _difference(scores: NDArray[np.float32], truth: NDArray[np.float32]) -> tuple[float, float]:
    """Return the largest and the mean difference."""
    difference = np.abs(scores.astype(np.float64) - truth)
    return float(difference.max()), float(difference.mean())


def _rates(scores: NDArray[np.float32], shown: CheckCrops, threshold: float) -> tuple[float, float] | None:
    """Return (HTER, AUC) of presentations; None if their labels are not known."""
    if not shown.columns:
        return None
    found = presentation_scores(shown.columns, scores)
    return error_rates(found.label, found.score, threshold).hter, auc(found.label, found.score)
