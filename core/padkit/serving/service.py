"""What a server serves, and within which limits. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from padkit.deploy.predictor import Predictor, load
from padkit.deploy.quality import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLimits:
    """What a request may cost.

    Args:
        most_bytes: Of an uploaded picture.
        most_pixels: Width x height of a picture, looked up before it is decoded.
        most_faces: Faces in a picture that is judged.
        seconds: For a body to arrive, and for an answer to be found, waiting included.
        waiting: Requests that the server holds at a time; further ones are told to come again.
    """

    most_bytes: int = 10 * 2**20
    most_pixels: int = 25_000_000
    most_faces: int = 16
    seconds: float = 30.0
    waiting: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A model, how it judges, and the limits.

    Attributes:
        model: A run's folder, its `model/` folder, or a name on the hub.
        settings: Keyword arguments of `padkit.load`.
        judge_all: Judge whatever has a face.
        limits: Of a request.
    """

    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    judge_all: bool = False
    limits: ServeLimits = field(default_factory=ServeLimits)

    def load(self) -> Predictor:
        """Return the predictor; see `padkit.load` for errors."""
        return load(self.model, limits=None if self.judge_all else Limits(), **self.settings)
