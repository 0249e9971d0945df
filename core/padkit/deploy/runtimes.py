"""Opens exported files: ONNX by ONNX Runtime, OpenVINO, and torch.export; the first two import no torch.

A `.pt2` of torch.export is a program: torch unpickles parts of it and runs what it names. The others are data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.deploy.forms import PREFIX
from padkit.errors import PadkitError, WeightsError, extra_needed, one_line

Arrays = Callable[..., NDArray[np.float32]]
PT2_ENTRY = "padkit.json"  # of the extra files in a .pt2
SUFFIXES = (".onnx", ".xml", ".pt2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An exported file, ready to score.

    Attributes:
        run: Its inputs as arrays -> P(bona fide) [B], float32.
        metadata: What it says of itself (`padkit.deploy.forms.to_metadata`).
        path: The file.
    """

    run: Arrays
    path: Path
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return P(bona fide) [B] of uint8 RGB crops [B, S, S, 3], or of a photograph [H, W, 3] and a box [4]."""
        return self.run(*inputs)

    @property
    def temperature(self) -> float:
        """The temperature that its scores have already been divided by (see `Bundle`)."""
        return float(self.metadata.get(PREFIX + "temperature", 1.0))

    @property
    def views(self) -> str:
        """What of a crop its scores are made of (see `Bundle`)."""
        return self.metadata.get(PREFIX + "views", "one")

    @property
    def sha256(self) -> str:
        """The checksum of the weights it was made from; "" if it does not say."""
        return self.metadata.get(PREFIX + "sha256", "")


def open_exported(path: Path, threads: int | None = None, precision: str = "f32") -> Exported:
    """Open an exported file.

    Args:
        path: The `.onnx`, `.xml` or `.pt2` file.
        threads: CPU threads; the library's own choice by default.
        precision: What OpenVINO computes in where the file does not say: `f32`, or `bf16`, which differs by some
            hundredths of a score; OpenVINO itself would choose bf16 wherever the CPU has it.

    Raises:
        WeightsError: The file is missing or damaged, or has another suffix.
        PluginError: Its library is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise WeightsError(f"{path}: is no exported model; give {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; write it with `padkit export`, or score with --backend torch.")
    if path.suffix == ".onnx":
        return _onnx(path, threads)
    return _openvino(path, threads, precision) if path.suffix == ".xml" else _pt2(path, threads)


def onnx_session(model: Path | bytes, threads: int | None = None) -> Any:
    """Return ONNX Runtime's session of a file or of its bytes, on the CPU.

    Raises:
        PluginError: ONNX Runtime is not installed.
        Exception: It cannot read the file; its exceptions have no common base.
    """
    with extra_needed(model.name if isinstance(model, Path) else "an ONNX model", "padkit[onnx]"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )


def _onnx(path: Path, threads: int | None) -> Exported:
    try:
        session = onnx_session(path, threads)
    except PadkitError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    names = [one.name for one in session.get_inputs()]

    def run(*inputs: NDArray[Any]) -> NDArray[np.float32]:
        return _scores(session.run(None, dict(zip(names, inputs, strict=True)))[0])

    return Exported(run=run, path=path, metadata=dict(session.get_modelmeta().custom_metadata_map))


def _openvino(path: Path, threads: int | None, precision: str) -> Exported:
    with extra_needed(f"{path.name}", "padkit[openvino]"):
        import openvino
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_PRECISION_HINT": precision,
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        core = openvino.Core()
        model = core.read_model(path)
        compiled = core.compile_model(model, "CPU", settings)
    except Exception as error:  # openvino raises RuntimeError and its own
        raise _unreadable(path, error) from error
    request = compiled.create_infer_request()

    def run(*inputs: NDArray[Any]) -> NDArray[np.float32]:
        found = request.infer(dict(enumerate(map(np.ascontiguousarray, inputs))), share_inputs=True)
        return _scores(found[0]).copy()

    return Exported(run=run, path=path, metadata=_rt_info(model))


def _rt_info(model: Any) -> dict[str, str]:
    """Return the entries of section `padkit` of an OpenVINO model."""
    if not model.has_rt_info([PREFIX.rstrip(".")]):
        return {}
    section = model.get_rt_info([PREFIX.rstrip(".")]).value
    return {PREFIX + name: str(getattr(entry, "value", entry)) for name, entry in section.items()}


def _pt2(path: Path, threads: int | None) -> Exported:
    import json

    import torch

    if threads:
        torch.set_num_threads(threads)
    entries = {PT2_ENTRY: ""}
    try:
        module = torch.export.load(path, extra_files=entries).module()
        metadata = json.loads(entries[PT2_ENTRY] or "{}")
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise _unreadable(path, error) from error

    @torch.inference_mode()
    def run(*inputs: NDArray[Any]) -> NDArray[np.float32]:
        return _scores(module(*(torch.from_numpy(np.array(one)) for one in inputs)).numpy())

    return Exported(run=run, path=path, metadata=metadata)


def _scores(found: Any) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = np.asarray(found, dtype=np.float32).reshape(-1)
    return scores


def _unreadable(path: Path, error: BaseException) -> WeightsError:
    return WeightsError(f"{path} cannot be read ({one_line(error)}); export it again.")
