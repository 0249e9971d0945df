"""A continued run goes through the batches of its own epochs, whatever Accelerate has counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from accelerate import Accelerator
from torch.utils.data import DataLoader
from toy_run import reset_accelerate

from padkit.data.batches import BalancedBatches
from padkit.training.loop import batches_from


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    reset_accelerate()
    yield Accelerator(cpu=True)
    reset_accelerate()


def test_a_process_that_begins_in_a_later_epoch_sees_that_epoch(accelerator: Accelerator) -> None:
    labels, domains = np.arange(24) % 2, np.zeros(24, np.int64)

    def epochs(first: int, done: int) -> list[list[int]]:
        batches = BalancedBatches(labels, domains, batch_size=8)
        loader = accelerator.prepare_data_loader(DataLoader(range(24), batch_sampler=batches))
        found = []
        for epoch in range(first, 4):
            batches.set_epoch(epoch)
            found += [batch.tolist() for batch in batches_from(loader, done, epoch)]
            done = 0
        return found

    whole = epochs(0, 0)
    assert len(whole) == 12
    for first, done in ((1, 0), (1, 2), (3, 1)):
        assert epochs(first, done) == whole[3 * first + done :]
