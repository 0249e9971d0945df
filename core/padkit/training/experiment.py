"""The experiment: what the parts of a training run share, and how its detector is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray
from torch.utils.data import DataLoader, default_collate

from padkit.alignment.fresh import fresh_domain_accuracy
from padkit.data.augmentation import Augmentation
from padkit.data.batches import Augmented, BalancedBatches, Frames, Sample, to_images
from padkit.data.jitter import Jitter
from padkit.data.pairs import Kind, PairedBatches, training_batches
from padkit.data.preparation.prepare import FrameTable
from padkit.data.protocols.protocol import Protocol
from padkit.data.reader import DatasetReader
from padkit.data.simulation import simulated_note
from padkit.evaluation.metrics import log_loss, separation
from padkit.evaluation.probe import domain_probe
from padkit.evaluation.scores import Scores
from padkit.evaluation.thresholds import DEV_EER
from padkit.networks.detector import Detector
from padkit.roles import Aligner, Batch
from padkit.runs.folder import RunFolder
from padkit.training.agreement import machines
from padkit.training.loader import KEPT, training_loader
from padkit.training.scoring import FrameScores, score_frames
from padkit.training.start import loader_workers

FRESH_FRAMES = (200, 60)  # frames of each domain that a fresh domain classifier learns from, and is asked about


class FinalScores(NamedTuple):
    """Scores of the target, of held-out source, and of the target's own dev split (None if no policy needs it)."""

    target: Scores
    source_dev: Scores
    target_dev: Scores | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One run: its launcher, data and folder.

    Attributes:
        accelerator: Device, precision and processes.
        reader: The dataset.
        table: Its prepared frames.
        protocol: Their division.
        run: The run folder.
        batch_size: Frames per optimiser step.
        workers: Loader processes, None to choose by device.
        seed: The run's seed.
    """

    accelerator: Accelerator
    reader: DatasetReader
    table: FrameTable
    protocol: Protocol
    run: RunFolder
    batch_size: int
    workers: int | None
    seed: int

    def tell(self) -> None:
        """Print a summary of the run before it starts, once."""
        note = simulated_note(self.reader.simulated, self.reader.real_faces)
        parts = ", ".join(f"{part} {len(rows)}" for part, rows in self.protocol.parts().items())
        title = f"{self.protocol.name}{note}, convention {self.protocol.convention}"
        self.accelerator.print(f"{title}; frames: {parts}; run folder {self.run.path}")
        for line in self.protocol.lines(self.table):
            self.accelerator.print(line)
        for warning in self.protocol.warnings:
            self.accelerator.print(f"warning: {warning}")

    def frames(self, rows: NDArray[np.int64]) -> Frames:
        """Return rows of the table as a dataset."""
        return Frames(self.table, rows, self.protocol.domain_index)

    def training_frames(self) -> Frames:
        """Return the frames to train on; without loader processes, up to `KEPT` bytes of them are decoded once."""
        keep = 0 if self.loader_workers() else KEPT
        return Frames(self.table, self.protocol.train, self.protocol.domain_index, keep)

    def loader_workers(self) -> int:
        """Return the number of loader processes."""
        return loader_workers(self.workers, self.accelerator)

    def training(
        self, kind: Kind, augmentation: Augmentation | None, jitter: Jitter | None, *, parts: int,
        by_machine: bool = False,
    ) -> tuple[DataLoader[Sample], BalancedBatches]:  # fmt: skip
        """Return the loader of the training batches and its sampler; print how many frames are in pairs.

        The loader's processes stay from epoch to epoch and load ahead.

        Args:
            kind: `balanced` or `pairs`.
            augmentation: Varies the frames, or None.
            jitter: Cuts them anew, or None.
            parts: Micro-batches per optimiser step.
            by_machine: Share the frames among the machines, so that each reads only its part.
        """
        frames, varied = self.training_frames(), augmentation is not None or jitter is not None
        batches = training_batches(
            kind, frames, batch_size=self.batch_size, parts=parts, seed=self.seed, numbered=varied,
            machines=machines(self.accelerator) if by_machine else 1,
        )  # fmt: skip
        if isinstance(batches, PairedBatches):
            self.accelerator.print(batches.line)
        samples = Augmented(frames, augmentation, self.seed, jitter) if varied else frames
        return training_loader(samples, batches, self.loader_workers(), self.accelerator.device), batches

    def presentations(self, detector: Detector, rows: NDArray[np.int64]) -> Scores:
        """Return `detector`'s scores of the presentations behind `rows`, without augmentation or attack."""
        return self.frame_scores(detector, rows).presentations(self.table)

    def scores(self, detector: Detector, policies: Sequence[str]) -> FinalScores:
        """Return the scores to assess `detector` by; those of the target's dev split only if a policy needs them."""
        protocol = self.protocol
        target, source_dev = (self.presentations(detector, rows) for rows in (protocol.test, protocol.dev))
        target_dev = None
        if DEV_EER in policies:
            target_dev = source_dev if protocol.official_dev else self.presentations(detector, protocol.target_dev)
        return FinalScores(target, source_dev, target_dev)

    def source_dev(self, detector: Detector, aligner: Aligner | None, *, evidence: bool = True) -> dict[str, float]:
        """Return the figures of `detector` on held-out source presentations.

        `loss` (`padkit.evaluation.metrics.log_loss`), `auc` and `eer` of the detector. With `evidence`, which takes
        much longer, also the aligner's own; and `domain_probe`, how well a fresh linear model names the domain from
        the student's features (chance is 1 / number of domains).
        """
        # The dev split of an official protocol may hold domains that none of its training frames has.
        known = bool((self.protocol.domain_index[self.protocol.dev] >= 0).all())
        scored = self.frame_scores(detector, self.protocol.dev, aligner if known and evidence else None)
        scores = scored.presentations(self.table)
        found = separation(scores.label, scores.score, scores.pai_species)
        figures = {"loss": log_loss(scores.label, scores.score), "auc": found.auc, "eer": found.eer}
        if not evidence:
            return figures
        groups = self.table.column("presentation")[scored.rows]
        probe = domain_probe(scored.embeddings, scored.domains, groups, self.seed)
        return {**figures, **scored.evidence} | ({} if probe is None else {"domain_probe": probe})

    def fresh_domain(self, aligner: Aligner | None, steps: int) -> dict[str, float]:
        """Return what a fresh domain classifier makes of images as the aligner perturbs them, and of clean ones.

        It learns from training frames for `steps` steps and is asked about held-out source frames, at most
        `FRESH_FRAMES` of each domain, by the main process alone. Empty in the others, where the aligner perturbs
        nothing, and where the held-out frames are not of the training domains. See `padkit.alignment.fresh`.
        """
        known = self.protocol.domain_index[self.protocol.dev] >= 0
        if aligner is None or not steps or not self.accelerator.is_main_process or not known.all():
            return {}
        parts = zip((self.protocol.train, self.protocol.dev), FRESH_FRAMES, strict=True)
        train, held_out = (self._batch(rows, number) for rows, number in parts)
        return fresh_domain_accuracy(train, held_out, aligner.perturb, steps=steps, batch_size=32, seed=self.seed)

    def _batch(self, rows: NDArray[np.int64], number: int) -> Batch:
        """Return at most `number` of `rows` of each domain, at random, as one batch on the device."""
        rows = np.random.default_rng(self.seed).permutation(rows)
        domains = self.protocol.domain_index[rows]
        rows = np.concatenate([rows[domains == domain][:number] for domain in np.unique(domains)])
        frames = self.frames(rows)
        samples = default_collate([frames[place] for place in range(len(rows))])
        images, labels, domain = (samples[name].to(self.accelerator.device) for name in ("image", "label", "domain"))
        return Batch(to_images(images), labels, domain)

    def frame_scores(self, detector: Detector, rows: NDArray[np.int64], aligner: Aligner | None = None) -> FrameScores:
        """Return what `detector` computes for the frames of `rows`, and what `aligner` tells of them."""
        size, workers = 2 * self.batch_size, self.loader_workers()
        return score_frames(
            detector, self.frames(rows), self.accelerator, batch_size=size, workers=workers, aligner=aligner
        )
