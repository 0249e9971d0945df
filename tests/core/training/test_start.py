"""What a recipe does before anything else: settings of new and continued runs, launcher, trackers, the run's folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from accelerate import Accelerator
from accelerate.utils import DistributedType
from toy_run import reset_accelerate

from padkit.catalog import Catalog
from padkit.errors import PadkitError, SettingsError, TrainingError
from padkit.runs.folder import RunFolder
from padkit.settings import Slot, read_settings
from padkit.training.start import (
    begin_tracking,
    check_launch,
    check_tracker,
    read_run_settings,
    reserve_folder,
    split_resume,
    start,
)

SLOTS = {"data": Slot("dataset", "folder", required=True), "aligner": Slot("aligner", "daa")}


@dataclass(frozen=True, slots=True)
class Options:
    """A recipe.

    Args:
        out: Run folder.
        resume: Run to continue.
        target: Domain.
        lr: Rate.
        epochs: Passes.
        threads: Threads.
    """

    out: str | None = None
    resume: str | None = None
    target: str | None = None
    lr: float = 1e-3
    epochs: int = 3
    threads: int | None = None


def read(*words: str) -> Any:
    return read_run_settings(Options, SLOTS, words, Catalog(), "recipe.py")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    words = ["--data.root", "f", "--target", "webcam", "--out", "r1"]
    return RunFolder.create(tmp_path / "r1", read_settings(Options, SLOTS, words, Catalog(), "recipe.py").tree, {})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target", "phone"], "target 'webcam' there, 'phone' asked for; drop --target"),
        (["--lr", "0.5"], "lr 0.001 there, 0.5 asked for"),
        (["--lr=5e-1", "--epochs", "4"], "lr 0.001 there, 0.5 asked for"),
        (["--data.root", "g"], "data.root 'f' there, 'g' asked for"),
        (["--data.image-size", "96"], "data.image_size 256 there, 96 asked for"),
        (["--aligner", "none"], "aligner 'daa' there, 'none' asked for"),
        (["--aligner.epsilon", "1/255"], "aligner.epsilon 0.0"),
        (["--aligner", "dat"], "aligner 'daa' there, 'dat' asked for"),
        (["--out", "r2"], "continues in that folder; drop --out r2"),
        (["--nonsense", "1"], "unknown setting 'nonsense'"),
    ],
)
def test_a_continued_run_is_refused_other_settings(run: RunFolder, words: list[str], told: str) -> None:
    before = run.settings.read_bytes()
    for line in ([*words, "--resume", str(run.path)], [f"--resume={run.path}", *words]):
        with pytest.raises(SettingsError, match=told) as caught:
            read(*line)
        assert "\n" not in str(caught.value)
    assert run.settings.read_bytes() == before


def test_a_file_of_settings_is_compared_as_well(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("lr: 0.5\n")
    with pytest.raises(SettingsError, match=r"lr 0.001 there, 0.5 asked for"):
        read("--config", str(tmp_path / "more.yaml"), "--resume", str(run.path))


@pytest.mark.parametrize("more", [[], ["--target", "webcam"], ["--lr", "1e-3"], ["--aligner.epsilon", "2/255"]])
def test_the_same_settings_may_be_said_again(
    run: RunFolder, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read("--resume", str(run.path), *more, "--out", str(run.path))
    assert settings.recipe.resume == str(run.path)
    assert settings.recipe.target == "webcam"
    assert settings.tree == run.read_settings()
    assert not capsys.readouterr().err


def test_a_setting_that_padkit_has_had_only_since_is_told_and_may_be_set(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run did what padkit did before; its default now may be something else."""
    tree = run.read_settings()
    del tree["aligner"]["epsilon"], tree["threads"]
    run.settings.write_text(yaml.safe_dump(tree, sort_keys=False))
    read("--resume", str(run.path))
    told = capsys.readouterr().err
    assert "was begun before padkit had --aligner.epsilon 0.00" in told
    assert "threads" not in told
    settings = read("--resume", str(run.path), "--aligner.epsilon", "1/255")
    assert settings.tree["aligner"]["epsilon"] == 1 / 255
    with pytest.raises(SettingsError, match=r"lr 0.001 there, 0.5 asked for"):
        read("--resume", str(run.path), "--lr", "0.5")


def test_what_may_change_takes_effect_and_is_recorded_as_if_it_had_been_so(run: RunFolder) -> None:
    settings = read("--epochs", "7", "--threads", "2", "--resume", str(run.path))
    assert (settings.recipe.epochs, settings.recipe.threads) == (7, 2)
    assert settings.tree == {**run.read_settings(), "epochs": 7, "threads": 2}


@pytest.mark.parametrize("words", [["--resume"], ["--resume="], ["--resume", "--lr", "1"]])
def test_resume_needs_a_folder(words: list[str]) -> None:
    with pytest.raises(TrainingError, match="--resume needs the folder of a run"):
        split_resume(words)


def test_one_run_is_continued_at_a_time() -> None:
    assert split_resume(["--lr", "1", "--resume", "a"]) == ("a", ["--lr", "1"])
    with pytest.raises(TrainingError, match="twice"):
        split_resume(["--resume", "a", "--resume=b"])


def test_resume_in_a_file_is_refused(tmp_path: Path) -> None:
    """It would go on with other settings than those of the run."""
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"resume": "r1", "data": {"root": "f"}}))
    with pytest.raises(SettingsError, match="write --resume DIR on its own"):
        read("--config", str(tmp_path / "more.yaml"))


@pytest.mark.parametrize("name", ["wandb", "mlflow", "comet_ml", "clearml"])
def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys.modules["padkit.training.start"], "get_available_trackers", lambda: ["tensorboard"])
    with pytest.raises(SettingsError, match=rf"'{name}' is not installed; pip install '{name}' or choose .* none"):
        check_tracker(name)
    check_tracker("tensorboard")
    check_tracker("none")


def test_a_tracker_that_cannot_start_is_one_line() -> None:
    class Failing:
        log_with = ("wandb",)

        def init_trackers(self, _project: str) -> None:
            raise RuntimeError("no API key\nmore")

    with pytest.raises(
        TrainingError, match=r"tracker wandb cannot start \(RuntimeError: no API key\); .*--tracker none"
    ):
        begin_tracking(Failing())  # type: ignore[arg-type]


@pytest.fixture
def fresh() -> Iterator[None]:
    reset_accelerate()
    yield
    reset_accelerate()


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("DEEPSPEED", "DeepSpeed"),
        ("FSDP", "FSDP"),
        ("MEGATRON_LM", "Megatron-LM"),
        ("PARALLELISM_CONFIG", "parallelism"),
    ],
)
def test_leftovers_of_accelerate_config_are_passed_over_and_named(
    fresh: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, name: str
) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{variable}", "true")
    if variable == "DEEPSPEED":
        monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "2")  # as its configuration says
    accelerator = start(batch_size=4)
    assert accelerator.distributed_type.value == "NO"
    assert f"ACCELERATE_USE_{variable}" not in os.environ
    told = capsys.readouterr().out
    assert name in told
    assert told.count("\n") == 1


def test_nothing_is_said_where_nothing_is_left_over(fresh: None, capsys: pytest.CaptureFixture[str]) -> None:
    start(batch_size=4)
    assert capsys.readouterr().out == ""


def launch(kind: DistributedType, steps: int = 1, plugin: object = None) -> Any:
    return SimpleNamespace(distributed_type=kind, gradient_accumulation_steps=steps, deepspeed_plugin=plugin)


def test_clipping_is_refused_where_deepspeed_clips() -> None:
    """Accelerate's own call only asks DeepSpeed for the length there, and shortens nothing."""
    told = r"--clip_norm 0\.5: .*gradient_clipping: 0\.5 under deepspeed_config"
    with pytest.raises(SettingsError, match=told) as caught:
        check_launch(launch(DistributedType.DEEPSPEED), accumulate=1, clip_norm=0.5)
    assert "\n" not in str(caught.value)
    check_launch(launch(DistributedType.DEEPSPEED), accumulate=1, clip_norm=None)
    check_launch(launch(DistributedType.MULTI_GPU), accumulate=1, clip_norm=0.5)


@pytest.mark.parametrize("said", [1, 2, "auto"])
def test_a_file_of_deepspeed_must_accumulate_as_many(said: object) -> None:
    """Accelerate would take DeepSpeed's number when the parts are prepared, and only log it."""
    plugin = SimpleNamespace(gradient_accumulation_steps=said)
    if said == 1:
        with pytest.raises(SettingsError, match="--accumulate 2: the launch says gradient_accumulation_steps 1"):
            check_launch(launch(DistributedType.DEEPSPEED, 2, plugin), accumulate=2, clip_norm=None)
    else:
        check_launch(launch(DistributedType.DEEPSPEED, 2, plugin), accumulate=2, clip_norm=None)


def test_the_launcher_must_not_change_the_number_of_micro_batches(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerate prefers the variable to what the recipe asks for; batches and seeds would be those of another run."""
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    with pytest.raises(SettingsError, match="--accumulate 2: the launch says gradient_accumulation_steps 4"):
        start(batch_size=4, accumulate=2)
    reset_accelerate()
    assert start(batch_size=4, accumulate=4).gradient_accumulation_steps == 4


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_that_cannot_be_written_is_noticed_at_once(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    """Also the working folder, where a run goes that names none."""
    (tmp_path / "runs").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PadkitError, match=r"cannot be written: .*; choose another --out"):
        reserve_folder(Accelerator(cpu=True), "runs/mine" if named else None, None)
