"""insightface's model zoo: finds packs by name and single ONNX files, and the input that insightface gives them."""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from insightface import model_zoo
from insightface.utils import ensure_available

from padkit.errors import WeightsError, closest, one_line

PACKS = ("antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc")
RELEASES = "https://github.com/deepinsight/insightface/releases/tag/model-zoo"
LICENCE = "insightface's models are for non-commercial research only, see https://github.com/deepinsight/insightface"
ON_CPU = ("CPUExecutionProvider",)  # the session is opened only for its metadata
WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A recognition network of the zoo.

    Attributes:
        file: Its ONNX file.
        input_size: Side of its square input in pixels.
        mean, std: Standardisation of all channels of RGB in [0, 1].
    """

    file: Path
    input_size: int
    mean: float
    std: float


def find(model: str, root: str | Path, *, download: bool) -> Recogniser:
    """Return the recognition network called `model`.

    Args:
        model: Name of a pack, a folder with ONNX files, or an ONNX file.
        root: insightface's folder; packs are in `models/` in it.
        download: Let insightface download a pack that is not there.

    Raises:
        WeightsError: There is no such pack or file, it cannot be downloaded, or it holds no recognition network.
    """
    path = Path(model).expanduser()
    if path.suffix == ".onnx":
        if not path.is_file():
            raise WeightsError(f"insightface: {path} does not exist; check the path")
        return _recogniser(path, str(path))
    named = os.sep not in model and not path.is_dir()
    folder = Path(root).expanduser() / "models" / model if named else path
    if named and not folder.is_dir():
        _fetch(model, folder, download=download)
    if not folder.is_dir():
        raise WeightsError(f"insightface: folder {folder} does not exist; check the path")
    return _in_pack(folder)


def _fetch(name: str, folder: Path, *, download: bool) -> None:
    guess = "" if name in PACKS else closest(name, PACKS)
    place = f"unpack {name}.zip from {RELEASES} into {folder}"
    if not download:
        raise WeightsError(
            f"insightface: pack {name!r} is not in {folder.parent}; set download to true, or {place} "
            f"({LICENCE}).{guess}"
        )
    print(f"downloading {name}: {LICENCE}", file=sys.stderr)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # All processes of one run come here; one downloads, the others then find the pack.
        with FileLock(folder.parent / f".{name}.lock"), contextlib.redirect_stdout(sys.stderr):
            ensure_available("models", name, root=str(folder.parents[1]))
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        cause = one_line(error)[:160]
        raise WeightsError(
            f"insightface: pack {name!r} could not be downloaded ({cause}); go online, or {place}.{guess}"
        ) from error


def _in_pack(folder: Path) -> Recogniser:
    """Return the recognition network of a pack, which also holds detectors and landmark networks."""
    declared = getattr(model_zoo, "has_model_package_manifest", None)  # insightface 2: packs may name tasks
    if declared is not None and declared(str(folder)):
        return _recogniser(folder, str(folder), model_task="recognition")
    faults = []
    # Backwards, like insightface's own search: recognition networks come last in most packs.
    for file in sorted(folder.rglob("*.onnx"), reverse=True):
        try:
            return _recogniser(file, str(file))
        except WeightsError as error:
            faults.append(str(error))
    more = f" ({faults[0]})" if faults else ""
    raise WeightsError(f"insightface: {folder} holds no recognition network{more}; delete it and fetch it again")


def _recogniser(path: Path, source: str, **task: str) -> Recogniser:
    try:
        opened: Any = model_zoo.get_model(str(path), providers=list(ON_CPU), **task)
    except Exception as error:  # onnxruntime's errors share no other base
        raise WeightsError(f"insightface cannot open {source} ({one_line(error)[:160]}); fetch it again") from error
    if getattr(opened, "taskname", None) != "recognition":
        found = getattr(opened, "taskname", "nothing it knows")
        raise WeightsError(f"insightface takes {source} for {found}, not for a recognition network")
    width, height = opened.input_size
    if width != height:
        raise WeightsError(f"insightface: {source} takes {width} x {height} pixels; only square inputs are known")
    return Recogniser(Path(opened.model_file), width, opened.input_mean / WHITE, opened.input_std / WHITE)
