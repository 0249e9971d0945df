"""What turns crops into scores: the bundle's weights in torch, or an exported form, which needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.deploy import INT8, ONNX, OPENVINO, WEIGHTS
from padkit.deploy.bundle import Bundle
from padkit.deploy.runtimes import open_exported
from padkit.errors import SettingsError, WeightsError, closest

if TYPE_CHECKING:
    from padkit.networks.detector import Detector

# Crops uint8 RGB [B, S, S, 3] -> P(bona fide) [B], float32.
Scorer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
BACKENDS = ("auto", "torch", "onnx", "openvino")


def scorer(folder: Path, bundle: Bundle, backend: str = "auto", threads: int | None = None) -> Scorer:
    """Return what scores crops by a bundle.

    Args:
        folder: The bundle's folder.
        bundle: What `bundle.json` says.
        backend: `torch`, `onnx` (`model.onnx` in the folder, or `model-int8.onnx` where it is alone), `openvino`
            (`model.xml`), or `auto`: OpenVINO where its file and its library are there, else torch likewise, else ONNX.
        threads: CPU threads; the library's own choice by default.

    Raises:
        SettingsError: There is no such backend.
        WeightsError: Its file is missing or damaged, or was exported from other weights or with other views.
        PluginError: Its library is not installed.
    """
    if backend not in BACKENDS:
        raise SettingsError(f"backend {backend!r} is unknown.{closest(backend, BACKENDS)}")
    if backend == "auto":
        backend = usual_backend(folder)
    if backend == "torch":
        return torch_scorer(folder, threads)
    found = open_exported(_onnx(folder) if backend == "onnx" else folder / OPENVINO, threads)
    if bundle.sha256 and found.sha256 and found.sha256 != bundle.sha256:
        raise WeightsError(f"{found.path} was exported from other weights than {folder} has; export it again.")
    if found.views != bundle.views:
        cause = f"{found.path} was exported with views {found.views!r}, and {folder} has {bundle.views!r}"
        raise WeightsError(f"{cause}; export it again.")
    return found


def usual_backend(folder: Path) -> str:
    """Return the backend that `auto` stands for in a bundle's folder."""
    if (folder / OPENVINO).is_file() and find_spec("openvino"):
        return "openvino"
    if (folder / WEIGHTS).is_file() and find_spec("torch"):
        return "torch"
    if not _onnx(folder).is_file():  # the one whose file is there tells best what is missing
        return "openvino" if (folder / OPENVINO).is_file() else "torch" if (folder / WEIGHTS).is_file() else "onnx"
    return "onnx"


def _onnx(folder: Path) -> Path:
    """Return the ONNX file that stands for a bundle: in float32, or in int8 where there is no other."""
    exact, rounded = folder / ONNX, folder / INT8
    return rounded if rounded.is_file() and not exact.is_file() else exact


def applied_temperature(score: Scorer) -> float:
    """Return the temperature that a scorer's scores have been divided by already; 1 for the weights themselves."""
    return float(getattr(score, "temperature", 1.0))


def torch_scorer(folder: Path, threads: int | None = None) -> Scorer:
    """Return the scorer of a bundle's weights, in eager torch on the CPU.

    Raises:
        WeightsError: They are missing or damaged.
    """
    import torch

    from padkit.catalog import Catalog
    from padkit.deploy.stored import load_bundle

    if threads:
        torch.set_num_threads(threads)
    detector, _ = load_bundle(folder, Catalog())
    return detector_scorer(detector)


def detector_scorer(detector: Detector) -> Scorer:
    """Return the scorer of a detector in evaluation mode, on the device that it is on."""
    import torch

    from padkit.data.batches import to_images

    device = next(detector.parameters()).device

    @torch.inference_mode()
    def score(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
        scores: NDArray[np.float32] = detector(to_images(planes.to(device))).cpu().numpy()
        return scores

    return score


def resized(crop: Frame, size: int) -> Frame:
    """Return a square crop at the side that a model takes; unchanged if it has it already."""
    if crop.shape[0] == size:
        return crop
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC))
