"""Batches in which an attack stands beside the bona fide capture of the same person in the same session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from padkit.data.batches import BalancedBatches, Frames, Walk
from padkit.data.presentation import ATTACK, BONA_FIDE, CONTENT_CAPTURE
from padkit.data.table.frames import FrameTable
from padkit.errors import DataError, SettingsError

Kind = Literal["balanced", "pairs"]
# Columns that are equal within a pair; frames without a subject or a session have no partner. Pictures that show no
# face have no subject: the session of their capture suffices.
SAME, KNOWN = ("dataset", "domain", "device", "subject", "session"), ("subject", "session")
ALONE = -1


class PairedBatches(BalancedBatches):
    """`BalancedBatches` in which an attack's neighbour is its partner, if it has one.

    Attacks are drawn as in `BalancedBatches`. The bona fide frame after an attack is one of its pair, each in turn as
    the attack comes again. Bona fide frames that have no partner keep their share of their domain's bona fide draws:
    they stand beside an attack of others, and no frame is left out.

    Attributes:
        paired: How many attack frames have a partner.
        alone: How many bona fide frames have none.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        domains: NDArray[np.int64],
        pairs: NDArray[np.int64],
        *,
        batch_size: int,
        parts: int = 1,
        seed: int = 0,
        numbered: bool = False,
    ) -> None:
        """Prepare the cells.

        Args:
            labels: [n], class of each frame of the sampled dataset.
            domains: [n], source index of each frame.
            pairs: [n], number of each frame's pair (`pair_numbers`), `ALONE` for none.
            batch_size: As in `BalancedBatches`; `batch_size / parts` must be even.
            parts: As in `BalancedBatches`.
            seed: As in `BalancedBatches`.
            numbered: As in `BalancedBatches`.

        Raises:
            DataError: No frame has a partner, a domain has one class only, or there are no frames.
            SettingsError: A micro-batch is odd, or as in `BalancedBatches`.
        """
        super().__init__(labels, domains, batch_size=batch_size, parts=parts, seed=seed, numbered=numbered)
        if self.batch_size % 2:
            raise SettingsError(f"--batches pairs needs even batches: {self.batch_size} frames would part a pair.")
        live, attacks = np.flatnonzero(labels == BONA_FIDE), np.flatnonzero(labels == ATTACK)
        common = np.setdiff1d(np.intersect1d(pairs[live], pairs[attacks]), [ALONE])
        has = np.isin(pairs, common)
        self.paired, self.alone = int(has[attacks].sum()), int((~has[live]).sum())
        if not self.paired:
            raise DataError(
                f"--batches pairs: none of {len(attacks)} attack frames has a bona fide frame of the same "
                "domain, subject, session and device; leave it out, or train on data with pairs (--data photographs)."
            )
        self._check_classes()
        order = live[has[live]][np.argsort(pairs[live[has[live]]], kind="stable")]
        self._numbers, self._partners = pairs, order
        self._places = {int(code): tuple(np.searchsorted(pairs[order], (code, code + 1))) for code in common}
        self._lone = [members[~has[members]] for members in self._members]

    @property
    def line(self) -> str:
        """Say how many frames are in pairs."""
        total = sum(len(members) for (_, label), members in self._cells() if label == ATTACK)
        return (
            f"pairs: {self.paired} of {total} attack frames stand beside a bona fide frame of their pair; "
            f"{self.alone} bona fide frames have no attack of theirs"
        )

    def _choosers(self) -> list[Callable[[int], int]]:
        (plain,) = super()._choosers()
        lone = [Walk(members, self.seed, cell + len(self.cells)) for cell, members in enumerate(self._lone)]

        def choose(draw: int) -> int:
            turn, cell = divmod(draw, len(self.cells))
            if self.cells[cell][1] == ATTACK:
                return plain(draw)
            count, every = len(self._lone[cell]), len(self._members[cell])
            before, after = turn * count // every, (turn + 1) * count // every
            if after > before:
                return lone[cell][before]
            code = int(self._numbers[plain(draw - 1)])
            if code not in self._places:
                return plain(draw)
            start, stop = self._places[code]
            again = turn // len(self._members[cell - 1])
            return int(self._partners[start + again % (stop - start)])

        return [choose]

    def _cells(self) -> list[tuple[tuple[int, int], NDArray[np.int64]]]:
        return list(zip(self.cells, self._members, strict=True))

    def _check_classes(self) -> None:
        """Refuse a domain with one class: the cells then alternate between attack and bona fide."""
        for (domain, label), _ in self._cells():
            if (domain, BONA_FIDE + ATTACK - label) not in self.cells:
                kind = "bona fide" if label == BONA_FIDE else "attack"
                raise DataError(
                    f"--batches pairs: source domain number {domain + 1} has {kind} frames only; leave it out."
                )


def pair_numbers(table: FrameTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for the pair of each row, [n]; `ALONE` where its subject or session is not known."""
    numbers = np.zeros(len(rows), np.int64)
    known = np.ones(len(rows), bool)
    content = table.coded("session").where(lambda name: name.startswith(CONTENT_CAPTURE))[rows]
    for name in SAME:
        coded = table.coded(name)
        codes = np.asarray(coded.codes, np.int64)[rows]
        if name in KNOWN:
            known &= (codes != coded.code("")) | content
        # Numbered anew after each column, so that products stay small.
        numbers = np.unique(numbers * len(coded.dictionary) + codes, return_inverse=True)[1].reshape(-1)
    return np.where(known, numbers, ALONE).astype(np.int64)


def training_batches(
    kind: Kind, frames: Frames, *, batch_size: int, parts: int, seed: int, numbered: bool, machines: int = 1
) -> BalancedBatches:
    """Return the batch sampler `balanced` or `pairs` of the frames; errors as in the two classes."""
    if kind == "balanced":
        return BalancedBatches(
            frames.labels, frames.domains, batch_size=batch_size, parts=parts, seed=seed, numbered=numbered,
            machines=machines,
        )  # fmt: skip
    if machines > 1:
        raise SettingsError("--batches pairs and --split_by_machine cannot be combined: a pair would be parted.")
    numbers = pair_numbers(frames.table, frames.rows)
    return PairedBatches(
        frames.labels, frames.domains, numbers, batch_size=batch_size, parts=parts, seed=seed, numbered=numbered
    )
