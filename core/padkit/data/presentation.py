"""The record of one presentation: one face, bona fide or attack, shown once to one camera."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BONA_FIDE = 1
ATTACK = 0
SPLITS = ("train", "dev", "test")
# The session of pictures that show no face; protocols train on them and never test on them. Where it names a capture
# of a picture (`content-mug.png.0`), the capture has its pair.
CONTENT, CONTENT_CAPTURE = "content", "content-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What a dataset reader knows of one presentation (terms of ISO/IEC 30107-3).

    Attributes:
        dataset: Name of the dataset.
        domain: Capture domain; the unit that leave-one-out protocols leave out.
        id: Unique within the dataset; frames of one presentation share it, their scores are averaged.
        label: 1 = bona fide, 0 = attack.
        split: `train`, `dev`, `test`, or "" if the dataset has no splits.
        subject: Unique across splits and domains, or "" if unknown.
        attack_type: `print`, `replay`, `mask`, ...; "" for bona fide.
        species: PAI species (printer1, display2, ...); "" for bona fide. APCER is computed per species.
        device: Capture device, or "".
        session: Session or illumination, or "". `content` (`CONTENT`), or a name that begins with `content-`, marks a
            picture that shows no face.
        path: Media file, or "" if the reader renders the frames itself.
        frames: Frame indices of this presentation within `path`; () means the whole file.
        box: Face box (x, y, width, height) in pixels of the upright frame, or None.
        rotation: Degrees (0, 90, 180, 270) to rotate the stored frame clockwise until it is upright.
        attributes: Names of the facial attributes that hold (for pretraining a generative teacher).
    """

    dataset: str
    domain: str
    id: str
    label: int
    split: str = ""
    subject: str = ""
    attack_type: str = ""
    species: str = ""
    device: str = ""
    session: str = ""
    path: str = ""
    frames: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None
    rotation: int = 0
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceHint:
    """The place of the face in one frame, as the dataset itself gives it.

    Attributes:
        box: Face box (x, y, width, height) in pixels of the upright frame, or None.
        eyes: Centres (x, y of the eye further left in the image, x, y of the other) in pixels of that frame, or None.
        confidence: How sure the finder is that this is a face, in [0, 1]; None if it does not say.
    """

    box: tuple[float, float, float, float] | None = None
    eyes: tuple[float, float, float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """An official protocol: which presentations (by id) train, which choose the threshold, and which test."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]


def shows_no_face(session: str) -> bool:
    """Return whether a session marks pictures that show no face."""
    return session == CONTENT or session.startswith(CONTENT_CAPTURE)


def division_by_split(records: Iterable[Presentation]) -> Division:
    """Return the division that a dataset's own splits make; records without a split are left out."""
    ids: dict[str, list[str]] = {split: [] for split in ("", *SPLITS)}
    for record in records:
        ids[record.split].append(record.id)
    return Division(train=tuple(ids["train"]), dev=tuple(ids["dev"]), test=tuple(ids["test"]))
