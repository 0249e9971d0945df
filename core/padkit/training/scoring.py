"""Computes scores, embeddings and evidence of many frames, over all processes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from padkit.data.batches import Frames, to_images
from padkit.data.preparation.prepare import FrameTable
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.networks.detector import Detector, label_loss
from padkit.roles import Aligner, Batch

FRAME_COLUMNS = (
    "presentation", "label", "dataset", "domain", "split", "subject", "attack_type", "species", "device",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrameScores:
    """What the detector computed for some frames.

    Attributes:
        rows: [n] rows in the table, ascending.
        scores: [n] P(bona fide) of each frame.
        embeddings: [n, D] of the student.
        domains: [n] source index of each frame, -1 for others.
        evidence: The aligner's figures, averaged over frames.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    domains: NDArray[np.int64]
    evidence: dict[str, float] = field(default_factory=dict)

    def presentations(self, table: FrameTable) -> Scores:
        """Return one score per presentation, the mean over its frames."""
        return presentation_scores({name: table.column(name)[self.rows] for name in FRAME_COLUMNS}, self.scores)


@torch.no_grad()
def score_frames(
    detector: Detector,
    frames: Frames,
    accelerator: Accelerator,
    *,
    batch_size: int,
    workers: int = 0,
    aligner: Aligner | None = None,
) -> FrameScores:
    """Score clean frames in evaluation mode; every process calls this and gets all results.

    Args:
        detector: The (averaged) detector, on the accelerator's device.
        frames: The frames to score.
        accelerator: Shares the frames among processes and gathers.
        batch_size: Frames per batch over all processes.
        workers: Loader processes.
        aligner: If given, its evidence on these frames is gathered too; all frames must belong to source domains.
    """
    loader: Any = accelerator.prepare_data_loader(DataLoader(frames, batch_size=batch_size, num_workers=workers))
    detector.eval()
    parts: dict[str, list[torch.Tensor]] = defaultdict(list)
    for sample in loader:
        images = to_images(sample["image"])
        # In float32 whatever training computes in: thresholds are chosen on scores that the shipped model gives.
        features, scores = detector.judge(images)
        batch = Batch(images, sample["label"], sample["domain"], partial(label_loss, detector))
        found = aligner.evidence(batch, features) if aligner else {}
        row = {"row": sample["index"], "domain": sample["domain"], "score": scores}
        row |= {"embedding": features.embedding.float()} | {f"evidence.{k}": v for k, v in found.items()}
        for name, value in accelerator.gather(row).items():
            parts[name].append(value.cpu())
    accelerator._dataloaders.remove(loader)  # where it would hold the frames' columns until the run ends
    # If the processes do not divide the last batch, it is filled up by repetition: keep each row once.
    columns = {name: torch.cat(values).numpy() for name, values in parts.items()}
    rows, first = np.unique(columns["row"], return_index=True)
    evidence = {n.partition(".")[2]: float(v[first].mean()) for n, v in columns.items() if n.startswith("evidence.")}
    return FrameScores(rows, columns["score"][first], columns["embedding"][first], columns["domain"][first], evidence)
