"""From the bytes of a picture to typed results, on request with Grad-CAM. Imports no torch."""

from __future__ import annotations

import base64
import functools
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from padkit.data.media.pictures import decode_picture
from padkit.deploy import ONNX, WEIGHTS
from padkit.deploy.bundle import sha256_of
from padkit.deploy.predictor import Found, Predictor
from padkit.deploy.quality import strip
from padkit.deploy.verdict import Judgement, Reason
from padkit.errors import DataError, one_line
from padkit.serving.refusal import RefusalError
from padkit.serving.service import ServeLimits

if TYPE_CHECKING:
    from padkit.inspection.drawing import Explainer

PNG_URL = "data:image/png;base64,"

UNTOLD = frozenset({"frame", "frames", "stability"})  # parts of a judgement that a still picture has not


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One face, as `padkit.deploy.verdict.Judgement` describes it; `explanation` is a data URL of a PNG, or null."""

    source: str
    face: int
    faces: int
    verdict: str
    score: float | None
    threshold: float
    policy: str
    reason: str | None
    detail: str
    box: list[float] | None
    quality: dict[str, float]
    model: str
    explanation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `POST /judge` answers: at least one result, the largest face first.

    Attributes:
        sha256: Checksum of the model's weights.
        simulated: Whether the model was trained on simulated faces or attacks; `caution` of `GET /model` says which.
        width, height: Of the upright picture, pixels; null if it could not be read.
        seconds: That judging took, without waiting.
        results: One for each face, or one for the picture if it has no face that can be judged.
    """

    sha256: str
    simulated: bool
    width: int | None
    height: int | None
    seconds: float
    results: list[Result]


class Judging:
    """Judges uploaded pictures.

    Args:
        predictor: The model.
        limits: What a picture may cost.
        backend: As it was asked for; `onnx` explains nothing, because that takes torch.
    """

    def __init__(self, predictor: Predictor, limits: ServeLimits, backend: str = "auto") -> None:
        self.predictor = predictor
        self.limits = limits
        self.sha256 = predictor.bundle.sha256 or _sha256(predictor)
        self.unexplained = _unexplained(predictor, backend)

    def warm_up(self) -> None:
        """Judge a grey picture, so that what is missing is told at the start and the first request is no slower.

        Raises:
            PluginError: A library that the face finder needs is not installed.
            WeightsError: Its weights cannot be read.
        """
        side = self.predictor.bundle.image_size
        grey = Image.new("RGB", (side, side), (128, 128, 128))
        self.predictor.find(grey)
        self.predictor.scores([np.asarray(grey)])

    def answer(self, content: bytes, source: str, *, explain: bool = False) -> Answer:
        """Judge a picture; whatever is wrong with it is a coded reason.

        Raises:
            RefusalError: 501, an explanation is asked for and cannot be given.
        """
        if explain and self.unexplained:
            raise RefusalError(501, "explain", self.unexplained)
        start = time.perf_counter()
        picture, results, found = self._judged(content, source)
        shown: list[Result] = []
        for one in results:
            facts = {name: value for name, value in one.to_dict().items() if name not in UNTOLD}
            heat = self._explained(found[one.face], one) if explain and one.score is not None else None
            shown.append(Result(**facts, explanation=heat))
        width, height = picture.size if picture is not None else (None, None)
        return Answer(
            sha256=self.sha256, simulated=self.predictor.bundle.simulated, width=width, height=height, results=shown,
            seconds=round(time.perf_counter() - start, 4),
        )  # fmt: skip

    def about(self) -> dict[str, Any]:
        """Return what the model says of itself, as JSON values."""
        bundle, chosen = self.predictor.bundle, self.predictor.bundle.choose(self.predictor.policy)
        return {
            "sha256": self.sha256,
            "student": bundle.student,
            "simulated": bundle.simulated,
            "caution": bundle.caution,
            "not_for": list(bundle.excluded),
            "threshold": chosen.value,
            "policy": chosen.policy,
            "test_set_choice": chosen.test_set_choice,
            "face": self.predictor.face,
            "views": bundle.views,
            "explain": not self.unexplained,
            "unexplained": self.unexplained,
            "limits": {name: getattr(self.limits, name) for name in ("most_bytes", "most_pixels", "most_faces")},
        }

    def _judged(self, content: bytes, source: str) -> tuple[Image.Image | None, Sequence[Judgement], list[Found]]:
        predictor = self.predictor
        try:
            picture = decode_picture(content, source, most_pixels=self.limits.most_pixels)
        except DataError as error:
            told = one_line(error).removeprefix(f"{source}: ").rstrip(".")
            reason = Reason.TOO_LARGE if "too many pixels" in told else Reason.UNREADABLE
            return None, [predictor.unjudged(source, reason, told)], []
        if detail := strip(*picture.size):
            return picture, [predictor.unjudged(source, Reason.UNREADABLE, detail)], []
        found = predictor.find(picture)
        if len(found) > self.limits.most_faces:
            detail = f"{len(found)} faces, limit {self.limits.most_faces}"
            return picture, [predictor.unjudged(source, Reason.SEVERAL_FACES, detail, faces=len(found))], []
        return picture, predictor.judge_found(found, source), found

    def _explained(self, face: Found, one: Judgement) -> str:
        file = io.BytesIO()
        self._explainer(face.crop, one.verdict).save(file, "PNG")
        return PNG_URL + base64.b64encode(file.getvalue()).decode("ascii")

    @functools.cached_property
    def _explainer(self) -> Explainer:
        from padkit.inspection.drawing import Explainer

        return Explainer(self.predictor.folder)


def _sha256(predictor: Predictor) -> str:
    """Return the checksum of the weights of a bundle that records none; "" if it has none."""
    paths = [predictor.folder / name for name in (WEIGHTS, ONNX)]
    return next((sha256_of(path) for path in paths if path.is_file()), "")


def _unexplained(predictor: Predictor, backend: str) -> str:
    """Return why Grad-CAM cannot be had, or ""; looks for libraries without importing them."""
    if backend not in ("auto", "torch"):
        return f"Grad-CAM needs the weights in torch; this server scores with --backend {backend}"
    if not (predictor.folder / WEIGHTS).is_file():
        return f"Grad-CAM needs {WEIGHTS}, which this model's folder lacks"
    if any(find_spec(name) is None for name in ("torch", "pytorch_grad_cam")):
        return "Grad-CAM: pip install 'padkit[figures]' where the server runs"
    return ""
