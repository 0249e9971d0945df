"""Bona fide faces with identity and attributes, used to pretrain teachers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import BONA_FIDE
from padkit.errors import DataError


class Portrait(NamedTuple):
    """One face; the default collate function stacks these into a batch.

    Attributes:
        image: uint8 RGB [3, H, W].
        identity: Index into `Portraits.identities`.
        attributes: float [A], 1 where the attribute holds.
    """

    image: Tensor
    identity: int
    attributes: Tensor


class Portraits(Dataset[Portrait]):
    """Rows of a table, decoded on access.

    Attributes:
        identities: Names of the identities among the rows, sorted.
        labels: [n] int64, identity of each row.
        attributes: [n, A] float32, 1 where the attribute holds.
    """

    def __init__(self, table: FrameTable, rows: NDArray[np.int64], attributes: tuple[str, ...] = ()) -> None:
        """Show `rows` of `table` with the named attributes."""
        self.table, self.rows = table, np.asarray(rows, np.int64)
        subjects = table.column("subject")[self.rows].astype(str)
        self.identities, self.labels = np.unique(subjects, return_inverse=True)
        held = [set(names) for names in table.column("attributes")[self.rows]]
        self.attributes = torch.tensor([[float(name in names) for name in attributes] for names in held])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Portrait:
        image = torch.from_numpy(self.table.image(int(self.rows[index])))
        return Portrait(image, int(self.labels[index]), self.attributes[index])


def hold_out_people(table: FrameTable, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bona fide rows to train on and the unseen ones: the dataset's test split, or a random draw by seed.

    The draw takes whole subjects if they are known, otherwise single presentations. Attacks are left out: they show a
    face through a medium, and teachers must not be trained for PAD.

    Args:
        table: The dataset.
        share: Share of the subjects or presentations to keep unseen, if there is no test split.
        seed: Draws them.

    Raises:
        DataError: One of the two sets would be empty, or a subject is in both.
    """
    name, subjects = table.preparation["dataset"], table.column("subject").astype(str)
    usable = table.column("label") == BONA_FIDE
    unseen = table.column("split") == "test"
    if not unseen[usable].any():
        units = np.where(subjects != "", subjects, table.column("presentation").astype(str))
        names = np.random.default_rng(seed).permutation(np.unique(units[usable]))
        unseen = np.isin(units, names[: max(1, round(share * len(names)))])
    train, test = np.flatnonzero(usable & ~unseen), np.flatnonzero(usable & unseen)
    if not len(train) or not len(test):
        raise DataError(f"{name}: {len(train)} bona fide images to train on and {len(test)} to test with; give more.")
    if both := sorted(set(subjects[train]) & set(subjects[test]) - {""}):
        raise DataError(f"{name}: subjects in both train and test: {', '.join(both[:5])}; mend the splits.")
    return train, test
