"""The typed result of judging one face. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from padkit.deploy.stability import FaceStability


class Verdict(StrEnum):
    """What is said of a face; a face that is not judged is never counted as an attack."""

    BONA_FIDE = "bona fide"
    ATTACK = "attack"
    NOT_JUDGED = "not judged"


class Reason(StrEnum):
    """Why a face, or a whole input, is not judged."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    NEAR_BORDER = "near_border"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TURNED_AWAY = "turned_away"
    LOW_CONFIDENCE = "low_confidence"
    FEW_FRAMES = "few_frames"


WORDS: Mapping[Reason, str] = {
    Reason.UNREADABLE: "the input cannot be read",
    Reason.TOO_LARGE: "the input has more pixels or bytes than are accepted",
    Reason.NO_FACE: "no face was found",
    Reason.SEVERAL_FACES: "several faces where one was asked for",
    Reason.TOO_SMALL: "the face is too small",
    Reason.NEAR_BORDER: "too much of the face lies outside the picture",
    Reason.BLURRED: "the face is blurred",
    Reason.TOO_DARK: "the face is too dark",
    Reason.TOO_BRIGHT: "the face is too bright",
    Reason.TURNED_AWAY: "the face is turned away or tilted",
    Reason.LOW_CONFIDENCE: "the face finder is not sure: the face may be covered",
    Reason.FEW_FRAMES: "too few frames of the video could be judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The result for one face.

    Attributes:
        source: The input: a path, `webcam:0`, or a name that the caller gave.
        verdict: What is said of it.
        score: P(bona fide) in [0, 1]; None if it was not judged.
        threshold: Bona fide iff score >= threshold.
        policy: How the threshold was chosen.
        reason: Why it was not judged; None otherwise.
        detail: The reason in words, with the figure that decided; "" otherwise.
        box: Face box (x, y, width, height) in pixels of the upright picture; None if the whole picture is the face.
        frame: Number of the frame in a video; None for a still and for a video as a whole.
        face: Number of the face in the picture, largest first, from 0.
        faces: Number of faces found in the picture.
        quality: Figures of the face (`padkit.deploy.quality`), by name.
        model: First 12 digits of the SHA-256 of the weights; "" if unknown.
        frames: For a video as a whole: (judged, looked at).
        stability: What small changes of the box do to the verdict, where that was asked for.
    """

    source: str
    verdict: Verdict
    threshold: float
    policy: str
    score: float | None = None
    reason: Reason | None = None
    detail: str = ""
    box: tuple[float, float, float, float] | None = None
    frame: int | None = None
    face: int = 0
    faces: int = 1
    quality: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    frames: tuple[int, int] | None = None
    stability: FaceStability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; `score` is null and `reason` is set if it was not judged."""
        return {
            "source": self.source,
            "frame": self.frame,
            "face": self.face,
            "faces": self.faces,
            "verdict": str(self.verdict),
            "score": self.score,
            "threshold": self.threshold,
            "policy": self.policy,
            "reason": None if self.reason is None else str(self.reason),
            "detail": self.detail,
            "box": None if self.box is None else [round(value, 2) for value in self.box],
            "quality": {name: round(value, 4) for name, value in self.quality.items()},
            "frames": None if self.frames is None else {"judged": self.frames[0], "looked_at": self.frames[1]},
            "model": self.model,
            "stability": None if self.stability is None else self.stability.to_dict(),
        }
