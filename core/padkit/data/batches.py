"""Makes batches of a table's rows in which every (domain, class) cell has the same share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from padkit.data.augmentation import Augmentation, draw_generator, vary_image
from padkit.data.jitter import Jitter
from padkit.data.preparation.prepare import FrameTable
from padkit.errors import DataError, SettingsError


class Sample(TypedDict):
    """One frame; the default collate function stacks these into a batch.

    Attributes:
        image: uint8 RGB [3, H, W].
        label: 1 = bona fide, 0 = attack.
        domain: Index of the source domain, -1 for others.
        index: Row in the table.
    """

    image: Tensor
    label: int
    domain: int
    index: int


class Frames(Dataset[Sample]):
    """The frames of one part of a protocol, decoded on access.

    Attributes:
        labels: [n] int64, label of each frame.
        domains: [n] int64, source index of each frame, -1 for other domains.
    """

    def __init__(
        self, table: FrameTable, rows: NDArray[np.int64], domain_index: NDArray[np.int64], keep: int = 0
    ) -> None:
        """Give access to `rows` of `table`; `domain_index` [N] is `Protocol.domain_index`.

        The first decoded pictures that fit into `keep` bytes stay in memory: decoding takes longer than all else that
        is done to a picture.
        """
        self.table = table
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._room = keep
        self.rows = np.asarray(rows, np.int64)
        self.labels: NDArray[np.int64] = table.column("label")[self.rows]
        self.domains: NDArray[np.int64] = np.asarray(domain_index, np.int64)[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index, self._decoded(index, self.table.image))

    def surroundings(self, index: int) -> NDArray[np.uint8]:
        """Return a frame with all that is stored around it, uint8 RGB [W, W, 3]; of one object, these or the frames."""
        return self._decoded(index, self.table.surroundings)

    def _decoded(self, index: int, read: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        row = int(self.rows[index])
        picture = self._kept.get(row)
        if picture is None:
            picture = read(row)
            if picture.nbytes <= self._room:
                self._room -= picture.nbytes
                self._kept[row] = picture
        return picture

    def sample(self, index: int, image: NDArray[np.uint8]) -> Sample:
        """Return a frame with another image, uint8 RGB [3, H, W]."""
        row = int(self.rows[index])
        return {
            "image": torch.from_numpy(image),
            "label": int(self.labels[index]),
            "domain": int(self.domains[index]),
            "index": row,
        }


class Draw(NamedTuple):
    """One drawing of a frame for training.

    Attributes:
        frame: The frame's index in the sampled dataset.
        number: Frames drawn before it since training began, over all processes.
    """

    frame: int
    number: int


class Augmented(Dataset[Sample]):
    """Training frames that are cut and varied one by one, differently at each draw.

    The result depends only on the run's seed and the number of the draw: it is the same after resuming, with
    accumulation, and in any loader process.
    """

    def __init__(
        self, frames: Frames, augmentation: Augmentation | None, seed: int, jitter: Jitter | None = None
    ) -> None:
        """Cut `frames` by `jitter`, then vary them; index them by `Draw` (`BalancedBatches(..., numbered=True)`)."""
        self.frames = frames
        self.augmentation = augmentation
        self.seed = seed
        self.jitter = jitter

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, draw: Draw) -> Sample:
        sample = self.frames[draw.frame] if self.jitter is None else self._moved(draw, self.jitter)
        if self.augmentation is None or not self.augmentation.varies_images:
            return sample
        image = sample["image"].permute(1, 2, 0).contiguous().numpy()
        varied, label = vary_image(self.augmentation, image, sample["label"], draw_generator(self.seed, draw.number))
        planes = np.array(varied.transpose(2, 0, 1), order="C")
        return {**sample, "image": torch.from_numpy(planes), "label": label}

    def _moved(self, draw: Draw, jitter: Jitter) -> Sample:
        size = int(self.frames.table.preparation["image_size"])
        crop = jitter.cut(self.frames.surroundings(draw.frame), size, self.seed, draw.number)
        return self.frames.sample(draw.frame, np.ascontiguousarray(crop.transpose(2, 0, 1)))


class BalancedBatches(Sampler[list[int] | list[Draw]]):
    """Batch sampler over (domain, label) cells; a pure function of seed and epoch.

    The draws of all epochs form one endless sequence: draw `q` takes cell `q mod C`, and a cell walks through a fresh
    permutation of its frames each time it is used up. So any contiguous slice (a batch, a micro-batch, one process's
    share) holds every cell `floor` or `ceil` of its share, remainders rotate over the cells, and no frame of a cell is
    seen again before all of them were.

    Attributes:
        batch_size: Size of a micro-batch, which `accelerate.data_loader.BatchSamplerShard` divides among processes.
        drop_last: True; every batch is full.
        cells: The (domain, label) pairs in the order they are drawn.
        steps: Optimiser steps per epoch: the training frames divided by the whole batch.
        parts: Micro-batches per optimiser step.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        domains: NDArray[np.int64],
        *,
        batch_size: int,
        parts: int = 1,
        seed: int = 0,
        numbered: bool = False,
        machines: int = 1,
    ) -> None:
        """Prepare the cells.

        Args:
            labels: [n], class of each frame of the sampled dataset.
            domains: [n], source index of each frame.
            batch_size: Frames per optimiser step, over all processes and micro-batches.
            parts: Micro-batches that an optimiser step is accumulated from; their union is the batch of `parts=1`.
            seed: Draws the permutations.
            numbered: Yield `Draw`s, for `Augmented` frames, instead of plain indices.
            machines: Share the frames of each cell among so many machines: each machine's slice of a batch is drawn, as
                above, from its own share, a contiguous part of each cell's rows. It reads no other part of the table.

        Raises:
            DataError: There are no frames.
            SettingsError: The batch, or a machine's slice of it, is smaller than the number of cells, or it is not a
                multiple of `parts` and `machines`.
        """
        if not len(labels):
            raise DataError("There are no training frames to make batches of.")
        if parts < 1 or batch_size < 1:
            raise SettingsError(f"Batch size {batch_size} and accumulation steps {parts} must be at least 1.")
        if batch_size % parts:
            raise SettingsError(f"Batch size {batch_size} must be a multiple of the accumulation steps ({parts}).")
        kinds = [np.unique(np.asarray(values, np.int64), return_inverse=True) for values in (domains, labels)]
        (domain_names, domain_of), (label_names, label_of) = ((names, codes.reshape(-1)) for names, codes in kinds)
        # One number per pair, in the pairs' order: sorting the pairs themselves takes ten times as long.
        numbers, cell_of = np.unique(domain_of * len(label_names) + label_of, return_inverse=True)
        places = (divmod(int(number), len(label_names)) for number in numbers)
        self.cells = [(int(domain_names[domain]), int(label_names[label])) for domain, label in places]
        if batch_size < len(self.cells):
            raise SettingsError(
                f"Batch size {batch_size} is smaller than the {len(self.cells)} (domain, class) cells it must balance; "
                f"raise it to at least {len(self.cells)}."
            )
        self._members = [np.flatnonzero(cell_of.reshape(-1) == cell) for cell in range(len(self.cells))]
        self._shares = _shares(self._members, machines, batch_size // parts)
        self._whole = batch_size
        self.parts = parts
        self.batch_size = batch_size // parts
        self.drop_last = True
        self.seed = seed
        self.numbered = numbered
        self.epoch = 0
        self.steps = max(len(labels) // batch_size, 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps * self.parts

    def __iter__(self) -> Iterator[list[int] | list[Draw]]:
        choosers = self._choosers()
        first = self.epoch * self.steps * self._whole
        for start in range(first, first + self.steps * self._whole, self.batch_size):
            draws = range(start, start + self.batch_size)
            mine = range(start // len(choosers), (start + self.batch_size) // len(choosers))
            indices = [choose(draw) for choose in choosers for draw in mine]
            yield list(map(Draw, indices, draws)) if self.numbered else indices

    def _choosers(self) -> list[Callable[[int], int]]:
        """Return what gives the frame of each draw, for each machine."""
        found: list[Callable[[int], int]] = []
        for machine, share in enumerate(self._shares):
            walks = [Walk(members, self.seed, cell + machine * len(share)) for cell, members in enumerate(share)]
            found.append(partial(_next, walks))
        return found


def _next(walks: Sequence[Walk], draw: int) -> int:
    """Return the frame of a draw: the cells take turns."""
    frame: int = walks[draw % len(walks)][draw // len(walks)]
    return frame


def _shares(members: list[NDArray[np.int64]], machines: int, batch_size: int) -> list[list[NDArray[np.int64]]]:
    """Return each machine's share of each cell's `members`."""
    if machines == 1:
        return [members]
    if batch_size % machines or batch_size // machines < len(members):
        raise SettingsError(
            f"A batch of {batch_size} does not give each of {machines} machines the {len(members)} (domain, class) "
            "cells it must balance; choose a larger multiple of the machines, or leave out --split_by_machine."
        )
    if (least := min(map(len, members))) < machines:
        raise SettingsError(
            f"A (domain, class) cell has {least} frames for {machines} machines; leave out --split_by_machine."
        )
    parts = [np.array_split(cell, machines) for cell in members]
    return [[cell[machine] for cell in parts] for machine in range(machines)]


class Walk:
    """The endless sequence of one cell's frames: permutation after permutation."""

    def __init__(self, members: NDArray[np.int64], seed: int, cell: int) -> None:
        self._members = members
        self._key = (seed, cell)
        self._round = -1
        self._order = members

    def __getitem__(self, position: int) -> int:
        turn, offset = divmod(position, len(self._members))
        if turn != self._round:
            generator = np.random.default_rng(np.random.SeedSequence([*self._key, turn]))
            self._round, self._order = turn, generator.permutation(self._members)
        return int(self._order[offset])


def to_images(pixels: torch.Tensor) -> torch.Tensor:
    """Turn uint8 [B, 3, H, W] into float32 in [0, 1] with channels last, the layout convolutions are fastest in."""
    return pixels.contiguous(memory_format=torch.channels_last).to(torch.float32).div_(255)
