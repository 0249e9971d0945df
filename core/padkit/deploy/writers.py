"""Writes a bundle's detector in the forms of `padkit.deploy.forms`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from padkit.deploy.bundle import Bundle
from padkit.deploy.exported import OfCrops, OfPhotograph
from padkit.deploy.forms import FORMS, OPSET, Form, to_metadata
from padkit.deploy.int8 import onnx_int8, openvino_int8
from padkit.deploy.runtimes import PT2_ENTRY
from padkit.errors import SettingsError, WeightsError, extra_needed, one_line
from padkit.networks.detector import Detector

EXAMPLE = (160, 200)  # height and width of the photograph that is traced; any size may be given to the result


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Writes forms of one model.

    Attributes:
        detector: The detector, on the CPU.
        bundle: Its bundle, with the checksum of the weights.
        folder: Where the files go: an empty folder; a form that is there already is not written again.
        crops: What int8 is calibrated on, uint8 RGB [n, S, S, 3]; None if there is nothing.
    """

    detector: Detector
    bundle: Bundle
    folder: Path
    crops: NDArray[np.uint8] | None = None

    def write(self, form: Form) -> Path:
        """Write one form and return its file.

        Raises:
            SettingsError: The form needs crops and there are none, or crops that are aligned by the eyes.
            PluginError: The extra that it needs is not installed.
            WeightsError: The student cannot be exported.
        """
        if form.calibrated and self.crops is None:
            raise SettingsError(
                f"form {form.name}: is calibrated on crops, and a bundle alone has none; give the folder of its run, "
                "or --crops FOLDER with face crops."
            )
        path = self.folder / form.file
        if path.is_file():  # another form is made from it
            return path
        base = self.write(FORMS[form.base]) if form.base else path
        with _quiet():
            self._write(form, base, path)
        return path

    @torch.inference_mode()
    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return P(bona fide) [B] of crops uint8 RGB [B, S, S, 3] by the weights themselves, in eager torch."""
        found: NDArray[np.float32] = self._of_crops(torch.from_numpy(np.array(crops))).numpy()
        return found

    @property
    def _of_crops(self) -> OfCrops:
        return OfCrops(self.detector, self.bundle.temperature).eval()

    def _write(self, form: Form, base: Path, path: Path) -> None:
        metadata = to_metadata(self.bundle, form)
        if form.name == "torch":
            _write_pt2(self._program(form), path, metadata)
        elif form.name == "onnx-fp16":
            _write_fp16(base, path, metadata)
        elif form.name == "onnx-int8":
            assert self.crops is not None
            _save_onnx(onnx_int8(base, self.crops), path, metadata)
        elif path.suffix == ".xml":
            _write_openvino(base, path, metadata, self.crops if form.calibrated else None)
        else:
            _write_onnx(self._program(form), path, metadata)

    def _program(self, form: Form) -> torch.export.ExportedProgram:
        """Return the traced graph; the batch, or the size of the photograph, stays free."""
        bundle, size = self.bundle, self.bundle.image_size
        free = torch.export.Dim.DYNAMIC
        module: torch.nn.Module
        inputs: tuple[torch.Tensor, ...]
        shapes: dict[str, dict[int, Any]]
        if form.photograph:
            module = OfPhotograph(self.detector, size, bundle.crop, bundle.temperature)
            photograph = torch.zeros((*EXAMPLE, 3), dtype=torch.uint8)
            inputs = photograph, torch.tensor([50.0, 40.0, 80.0, 90.0])
            shapes = {"photograph": {0: free, 1: free}, "box": {}}
        else:
            module = self._of_crops
            inputs = (torch.zeros((2, size, size, 3), dtype=torch.uint8),)
            shapes = {"crops": {0: free}}
        try:
            with torch.no_grad():
                return torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)
        except Exception as error:  # torch.export has no common base of what it raises
            raise WeightsError(f"form {form.name}: this student cannot be exported ({one_line(error)}).") from error


def _write_onnx(program: torch.export.ExportedProgram, path: Path, metadata: dict[str, str]) -> None:
    with extra_needed("padkit export to ONNX", "padkit[onnx]"):
        import onnxscript  # noqa: F401 - torch.onnx imports it
    names = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    try:
        found = torch.onnx.export(
            program, input_names=names, output_names=["score"], opset_version=OPSET, dynamo=True, verbose=False
        )
    except Exception as error:  # the exporter's errors have no common base
        raise WeightsError(f"{path.name}: this student cannot be exported ({one_line(error)}).") from error
    assert found is not None
    _save_onnx(found.model_proto, path, metadata)


def _write_fp16(base: Path, path: Path, metadata: dict[str, str]) -> None:
    with extra_needed("padkit export to float16", "padkit[onnx]"):
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
    # Inputs are uint8 and the output stays float32; softmax keeps its range.
    model = convert_float_to_float16(onnx.load(str(base)), keep_io_types=True, op_block_list=["Softmax"])
    _save_onnx(model, path, metadata)


def _write_openvino(base: Path, path: Path, metadata: dict[str, str], crops: NDArray[np.uint8] | None) -> None:
    with extra_needed("padkit export to OpenVINO", "padkit[openvino]"):
        import openvino
    model = openvino.Core().read_model(base) if crops is None else openvino_int8(base, crops)
    for name, text in metadata.items():
        model.set_rt_info(text, name.split("."))
    openvino.save_model(model, path, compress_to_fp16=False)


def _write_pt2(program: torch.export.ExportedProgram, path: Path, metadata: dict[str, str]) -> None:
    torch.export.save(program, path, extra_files={PT2_ENTRY: json.dumps(metadata)})


def _save_onnx(model: Any, path: Path, metadata: dict[str, str]) -> None:
    import onnx

    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]  # torch's exporter notes where on this machine each operation was called from
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(path))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' progress, which is about their insides, from the terminal."""
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)
