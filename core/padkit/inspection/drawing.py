"""Pictures of the results: boxes and verdicts on the photograph, and where the student looked (Grad-CAM)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.media.pictures import read_picture
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.deploy.predictor import Predictor
from padkit.deploy.verdict import Judgement, Reason, Verdict
from padkit.files import write_atomically

# Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008).
COLOURS = {Verdict.BONA_FIDE: "#0072b2", Verdict.ATTACK: "#d55e00", Verdict.NOT_JUDGED: "#999999"}


class Drawer:
    """Writes pictures of the results of stills; videos get none.

    Args:
        predictor: What judged them.
        annotate: Folder for the photographs with boxes, or None.
        explain: Folder for the faces with Grad-CAM, or None.

    Raises:
        PluginError: `explain` is given and the extra `figures` is not installed.
    """

    def __init__(self, predictor: Predictor, annotate: str | None, explain: str | None) -> None:
        self.predictor = predictor
        self.annotate = None if annotate is None else Path(annotate)
        self.explain = None if explain is None else Path(explain)
        self._explainer = None if self.explain is None else Explainer(predictor.folder)
        self._names: set[str] = set()

    def draw(self, path: Path, results: Sequence[Judgement]) -> None:
        """Write the pictures of one input; nothing for what could not be read.

        Raises:
            DataError: A folder cannot be written.
        """
        if (self.annotate is None and self.explain is None) or kind_of(path) == VIDEO:
            return
        if any(one.reason in (Reason.UNREADABLE, Reason.TOO_LARGE) for one in results):
            return
        picture, name = read_picture(path), self._name(path)
        if self.annotate is not None:
            write_atomically(self.annotate / f"{name}.png", _png(annotated(picture, results)))
        if self.explain is not None:
            self._explain(picture, results, self.explain, name)

    def _explain(self, picture: Image.Image, results: Sequence[Judgement], folder: Path, name: str) -> None:
        assert self._explainer is not None
        faces = self.predictor.find(picture)
        for one in results:
            if one.score is None or one.face >= len(faces):
                continue
            shown = self._explainer(faces[one.face].crop, one.verdict)
            write_atomically(folder / f"{name}-face{one.face}.png", _png(shown))

    def _name(self, path: Path) -> str:
        """Return a file name that no other input of this call has."""
        name, number = path.name, 1
        while name in self._names:
            number += 1
            name = f"{path.name}-{number}"
        self._names.add(name)
        return name


class Explainer:
    """Shows where the student of a bundle looked; needs its weights and the extra `figures`.

    Args:
        folder: The bundle's folder; read when the first face is explained.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._detector: Any = None

    def __call__(self, crop: np.ndarray[Any, np.dtype[np.uint8]], verdict: Verdict) -> Image.Image:
        """Return a crop, uint8 RGB [S, S, 3], with the evidence for the verdict laid over it.

        Raises:
            PluginError: The extra `figures` is not installed.
            WeightsError: The bundle has no weights, or they are damaged.
            SettingsError: The student gives out no maps.
        """
        import torch

        from padkit.data.batches import to_images
        from padkit.inspection.gradcam import attention

        if self._detector is None:
            from padkit.catalog import Catalog
            from padkit.deploy.stored import load_bundle

            self._detector = load_bundle(self.folder, Catalog())[0]
        images = to_images(torch.from_numpy(crop.transpose(2, 0, 1)[None].copy()))
        label = BONA_FIDE if verdict is Verdict.BONA_FIDE else ATTACK
        return overlaid(crop, attention(self._detector, images, np.array([label], dtype=np.int64))[0])


def annotated(picture: Image.Image, results: Sequence[Judgement]) -> Image.Image:
    """Return the picture, mode RGB, with a box and a line of text for each face."""
    shown = picture.convert("RGB")
    pen, scale = ImageDraw.Draw(shown), max(min(shown.size) // 40, 10)
    font = ImageFont.load_default(scale)
    for one in results:
        x, y, width, height = one.box or (0.0, 0.0, shown.width - 1.0, shown.height - 1.0)
        score = "" if one.score is None else f" {one.score:.2f}"
        text = f"{one.verdict}{score}" + (f": {one.reason}" if one.reason else "")
        colour = COLOURS[one.verdict]
        pen.rectangle((x, y, x + width, y + height), outline=colour, width=max(scale // 6, 2))
        at = (max(x, 0), max(y - 1.4 * scale, 0))
        pen.rectangle(pen.textbbox(at, text, font=font), fill=colour)
        pen.text(at, text, fill="white", font=font)
    return shown


def overlaid(crop: np.ndarray[Any, np.dtype[np.uint8]], heat: np.ndarray[Any, np.dtype[np.float32]]) -> Image.Image:
    """Return a crop, uint8 RGB [S, S, 3], with heat [S, S] in [0, 1] laid over it."""
    from matplotlib import colormaps

    colours = np.asarray(colormaps["inferno"](heat))[..., :3] * 255
    return Image.fromarray((0.55 * crop + 0.45 * colours).round().astype(np.uint8))


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
