"""The SCRFD face detector of insightface (Guo et al., 2021): locates its weights and finds faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from padkit.data.presentation import FaceHint
from padkit.errors import WeightsError, extra_needed, one_line

EXTRA = "padkit[insightface]"
LICENCE = "insightface's model zoo is for non-commercial research only (insightface.ai); its code is MIT."
ZOO = Path("~/.insightface/models")
SIDE = 640  # side of the square that the frame is fitted into
# Outputs of SCRFD with and without landmarks, at three and at five strides.
OUTPUTS = (6, 9, 10, 15)


def scrfd_weights(model: str, *, download: bool) -> Path:
    """Return the detector's weights file.

    Args:
        model: An .onnx file, or the name of a pack of the model zoo, such as `buffalo_l`.
        download: Let insightface download a pack that is not there yet.

    Raises:
        PluginError: The extra `insightface`, which fetches packs, is not installed.
        WeightsError: The file does not exist, or the pack cannot be downloaded; the error names the remedy.
    """
    if model.endswith(".onnx") or "/" in model:
        file = Path(model).expanduser()
        if not file.is_file():
            raise WeightsError(f"Face detector {file} does not exist; check --face-model.")
        return file
    pack = ZOO.expanduser() / model
    if not _detectors(pack) and download:
        _fetch(model)
    if found := _detectors(pack):
        return found[0]
    raise WeightsError(
        f"Face detector pack {model!r} is not in {pack}; `padkit prepare ... --face scrfd --download` lets "
        "insightface fetch it (about 300 MB, for non-commercial research only); or give --face-model FILE.onnx, or "
        "take --face lbp."
    )


def _detectors(pack: Path) -> list[Path]:
    return sorted(path for path in pack.glob("*.onnx") if path.name.startswith(("det_", "scrfd")))


def _fetch(pack: str) -> None:
    with extra_needed("face finder scrfd", EXTRA):
        from insightface.utils.storage import ensure_available

    try:
        ensure_available("models", pack)
    # The network, the archive and the client may raise anything.
    except Exception as error:
        raise WeightsError(
            f"Face detector pack {pack!r} could not be fetched ({one_line(error)}); check the name and the network, or "
            "give a local file by --face-model."
        ) from error


class Scrfd:
    """A `Finder` of faces with their eyes.

    Args:
        file: The weights, ONNX.

    Raises:
        PluginError: The extra `insightface` is not installed.
        WeightsError: The file is not an SCRFD model.
    """

    def __init__(self, file: Path) -> None:
        with extra_needed("face finder scrfd", EXTRA):
            import onnxruntime
            from insightface.model_zoo.scrfd import SCRFD

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one process per core is at work
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise WeightsError(f"Face detector {file} cannot be read ({one_line(error)}); fetch it again.") from error
        if len(session.get_outputs()) not in OUTPUTS:
            raise WeightsError(f"Face detector {file} is no SCRFD; take det_10g.onnx of insightface's buffalo_l.")
        self._network: Any = SCRFD(str(file), session)

    def __call__(self, picture: Image, _hint: FaceHint | None) -> list[FaceHint]:
        """Return all faces of the frame."""
        frame = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])  # BGR
        boxes, points = self._network.detect(frame, input_size=(SIDE, SIDE))
        return [
            FaceHint(
                box=(float(left), float(top), float(right - left), float(bottom - top)),
                eyes=None if points is None else _eyes(points[number]),
                confidence=float(sure),
            )
            for number, (left, top, right, bottom, sure) in enumerate(boxes)
        ]


def _eyes(points: Any) -> tuple[float, float, float, float]:
    (one, other) = sorted((float(x), float(y)) for x, y in points[:2])
    return (*one, *other)
