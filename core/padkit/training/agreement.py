"""What several processes must agree on: who prepares the data, and the buffers that no gradient brings together."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

from padkit.data.preparation.prepare import cache_folder
from padkit.errors import TrainingError
from padkit.files import try_lock
from padkit.training.sharding import whole

POLL = 0.2  # seconds between two looks at whether the main process has prepared the data


@contextmanager
def main_process_prepares(accelerator: Accelerator) -> Iterator[None]:
    """Let one process of each machine do a long work first; the others of the machine wait, then do it again.

    They wait for a file, not in a collective call, which would end in a time-out or keep a core busy for hours.
    Machines that share the cache folder take turns, so the work is done once for all. Every process calls this.

    Raises:
        TrainingError: The launcher of a waiting process has ended.
    """
    if accelerator.num_processes == 1:
        yield
        return
    names = [uuid.uuid4().hex]
    broadcast_object_list(names)
    done = Path(tempfile.gettempdir()) / f"padkit-prepared-{names[0]}"
    if not accelerator.is_local_main_process:
        wait_for(done)
        yield
        return
    atexit.register(done.unlink, missing_ok=True)
    try:
        with _turn(cache_folder() / f".turn-{names[0]}") if machines(accelerator) > 1 else nullcontext():
            yield
    finally:  # after an error as well: the others then meet it themselves
        done.touch()


def machines(accelerator: Accelerator) -> int:
    """Return the number of machines that the processes are on, the same number on each."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
    return max(int(accelerator.num_processes) // here, 1)


def wait_for(marker: Path) -> None:
    """Sleep until `marker` exists.

    Raises:
        TrainingError: The process that started this one has ended.
    """
    parent = os.getppid()
    while not marker.exists():
        if os.getppid() != parent:
            raise TrainingError("the launcher ended while its main process prepared the data; start the run again.")
        time.sleep(POLL)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    atexit.register(path.unlink, missing_ok=True)
    with path.open("w") as lock:
        try_lock(lock, wait=True)
        yield


@torch.no_grad()
def agree_on_buffers(objective: nn.Module, accelerator: Accelerator) -> None:
    """Give all processes the same buffers, in two messages; parameters are equal already.

    Each process has normalised its own share of the batch. Running means and variances become their mean over the
    processes; other floating-point buffers become those of the main process, as DistributedDataParallel has them.
    """
    if accelerator.num_processes == 1:
        return
    statistics = running_statistics(objective)
    taken = {id(buffer) for buffer in statistics}
    others = [one for one in objective.buffers() if one.is_floating_point() and id(one) not in taken]
    for buffers, shared in ((statistics, _mean), (others, broadcast)):
        if buffers:
            flat = torch.cat([buffer.flatten().double() for buffer in buffers])
            parts = shared(flat).split([buffer.numel() for buffer in buffers])
            for buffer, part in zip(buffers, parts, strict=True):
                buffer.copy_(part.view_as(buffer))


def _mean(values: Tensor) -> Tensor:
    torch.distributed.all_reduce(values)
    return values / torch.distributed.get_world_size()


def running_statistics(module: nn.Module) -> list[Tensor]:
    """Return the running means and variances of all batch normalisations in `module`."""
    found = ((part.running_mean, part.running_var) for part in module.modules() if isinstance(part, _BatchNorm))
    return [buffer for pair in found for buffer in pair if buffer is not None]


def follow(average: AveragedModel, objective: nn.Module, detector: nn.Module, accelerator: Accelerator) -> None:
    """Take an optimiser step into the average, once all processes agree.

    A step that was skipped, because a gradient overflowed in float16, moves no average, as it moves no schedule.
    """
    agree_on_buffers(objective, accelerator)
    if not accelerator.optimizer_step_was_skipped:
        with whole(objective):
            average.update_parameters(detector)
