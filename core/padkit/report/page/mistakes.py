"""The hardest mistakes of a run: attacks that passed with the highest scores, bona fide rejected with the lowest."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.table.frames import open_tables
from padkit.errors import DataError
from padkit.evaluation.scores import Scores
from padkit.runs.finished import FinishedRun

LICENSED = (
    "The faces are the dataset's: pass this page on only as far as its licence allows "
    "(--thumbnails false leaves them out)."
)
WORST = 12
SIDE = 128  # pixels of a thumbnail, at most

Pictures = Callable[[str, str], bytes | None]
"""From a presentation's dataset and identifier to a small JPEG of its face; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Faces for the page, or why there are none.

    Attributes:
        pictures: Returns faces; None if there are none.
        note: A note about them, or "".
    """

    pictures: Pictures | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One presentation that was classified wrongly.

    Attributes:
        score: P(bona fide).
        presentation: Its identifier.
        kind: `bona fide`, or the PAI species.
        facts: Domain and subject, as far as known, under these names.
        picture: Its face as base64 JPEG; "" if there is none.
    """

    score: float
    presentation: str
    kind: str
    facts: dict[str, str]
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """One kind of error.

    Attributes:
        title: What went wrong.
        worst: The worst mistakes, worst first.
        count: How many there are.
        among: Number of presentations of this class.
    """

    title: str
    worst: tuple[Mistake, ...]
    count: int
    among: int


def mistakes(scores: Scores, threshold: float, pictures: Pictures | None = None) -> tuple[Mistakes, Mistakes]:
    """Return attacks that passed and bona fide that were rejected, when accepted iff `score >= threshold`.

    Args:
        scores: Scores of the test set.
        threshold: In [0, 1].
        pictures: Returns the faces, if they are to be shown.
    """
    accepted = scores.score >= threshold
    found = []
    for title, label, wrong, order in (
        ("Attacks that passed", ATTACK, accepted, -scores.score),
        ("Bona fide rejected", BONA_FIDE, ~accepted, scores.score),
    ):
        rows = np.flatnonzero((scores.label == label) & wrong)
        worst = rows[np.argsort(order[rows], kind="stable")][:WORST]
        told = tuple(_mistake(scores, int(row), pictures) for row in worst)
        found.append(Mistakes(title=title, worst=told, count=len(rows), among=int(np.sum(scores.label == label))))
    return found[0], found[1]


def faces_of(run: FinishedRun) -> Faces:
    """Return the faces of a finished run's presentations, read from its prepared table.

    There are none if the run's setting `thumbnails` is off, or if its table is missing or was made again; the page then
    says so.
    """
    folders = [Path(folder) for folder in run.data.get("tables", ())]
    if run.settings.get("thumbnails") is False:
        return Faces(note="Without faces, as the run's settings ask (--thumbnails false).")
    if not folders:
        return Faces(note="Without faces: the run does not say where its frames are.")
    try:
        table = open_tables(folders)
    except DataError:
        where = ", ".join(map(str, folders))
        return Faces(note=f"Without faces: the prepared frames are not there any more ({where}).")
    if table.preparation["key"] != run.data["preparation"]["key"]:
        return Faces(note="Without faces: the prepared frames were made anew since this run.")
    drawn = run.results.protocol.simulated and not run.results.protocol.real_faces
    return Faces(pictures=thumbnails(table), note="" if drawn else LICENSED)


def thumbnails(table: FrameTable) -> Pictures:
    """Return a source of faces for a table's presentations: the middle frame of each."""
    datasets, presentations = table.coded("dataset"), table.coded("presentation")

    def picture(dataset: str, presentation: str) -> bytes | None:
        named = presentations.called([presentation])[presentations.codes]
        own = np.flatnonzero(named & (datasets.codes == datasets.code(dataset)))
        return small_jpeg(table.image(int(own[len(own) // 2])).transpose(1, 2, 0)) if len(own) else None

    return picture


def small_jpeg(pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> bytes:
    """Return uint8 RGB [H, W, 3] as JPEG of at most `SIDE` pixels per side."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def _mistake(scores: Scores, row: int, pictures: Pictures | None) -> Mistake:
    named = {name: str(getattr(scores, name)[row]) for name in ("domain", "subject")}
    picture = pictures(str(scores.dataset[row]), str(scores.presentation[row])) if pictures else None
    return Mistake(
        score=float(scores.score[row]),
        presentation=str(scores.presentation[row]),
        kind=str(scores.pai_species[row]) or "bona fide",
        facts={name: value for name, value in named.items() if value},
        picture=base64.b64encode(picture).decode() if picture else "",
    )
