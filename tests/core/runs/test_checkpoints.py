"""Checkpoints: a damaged one is named and passed over, whatever the damage, and what is shipped goes back with it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from toy_run import reset_accelerate

from padkit.errors import TrainingError
from padkit.runs import checkpoints


class Training:
    """A linear layer and its optimiser, one step at a time."""

    def __init__(self) -> None:
        reset_accelerate()
        self.accelerator = Accelerator(cpu=True)
        layer = torch.nn.Linear(2, 2)
        optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
        self.layer, self.optimizer = self.accelerator.prepare(layer, optimizer)

    def step(self, folder: Path, number: int) -> None:
        self.layer(torch.ones(1, 2)).sum().backward()
        self.optimizer.step()
        (folder / "selected.safetensors").write_bytes(b"weights of step %d" % number)
        checkpoints.save(self.accelerator, folder, checkpoints.Progress(number, number, [0.5]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Training, Path, dict[int, torch.Tensor]]]:
    folder, training, weights = tmp_path_factory.mktemp("run"), Training(), {}
    for number in (1, 2, 3):
        training.step(folder, number)
        weights[number] = training.layer.weight.detach().clone()
    yield training, folder, weights
    reset_accelerate()


@pytest.fixture
def run(trained: tuple[Training, Path, dict[int, torch.Tensor]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[1], tmp_path / "checkpoints"))


def names(folder: Path) -> list[str]:
    return [path.name for path in checkpoints.checkpoints(folder)]


def restored(trained: tuple[Training, Path, dict[int, torch.Tensor]], folder: Path) -> int:
    training, _, weights = trained
    with torch.no_grad():
        training.layer.weight.zero_()
    progress = checkpoints.restore(training.accelerator, folder)
    torch.testing.assert_close(training.layer.weight.detach(), weights[progress.step])
    assert (folder / "selected.safetensors").read_bytes() == b"weights of step %d" % progress.best_step
    return progress.step


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 1
    path.write_bytes(content)


def removed(path: Path) -> None:
    path.unlink()


def test_two_are_kept_and_the_newest_is_taken(trained, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names(run) == ["step-0000002", "step-0000003"]
    assert restored(trained, run) == 3
    assert "damaged" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", [emptied, cut, flipped, removed])
@pytest.mark.parametrize(
    "file", ["optimizer.bin", "model.safetensors", "progress.json", "files.json", "selected.safetensors"]
)
def test_a_damaged_one_is_named_and_the_one_before_it_taken(
    trained, run: Path, capsys: pytest.CaptureFixture[str], file: str, damage: Callable[[Path], None]
) -> None:
    damage(run / "step-0000003" / file)
    (run / "selected.safetensors").write_bytes(b"damaged too")
    assert restored(trained, run) == 2
    told = capsys.readouterr().out
    assert "step-0000003" in told
    assert "step-0000002" in told
    assert told.count("\n") == 1
    if file != "files.json":
        assert file in told


def test_none_whole_is_one_line(trained, run: Path) -> None:
    emptied(run / "step-0000003" / "optimizer.bin")
    shutil.rmtree(run / "step-0000002")
    (run / "step-0000002").mkdir()
    with pytest.raises(
        TrainingError, match=r"no checkpoint is whole: .*step-0000003 .optimizer.bin is empty"
    ) as caught:
        restored(trained, run)
    assert "step-0000002" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_any_training_starts_from_the_beginning(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoints.restore(trained[0].accelerator, tmp_path).step == 0
    assert "starts from the beginning" in capsys.readouterr().out


def test_what_was_passed_over_goes_with_the_next_checkpoint(trained, run: Path) -> None:
    """Otherwise the damaged one would stay the newest, and one whole one would be kept instead of two."""
    training = trained[0]
    emptied(run / "step-0000003" / "optimizer.bin")
    (run / "step-0000003").rename(run / "step-0000009")
    assert restored(trained, run) == 2
    checkpoints.save(training.accelerator, run, checkpoints.Progress(4))
    assert names(run) == ["step-0000002", "step-0000004"]


def test_a_whole_one_of_another_make_is_one_line(trained, run: Path) -> None:
    training = Training()
    training.accelerator.register_for_checkpointing(torch.nn.Linear(1, 1))
    with pytest.raises(TrainingError, match="does not fit"):
        checkpoints.restore(training.accelerator, run)


def test_every_random_state_and_the_scaler_go_back(trained, tmp_path: Path) -> None:
    training = Training()
    training.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    training.accelerator.scaler.scale(torch.ones(1))

    def drawn() -> list[float]:
        return [random.random(), float(np.random.rand()), float(torch.rand(1))]  # noqa: NPY002

    checkpoints.save(training.accelerator, tmp_path, checkpoints.Progress(1))
    first = drawn()
    training.accelerator.scaler.update(2.0)
    checkpoints.restore(training.accelerator, tmp_path)
    assert drawn() == first
    assert training.accelerator.scaler.get_scale() == 8.0


@pytest.mark.parametrize("kept", [1, 3])
def test_as_many_are_kept_as_asked(tmp_path: Path, kept: int) -> None:
    training = Training()
    for number in range(1, 5):
        checkpoints.save(training.accelerator, tmp_path, checkpoints.Progress(number), kept=kept)
    assert len(names(tmp_path)) == kept
    assert names(tmp_path)[-1] == "step-0000004"


def test_one_that_a_kill_left_half_written_is_passed_over_and_written_anew(trained, run: Path) -> None:
    (run / ".step-0000004").mkdir()
    (run / ".step-0000004" / "model.safetensors").write_bytes(b"half")
    assert restored(trained, run) == 3
    checkpoints.save(trained[0].accelerator, run, checkpoints.Progress(4))
    assert names(run) == ["step-0000003", "step-0000004"]
    assert not (run / ".step-0000004").exists()
