"""Checkpoints of a run (each complete, the last two kept, exact to the step), and the weights that it ships."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from accelerate import Accelerator
from torch import Tensor

from padkit.errors import TrainingError
from padkit.files import write_atomically
from padkit.networks.detector import Detector
from padkit.roles import Aligner
from padkit.runs.folder import STEP, RunFolder

KEPT = 2
_PROGRESS = "progress.json"


@dataclass(slots=True)
class Progress:
    """Where training stands.

    Attributes:
        step: Optimiser steps done.
        best_step: Step of the judged checkpoint that is to be shipped so far, 0 before the first.
        best: Its rank (`padkit.evaluation.selection.rank`), the larger the better; empty where nothing is ranked.
        ranked_by: Name of the figure behind `best`; "" where nothing is ranked, and in progress of an earlier padkit.
        recent: Figures of the last judged checkpoints on the test set, where the selection averages them.
    """

    step: int = 0
    best_step: int = 0
    best: list[float] = field(default_factory=list)
    ranked_by: str = ""
    recent: list[dict[str, Any]] = field(default_factory=list)


def save(accelerator: Accelerator, folder: Path, progress: Progress) -> None:
    """Save everything that `accelerator` holds as `folder/step-...`, by a rename, and drop the oldest ones.

    Every process calls this.
    """
    final = folder / f"step-{progress.step:07d}"
    unfinished = folder / f".{final.name}"
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (unfinished / _PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        unfinished.rename(final)
        for old in _complete(folder)[:-KEPT]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def restore(accelerator: Accelerator, folder: Path) -> Progress:
    """Load the newest checkpoint in `folder` into what `accelerator` prepared; return step 0 if there is none.

    Raises:
        TrainingError: The checkpoint does not fit these settings.
    """
    found = _complete(folder)
    if not found:
        return Progress()
    try:
        accelerator.load_state(str(found[-1]))
        return Progress(**json.loads((found[-1] / _PROGRESS).read_text(encoding="utf-8")))
    except (RuntimeError, TypeError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"checkpoint {found[-1]} does not fit: {reason}; resume with the run's own settings."
        ) from error


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if (path / _PROGRESS).exists())


def keep_selected(run: RunFolder, detector: Detector, aligner: Aligner | None, step: int) -> None:
    """Write the weights selected so far: the (averaged) detector's, and the aligner's (not averaged).

    They are small and stay when checkpoints are pruned.
    """
    _write(run.selected, detector.state_dict(), step)
    if aligner is not None and (state := aligner.state_dict()):
        _write(run.selected_aligner, state, step)


def load_selected(run: RunFolder, detector: Detector) -> None:
    """Load the weights that the run ships into its detector."""
    detector.load_state_dict(safetensors.torch.load_file(run.selected))


def _write(path: Path, state: Mapping[str, Tensor], step: int) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, safetensors.torch.save(tensors, metadata={STEP: str(step)}))
