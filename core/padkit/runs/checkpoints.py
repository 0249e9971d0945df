"""Checkpoints of a run (each complete, the last few kept, exact to the step), and the weights that it ships.

A checkpoint lists its files with their checksums, so that a damaged one is known before any of it is loaded. It also
holds the weights selected so far: going on from the one before it does not ship what was selected after it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from accelerate import Accelerator
from torch import Tensor

from padkit.errors import TrainingError, one_line
from padkit.files import write_atomically
from padkit.networks.detector import Detector
from padkit.runs.folder import STEP, RunFolder

_PROGRESS, _FILES = "progress.json", "files.json"


@dataclass(slots=True)
class Progress:
    """Where training stands.

    Attributes:
        step: Optimiser steps done.
        best_step: Step of the judged checkpoint that is to be shipped so far, 0 before the first.
        best: Its rank (`padkit.evaluation.selection.rank`), the larger the better; empty where nothing is ranked.
        ranked_by: Name of the figure behind `best`; "" where nothing is ranked, and in progress of an earlier padkit.
        recent: Figures of the last judged checkpoints on the test set, where the selection averages them.
        judged: Step of the last judgement, 0 before the first.
    """

    step: int = 0
    best_step: int = 0
    best: list[float] = field(default_factory=list)
    ranked_by: str = ""
    recent: list[dict[str, Any]] = field(default_factory=list)
    judged: int = 0


def save(accelerator: Accelerator, folder: Path, progress: Progress, *, kept: int = 2) -> None:
    """Save everything that `accelerator` holds as `folder/step-...`, by a rename, and drop the oldest ones.

    Every process calls this.

    Args:
        accelerator: What it prepared and registered is saved, with its scaler of gradients and all random states.
        folder: Folder of the checkpoints; all processes see it.
        progress: Where training stands.
        kept: Checkpoints that stay, this one included.
    """
    final = folder / f"step-{progress.step:07d}"
    unfinished = folder / f".{final.name}"
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        for selected in folder.glob("*.safetensors"):
            shutil.copyfile(selected, unfinished / selected.name)
        (unfinished / _PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")
        files = [path for path in unfinished.rglob("*") if path.is_file()]
        listed = {str(path.relative_to(unfinished)): _checksum(path) for path in files}
        (unfinished / _FILES).write_text(json.dumps(listed), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        unfinished.rename(final)
        # Those after this step were damaged, or training would have gone on from them.
        staying = [path for path in checkpoints(folder) if path.name <= final.name][-kept:]
        for old in checkpoints(folder):
            if old not in staying:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def restore(accelerator: Accelerator, folder: Path) -> Progress:
    """Load the newest whole checkpoint in `folder` into what `accelerator` prepared; return step 0 if there is none.

    A damaged one is named, and the one before it taken. Every process calls this.

    Raises:
        TrainingError: All checkpoints are damaged, or the one taken does not fit these settings.
    """
    damaged: list[str] = []
    for checkpoint in reversed(checkpoints(folder)):
        if not (damage := _damage(checkpoint)):
            if damaged:
                told = f"damaged, and passed over: {'; '.join(damaged)}"
                accelerator.print(f"warning: {told}; going on from {checkpoint}")
            return _load(accelerator, checkpoint, folder)
        damaged.append(f"{checkpoint} ({damage})")
    if damaged:
        raise TrainingError(
            f"no checkpoint is whole: {'; '.join(damaged)}; restore one, or start a new run with another --out."
        )
    accelerator.print(f"{folder} holds no checkpoint: training starts from the beginning")
    return Progress()


def _load(accelerator: Accelerator, checkpoint: Path, folder: Path) -> Progress:
    try:
        accelerator.load_state(str(checkpoint))
        progress = Progress(**json.loads((checkpoint / _PROGRESS).read_text(encoding="utf-8")))
    except Exception as error:  # libraries raise what they like on a state of another make
        raise TrainingError(
            f"checkpoint {checkpoint} does not fit ({one_line(error)}); resume with the run's own settings and the "
            "versions that its environment.json names."
        ) from error
    if accelerator.is_main_process:
        for later in folder.glob("*.safetensors"):
            later.unlink()
        for selected in checkpoint.glob("selected*.safetensors"):
            write_atomically(folder / selected.name, selected.read_bytes())
    accelerator.wait_for_everyone()
    return progress


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, whole or damaged, the oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def _damage(checkpoint: Path) -> str:
    """Return what is wrong with the files of a checkpoint, "" if nothing is; nothing of it is loaded."""
    try:
        listed = json.loads((checkpoint / _FILES).read_text(encoding="utf-8"))
        for name, checksum in listed.items():
            if not (checkpoint / name).exists():
                return f"{name} is missing"
            if _checksum(checkpoint / name) != checksum:
                empty = not (checkpoint / name).stat().st_size
                return f"{name} is {'empty' if empty else 'cut short or changed'}"
    except (OSError, ValueError, AttributeError) as error:
        return f"{_FILES}: {one_line(error)}"
    return "" if _PROGRESS in listed else f"{_FILES} does not list {_PROGRESS}"


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_selected(run: RunFolder, detector: Detector, aligner: Mapping[str, Tensor], step: int) -> None:
    """Write the weights selected so far: the (averaged) detector's, and the aligner's (not averaged).

    They are small and stay when checkpoints are pruned.
    """
    _write(run.selected, detector.state_dict(), step)
    if aligner:
        _write(run.selected_aligner, aligner, step)


def load_selected(run: RunFolder, detector: Detector) -> None:
    """Load the weights that the run ships into its detector."""
    detector.load_state_dict(safetensors.torch.load_file(run.selected))


def _write(path: Path, state: Mapping[str, Tensor], step: int) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, safetensors.torch.save(tensors, metadata={STEP: str(step)}))
