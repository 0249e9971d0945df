"""Measures every form of a bundle that is there: latency and throughput, with and without finding the face."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.preparation.finders import finder
from padkit.data.preparation.squares import face_box
from padkit.deploy import OPENVINO, WEIGHTS
from padkit.deploy.bundle import WHOLE, Bundle
from padkit.deploy.forms import Form, present_forms
from padkit.deploy.predictor import Predictor
from padkit.deploy.runtimes import open_exported
from padkit.deploy.scorers import torch_scorer
from padkit.deploy.timing import Timing, timed
from padkit.errors import DataError, WeightsError

BATCHES = (1, 16)
EAGER = "weights"  # the bundle's weights in eager torch, float32, on the CPU
BF16 = "openvino-bf16"  # the file of `openvino`, computed in bfloat16 by CPUs that have it
CROPS, PHOTOGRAPH, DETECTION = "crops", "photograph and box", "photograph, face found"
FINDING = "finding alone"
LIBRARIES = ("torch", "onnxruntime", "openvino")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One measurement.

    Attributes:
        form: `weights`, `openvino-bf16`, `finding alone`, or the name of a form.
        input: What one call takes, in words.
        timing: How long the calls took.
    """

    form: str
    input: str
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The measurements of a bundle.

    Attributes:
        rows: One for each form, input and batch.
        threads: CPU threads of each library.
        size: Side of the crops in pixels.
        machine: What it was measured on, by name.
        sha256: Checksum of the weights.
    """

    rows: Sequence[BenchmarkRow]
    threads: int
    size: int
    machine: Mapping[str, str]
    sha256: str

    def against_weights(self, row: BenchmarkRow) -> float | None:
        """Return how many times as fast as the weights a row is, on the same input; None without them."""
        given = CROPS if row.input == PHOTOGRAPH else row.input
        for other in self.rows:
            if (other.form, other.input, other.timing.items) == (EAGER, given, row.timing.items):
                return None if row.form == FINDING else row.timing.throughput / other.timing.throughput
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        rows = [
            {"form": row.form, "input": row.input, "batch": row.timing.items}
            | {name: value for name, value in asdict(row.timing).items() if name != "items"}
            | {"throughput": row.timing.throughput, "against_weights": self.against_weights(row)}
            for row in self.rows
        ]
        facts = {"sha256": self.sha256, "image_size": self.size, "threads": self.threads, "machine": dict(self.machine)}
        return {"schema": "padkit-benchmark/1"} | facts | {"rows": rows}


def benchmark(
    folder: Path, bundle: Bundle, *, threads: int, seconds: float = 2.0, photograph: Image.Image | None = None,
    face: str = "", face_model: str = "",
) -> Benchmark:  # fmt: skip
    """Measure the forms of a bundle that are there and whose libraries are installed.

    Args:
        folder: The bundle's folder.
        bundle: The bundle.
        threads: CPU threads of each library.
        seconds: About how long to measure each form at each batch.
        photograph: Mode RGB, upright, with a face; None measures without detection only.
        face: The face finder.
        face_model: Its weights, for finders that need some.

    Raises:
        WeightsError: Nothing is there that could be measured, or a file is damaged.
        DataError: The finder finds no face in the photograph.
    """
    runs, cutting = _opened(folder, threads)
    if not runs and not cutting:
        raise WeightsError(f"{folder}: holds nothing to measure; write a form with `padkit export`.")
    size = bundle.image_size
    crops = np.random.default_rng(0).integers(0, 256, (max(BATCHES), size, size, 3), dtype=np.uint8)
    rows = []
    for batch in BATCHES:
        kinds: dict[str, Callable[[], object]] = {name: partial(run, crops[:batch]) for name, run in runs.items()}
        rows += _rows(timed(kinds, seconds=seconds, items=batch), CROPS)
    if photograph is not None:
        rows += _with_detection(runs, cutting, bundle, photograph, face, face_model, seconds)
    return Benchmark(rows=rows, threads=threads, size=size, machine=machine(), sha256=bundle.sha256)


def _opened(folder: Path, threads: int) -> tuple[dict[str, Callable[..., NDArray[np.float32]]], dict[str, Any]]:
    """Return what scores crops, and what scores a photograph with a box, by the name of the form."""
    runs: dict[str, Callable[..., NDArray[np.float32]]] = {}
    cutting: dict[str, Any] = {}
    if (folder / WEIGHTS).is_file() and find_spec("torch"):
        runs[EAGER] = torch_scorer(folder, threads)
    for form in present_forms(folder):
        if _usable(form):
            (cutting if form.photograph else runs)[form.name] = open_exported(folder / form.file, threads)
    if "openvino" in runs and _has_bf16():
        runs[BF16] = open_exported(folder / OPENVINO, threads, precision="bf16")
    return runs, cutting


def _usable(form: Form) -> bool:
    library = {".onnx": "onnxruntime", ".xml": "openvino", ".pt2": "torch"}[Path(form.file).suffix]
    return find_spec(library) is not None


def _has_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _with_detection(
    runs: Mapping[str, Callable[..., NDArray[np.float32]]], cutting: Mapping[str, Any], bundle: Bundle,
    photograph: Image.Image, face: str, face_model: str, seconds: float,
) -> list[BenchmarkRow]:  # fmt: skip
    """Time photograph to score, for as many photographs as there are crops in a batch, and finding alone."""
    pixels = np.asarray(photograph)
    find = finder(face, face_model)
    boxes = [] if face == WHOLE else [face_box(one) for one in find(photograph, None)]
    box = next((np.array(one, dtype=np.float32) for one in boxes if one), None)
    if box is None:
        raise DataError(f"the finder {face} finds no face in the photograph; give another --photograph or --face.")
    rows = _rows(timed({name: partial(run, pixels, box) for name, run in cutting.items()}, seconds=seconds), PHOTOGRAPH)
    for batch in BATCHES:
        judges = {
            name: Predictor(bundle=bundle, score=run, face=face, face_model=face_model, faces="largest", limits=None)
            for name, run in runs.items()
        }
        kinds: dict[str, Callable[[], object]] = {
            name: partial(_judged, judge, photograph, batch) for name, judge in judges.items()
        }
        if batch == 1:
            kinds |= {name: partial(_found_and_cut, run, find, photograph) for name, run in cutting.items()}
            kinds[FINDING] = partial(find, photograph, None)
        rows += _rows(timed(kinds, seconds=seconds, items=batch), DETECTION)
    return rows


def _judged(predictor: Predictor, photograph: Image.Image, count: int) -> NDArray[np.float32]:
    """Find and cut the face of so many photographs, then score all of them at once."""
    return predictor.scores([predictor.find(photograph)[0].crop for _ in range(count)])


def _found_and_cut(run: Any, find: Any, photograph: Image.Image) -> object:
    """Find the face of a photograph and let the graph cut it."""
    box = face_box(find(photograph, None)[0])
    return run(np.asarray(photograph), np.array(box, dtype=np.float32))


def _rows(timings: Mapping[str, Timing], given: str) -> list[BenchmarkRow]:
    return [BenchmarkRow(form=name, input=given, timing=timing) for name, timing in timings.items()]


def machine() -> dict[str, str]:
    """Return processor, cores and library versions."""
    found = {"processor": _processor(), "cores": str(len(os.sched_getaffinity(0)))}
    if hasattr(os, "getloadavg"):
        found["load"] = f"{os.getloadavg()[0]:.1f}"
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
