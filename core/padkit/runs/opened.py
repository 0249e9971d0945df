"""Opens finished runs: the detector, the data, and the aligner of the step at which the detector was selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from padkit.catalog import Catalog
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.reader import DatasetReader
from padkit.deploy.stored import load_bundle
from padkit.errors import DataError, PluginError, WeightsError
from padkit.evaluation.scores import Scores
from padkit.networks.detector import Detector, label_loss
from padkit.roles import Aligner, Batch
from padkit.runs.finished import FinishedRun
from padkit.runs.folder import read_step
from padkit.weights import load_matched, read_weights

Rows = NDArray[np.int64]
BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run with its model and the frames that it was tested on.

    Attributes:
        run: The run.
        detector: Its shipped detector, in evaluation mode on the CPU.
        table: The prepared frames.
        test: Rows of the target's frames [n].
        dev: Rows of the held-out source frames [m]; empty if the run has none.
    """

    run: FinishedRun
    detector: Detector
    table: FrameTable
    test: Rows
    dev: Rows

    def images(self, rows: Sequence[int] | Rows) -> Tensor:
        """Return clean frames float32 [n, 3, H, W], RGB in [0, 1]."""
        return torch.stack([torch.from_numpy(self.table.image(int(row))).float() / 255 for row in rows])

    def domains(self, rows: Rows) -> NDArray[np.int64]:
        """Return the source index of each frame [n], -1 for other domains."""
        index = {name: number for number, name in enumerate(self.run.results.protocol.sources)}
        return np.array([index.get(str(name), -1) for name in self.table.column("domain")[rows]], dtype=np.int64)

    @torch.no_grad()
    def score(self, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the student's embeddings [n, D] and P(bona fide) [n] of clean frames."""
        embeddings, scores = [], []
        for start in range(0, len(rows), BATCH):
            features, found = self.detector.judge(self.images(rows[start : start + BATCH]))
            scores.append(found)
            embeddings.append(features.embedding.float())
        return torch.cat(embeddings).numpy(), torch.cat(scores).numpy()

    def batch(self, rows: Rows) -> Batch:
        """Return labelled clean source frames as an aligner takes them."""
        labels = torch.from_numpy(self.table.column("label")[rows].astype(np.int64))
        own_loss = partial(label_loss, self.detector)
        return Batch(self.images(rows), labels, torch.from_numpy(self.domains(rows)), own_loss)


class Opener:
    """Opens runs; data that several runs share are opened once."""

    def __init__(self, catalog: Catalog, *, shown: bool = False) -> None:
        self.catalog = catalog
        self.shown = shown
        self._tables: dict[str, FrameTable] = {}

    def open(self, run: FinishedRun) -> OpenRun:
        """Open a run's model and data; if the prepared table is gone, it is prepared again.

        Raises:
            DataError: The data are gone, or are not those that the run was tested on.
            WeightsError: The model is gone or damaged.
            PluginError: A plugin that the run used is not installed.
        """
        detector, _ = load_bundle(run.folder.model, self.catalog)
        table = self.table(run)
        dev = np.empty(0, dtype=np.int64) if run.source_dev is None else frames_of(table, run.source_dev, run)
        return OpenRun(run=run, detector=detector, table=table, test=frames_of(table, run.target, run), dev=dev)

    def table(self, run: FinishedRun) -> FrameTable:
        """Return the prepared frames of a run's dataset; for errors see `open`."""
        name, settings = _component(run, "data")
        key = repr((name, settings))
        if key not in self._tables:
            self._tables[key] = prepare(self.reader(run), dataset_name=name, progress=self.shown)
        return self._tables[key]

    def reader(self, run: FinishedRun) -> DatasetReader:
        """Return the reader of a run's dataset; for errors see `open`."""
        name, settings = _component(run, "data")
        reader: DatasetReader = _built(run, "data", lambda: self.catalog.build("dataset", name, settings))
        return reader

    def aligner(self, opened: OpenRun) -> tuple[Aligner, int | None]:
        """Return a run's aligner in evaluation mode, and the step whose weights it has.

        The weights are from the step at which the shipped detector was selected. Unlike the detector's, they are not
        averaged over steps.

        Raises:
            WeightsError: The run has no aligner, or did not keep its weights.
        """
        run = opened.run
        name, settings = _component(run, "aligner")
        if not name:
            raise WeightsError(f"{run.path}: the run had no aligner, there is nothing to show; give a run with one.")
        domains, width = len(run.results.protocol.sources), opened.detector.student.embedding_dim
        aligner: Aligner = _built(run, "aligner", lambda: self.catalog.build("aligner", name, settings, domains, width))
        path = run.folder.selected_aligner
        if aligner.state_dict():
            if not path.exists():
                raise WeightsError(
                    f"{path}: is missing, so aligner {name} cannot be shown; train again with this padkit."
                )
            load_matched(aligner, read_weights(path), path)
        return aligner.eval(), read_step(path)


def frames_of(table: FrameTable, scores: Scores, run: FinishedRun) -> Rows:
    """Return the rows of a table that belong to the presentations in `scores`.

    Raises:
        DataError: Some of the presentations are not in the table.
    """
    wanted = set(zip(scores.dataset.tolist(), scores.presentation.tolist(), strict=True))
    keys = list(zip(table.column("dataset").tolist(), table.column("presentation").tolist(), strict=True))
    if missing := wanted - set(keys):
        example = min(missing)[1]
        cause = f"{len(missing)} of {len(wanted)} presentations it was judged on are not in its data, {example!r} say"
        raise DataError(f"{run.path}: {cause}; restore the data it was run on.")
    return np.array([row for row, key in enumerate(keys) if key in wanted], dtype=np.int64)


def _component(run: FinishedRun, slot: str) -> tuple[str, Mapping[str, Any]]:
    """Return name and settings of the component in a slot; the name is "" if the slot is empty."""
    value = run.settings.get(slot)
    if not isinstance(value, Mapping):
        return ("" if value in (None, "none") else str(value)), {}
    return str(value["name"]), {key: each for key, each in value.items() if key != "name"}


def _built(run: FinishedRun, slot: str, build: Any) -> Any:
    try:
        return build()
    except (TypeError, ValueError) as error:
        cause = f"{run.path}: its {slot} does not take the settings recorded ({error})"
        raise PluginError(f"{cause}; install the version of the plugin that ran it.") from error
