"""The weights that a run ships, and the aligner's of the same step: small, kept when checkpoints are pruned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from padkit.files import STEP, write_atomically
from padkit.networks.detector import Detector
from padkit.roles import Aligner
from padkit.runs.folder import RunFolder


def keep_selected(run: RunFolder, detector: Detector, aligner: Aligner | None, step: int) -> None:
    """Write the weights selected so far: the (averaged) detector's, and the aligner's as training had them then."""
    _write(run.selected, detector.state_dict(), step)
    if aligner is not None and (state := aligner.state_dict()):
        _write(run.selected_aligner, state, step)


def _write(path: Path, state: Mapping[str, Tensor], step: int) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, safetensors.torch.save(tensors, metadata={STEP: str(step)}))
