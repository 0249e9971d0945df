"""What a server serves and within which limits; written as JSON for its worker processes. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from padkit.deploy.predictor import Predictor, load
from padkit.deploy.quality import Limits

SHAPE = 10  # largest ratio of a picture's sides: finding faces in a strip takes long, and no camera takes one


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLimits:
    """What a request may cost.

    Args:
        most_bytes: Of an uploaded picture.
        most_pixels: Width x height of a picture, looked up before it is decoded.
        most_faces: Faces in a picture that is judged.
        seconds: For a body to arrive, and for an answer to be found, waiting included.
        waiting: Requests that a worker holds at a time; further ones are told to come again.
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
        settings: Keyword arguments of `padkit.load`, as JSON values.
        judge_all: Judge whatever has a face.
        limits: Of a request.
        metrics: Folder that the workers of a server share for their figures; "" for a worker alone.
    """

    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    judge_all: bool = False
    limits: ServeLimits = field(default_factory=ServeLimits)
    metrics: str = ""

    def load(self) -> Predictor:
        """Return the predictor; see `padkit.load` for errors."""
        return load(self.model, limits=None if self.judge_all else Limits(), **self.settings)

    def to_json(self) -> str:
        """Return it as one line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Service:
        """Return what `to_json` wrote."""
        content = json.loads(text)
        return cls(**content | {"limits": ServeLimits(**content["limits"])})
