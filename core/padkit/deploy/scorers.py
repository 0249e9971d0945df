"""What turns crops into scores: the bundle's weights in torch, or its ONNX file, which needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.deploy import ONNX, WEIGHTS
from padkit.errors import SettingsError, WeightsError, closest, extra_needed, one_line

# Crops uint8 RGB [B, S, S, 3] -> P(bona fide) [B], float32.
Scorer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
BACKENDS = ("auto", "torch", "onnx")


def scorer(folder: Path, backend: str = "auto", threads: int | None = None) -> Scorer:
    """Return what scores crops by a bundle.

    Args:
        folder: The bundle's folder.
        backend: `torch`, `onnx` (`model.onnx` in the folder), or `auto`: torch where the weights are there, else ONNX.
        threads: CPU threads; the library's own choice by default.

    Raises:
        SettingsError: There is no such backend.
        WeightsError: Its file is missing or damaged.
        PluginError: Its library is not installed.
    """
    if backend not in BACKENDS:
        raise SettingsError(f"backend {backend!r} is unknown.{closest(backend, BACKENDS)}")
    if backend == "auto":
        backend = "torch" if (folder / WEIGHTS).is_file() else "onnx"
    return _torch(folder, threads) if backend == "torch" else onnx_scorer(folder / ONNX, threads)


def onnx_scorer(path: Path, threads: int | None = None) -> Scorer:
    """Return the scorer of an ONNX file whose input is uint8 RGB [B, S, S, 3] and whose output is P(bona fide) [B].

    Raises:
        WeightsError: The file is missing or is no such model.
        PluginError: The extra `onnx` is not installed.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; write it with `padkit export`, or score with --backend torch.")
    with extra_needed(f"{path.name}", "padkit[onnx]"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise WeightsError(f"{path} cannot be read ({one_line(error)}); export it again.") from error
    name = session.get_inputs()[0].name

    def score(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.asarray(session.run(None, {name: crops})[0], dtype=np.float32).reshape(-1)
        return found

    return score


def _torch(folder: Path, threads: int | None) -> Scorer:
    import torch

    from padkit.catalog import Catalog
    from padkit.data.batches import to_images
    from padkit.deploy.stored import load_bundle

    if threads:
        torch.set_num_threads(threads)
    detector, _ = load_bundle(folder, Catalog())

    @torch.inference_mode()
    def score(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = to_images(torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))))
        scores: NDArray[np.float32] = detector(images).numpy()
        return scores

    return score


def resized(crop: Frame, size: int) -> Frame:
    """Return a square crop at the side that a model takes; unchanged if it has it already."""
    if crop.shape[0] == size:
        return crop
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC))
