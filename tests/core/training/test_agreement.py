"""Two processes and one agree: on losses, weights, scores and what is saved; and who waits for whom."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import agreeing
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from agreeing import Found
from torch import nn
from toy_run import reset_accelerate

from padkit.errors import TrainingError
from padkit.training import agreement
from padkit.training.agreement import follow, main_process_prepares, running_statistics, wait_for
from padkit.training.optimisation import averaged, clip, make_optimizer, warm_up_cosine


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found]:
    """What one process and two computed of the same runs; each also went back to a checkpoint, and came out alike."""
    folder = tmp_path_factory.mktemp("agreeing")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, str(agreeing.__file__), str(folder / "two.pt")]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment) as two:
        reset_accelerate()
        one = agreeing.compute(folder / "one")
        reset_accelerate()
        try:
            _, told = two.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            two.kill()
            raise
    assert two.returncode == 0, told[-3000:]
    return one, torch.load(folder / "two.pt", weights_only=False)


def test_every_process_judges_the_same_weights(both: tuple[Found, Found]) -> None:
    """Average and running statistics, although each normalises its own half of the batch."""
    for case in both[1].values():
        first, second = case["everyone"]
        np.testing.assert_array_equal(first, second)


def test_two_processes_give_the_losses_of_one(both: tuple[Found, Found]) -> None:
    """The same whole batch, with frozen statistics of batch normalisations."""
    for case in ("frozen", "accumulated"):
        np.testing.assert_allclose(both[1][case]["losses"], both[0][case]["losses"], rtol=0, atol=1e-4)


def test_two_micro_batches_are_one_batch(both: tuple[Found, Found]) -> None:
    """2 x 16 accumulated and 1 x 32, in one process and in two."""
    for found in both:
        np.testing.assert_allclose(found["accumulated"]["losses"], found["frozen"]["losses"], rtol=0, atol=1e-4)


def test_two_processes_score_like_one(both: tuple[Found, Found]) -> None:
    """The same weights, in batches that two processes do not divide evenly."""
    one, two = (found["frozen"]["fixed"] for found in both)
    assert len(one) == agreeing.FRAMES
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-6)


def test_shared_out_weights_train_like_whole_ones(both: tuple[Found, Found]) -> None:
    """FSDP2, with a teacher that is shared out too; each process holds half of the parameters."""
    sharded, plain = both[1]["sharded"], both[1]["plain"]
    np.testing.assert_allclose(sharded["losses"], plain["losses"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(sharded["scores"], plain["scores"], rtol=0, atol=2e-2)
    assert sharded["teacher"] == "DTensor"
    assert sharded["held"] < 0.6 * plain["held"]


def test_compiled_networks_of_shared_out_weights_train_alike(both: tuple[Found, Found]) -> None:
    """What a compiler makes of them is another matter."""
    sharded, compiled = both[1]["sharded"], both[1]["compiled"]
    assert compiled["compiled"] == 4, "the student, and the blocks in which its teacher is shared out"
    np.testing.assert_allclose(compiled["losses"], sharded["losses"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(compiled["scores"], sharded["scores"], rtol=0, atol=1e-4)


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    reset_accelerate()
    yield Accelerator(cpu=True)
    reset_accelerate()


def test_a_step_that_overflows_moves_neither_schedule_nor_average(accelerator: Accelerator) -> None:
    """float16: the scaler leaves out the step and halves its scale; afterwards all goes on."""
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    layer = nn.Linear(2, 1)
    average = averaged(layer, 0.5)  # type: ignore[arg-type]
    optimizer = make_optimizer("sgd", layer.parameters(), 0.1, 0.0, scaled=accelerator.scaler is not None)
    model, optimizer, schedule = accelerator.prepare(layer, optimizer, warm_up_cosine(optimizer, 8, 0.5))

    def step(factor: float) -> tuple[float, int, torch.Tensor]:
        accelerator.backward((model(torch.ones(1, 2)) * factor).sum())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        follow(average, layer, layer, accelerator)
        return schedule.get_last_lr()[0], int(average.n_averaged), layer.weight.detach().clone()

    rate, updates, weight = step(1.0)
    assert updates == 1
    skipped = step(float("inf"))
    assert skipped[:2] == (rate, 1)
    torch.testing.assert_close(skipped[2], weight)
    assert accelerator.scaler.get_scale() == 2.0
    further = step(1.0)
    assert further[0] > rate
    assert further[1] == 2
    assert not torch.equal(further[2], weight)


@pytest.mark.parametrize(("norm", "length"), [(None, 5.0), (10.0, 5.0), (1.0, 1.0)])
def test_a_gradient_is_shortened_to_its_bound(accelerator: Accelerator, norm: float | None, length: float) -> None:
    layer = nn.Linear(2, 1, bias=False)
    model, _ = accelerator.prepare(layer, torch.optim.SGD(layer.parameters()))
    accelerator.backward(model(torch.tensor([[3.0, 4.0]])).sum())
    clip(accelerator, model, norm)
    assert layer.weight.grad is not None
    assert layer.weight.grad.norm().item() == pytest.approx(length, rel=1e-4)


def test_running_statistics_are_those_of_batch_normalisations() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm1d(2), nn.LayerNorm(2)))
    assert [len(one) for one in running_statistics(module)] == [3, 3, 2, 2]


def launched(local_rank: int) -> Any:
    return SimpleNamespace(num_processes=2, is_local_main_process=local_rank == 0)


def test_the_others_wait_for_a_file_until_the_first_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "broadcast_object_list", lambda names: names.__setitem__(0, "x"))
    monkeypatch.setattr(agreement.tempfile, "gettempdir", lambda: str(tmp_path))
    order: list[str] = []

    def second() -> None:
        with main_process_prepares(launched(1)):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with contextlib.suppress(ValueError), main_process_prepares(launched(0)):
        time.sleep(2 * agreement.POLL)
        order.append("first")
        raise ValueError("no data")
    thread.join(timeout=5)
    assert order == ["first", "second"], "after an error too: the others then meet it themselves"


def test_nobody_waits_for_a_launcher_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([1, 1, 2])
    monkeypatch.setattr(agreement.os, "getppid", lambda: next(parents))
    with pytest.raises(TrainingError, match="launcher ended"):
        wait_for(tmp_path / "never")
