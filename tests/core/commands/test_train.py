"""`padkit train`: finds recipes, hands options to Accelerate's launcher, and shows the recipe's one line alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from padkit.commands import train
from padkit.errors import PadkitError, SettingsError
from padkit.settings import paths

ROOT = Path(__file__).parents[3]
TOY = """
import os, sys
from padkit.errors import DataError, run_as_command

def main():
    print("rank", os.environ.get("RANK"), "precision", os.environ["ACCELERATE_MIXED_PRECISION"], *sys.argv[1:])
    if "ok" not in sys.argv:
        raise DataError("the line")

sys.exit(run_as_command(main))
"""


Launched = Callable[..., tuple[int, str, str]]


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Launched:
    """Launch the toy recipe, which needs no torch; return the status and what all processes printed."""
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        status = train.main(words)
        return (status, *capfd.readouterr())

    return run


def test_recipes_are_those_of_the_checkout() -> None:
    assert train.recipes() == {
        name: ROOT / "recipes" / f"{name}.py"
        for name in ("dtda", "pretrain_arcface", "pretrain_experimental", "pretrain_stargan", "random_features")
    }


def test_recipes_of_a_wheel_are_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hatch_build.py` puts them there; a folder `recipes` beside site-packages is somebody else's."""
    package = tmp_path / "site-packages" / "padkit"
    (package / "recipes").mkdir(parents=True)
    (tmp_path / "recipes").mkdir()
    for folder in (package / "recipes", tmp_path / "recipes"):
        (folder / "dtda.py").touch()
    (package / "__init__.py").touch()
    monkeypatch.setattr(paths, "PACKAGE", package)
    assert train.recipes() == {"dtda": package / "recipes" / "dtda.py"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "needs a recipe"),
        (["dtd"], "unknown recipe 'dtd'. Did you mean 'dtda'"),
        (["ablation"], r"ablation starts runs itself: python .*recipes/ablation\.py"),
        (["mine.py"], "mine.py does not exist"),
        (["--mixed_precision", "bf16", "bogus"], "unknown recipe 'bogus'"),
        (["--mixed_precision", "bf17", "dtda"], "invalid choice: 'bf17'.*stand before the recipe"),
        (["--nonsense", "dtda"], "unrecognized arguments: --nonsense"),
        (["--num_processes", "many", "dtda"], "num_processes.*: invalid int value"),
        (["--mixed_precision", "no"], "required: training_script"),
        (["--module", "dtda"], "drop --module"),
    ],
)
def test_what_cannot_be_launched_is_one_line(words: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        train.main(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config_file", "/nowhere.yaml"], "accelerate launch: FileNotFoundError: .*nowhere.yaml"),
        (["--multi_gpu", "--num_processes", "1"], "accelerate launch: ValueError: You need to use at least 2"),
        (["--cpu", "--multi_gpu"], "accelerate launch: ValueError: You can only use one of"),
    ],
)
def test_what_the_launcher_refuses_is_one_line(words: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    with pytest.raises(PadkitError, match=told) as caught:
        train.main([*words, str(tmp_path / "toy.py")])
    assert "\n" not in str(caught.value)


def test_the_help_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: padkit train ")
    for name in train.recipes():
        assert f"  {name} " in text


def test_an_error_is_one_line_and_status_2(launched: Launched) -> None:
    status, out, err = launched("--mixed_precision", "bf16", "toy.py", "--a", "b", "--mixed_precision", "no")
    assert (status, err) == (2, "error: the line\n")
    assert out == "rank None precision bf16 --a b --mixed_precision no\n"
    assert "PADKIT_ERRORS" not in os.environ


def test_what_goes_well_says_nothing_of_its_own(launched: Launched) -> None:
    assert launched("--mixed_precision", "no", "toy.py", "ok") == (0, "rank None precision no ok\n", "")


def test_the_status_is_the_recipe_s(launched: Launched) -> None:
    Path("seven.py").write_text("import sys; sys.exit(7)")
    Path("killed.py").write_text("import os; os.kill(os.getpid(), 9)")
    Path("broken.py").write_text("raise RuntimeError('a bug')")
    assert launched("seven.py")[0] == 7
    assert launched("killed.py")[0] == 128 + 9
    status, _, err = launched("broken.py")
    assert status == 1
    assert err.splitlines()[-1] == "RuntimeError: a bug"
    assert "CalledProcessError" not in err


def test_several_processes_say_it_once_and_leftovers_are_passed_over(launched: Launched, tmp_path: Path) -> None:
    """A stored configuration asks for FSDP and two processes."""
    answers = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "FSDP", "num_processes": 2}
    answers |= {"num_machines": 1, "mixed_precision": "no", "fsdp_config": {"fsdp_version": 1}}
    (tmp_path / "stored.yaml").write_text(yaml.safe_dump(answers))
    status, out, err = launched("--config_file", "stored.yaml", "--main_process_port", "0", "toy.py")
    assert (status, err) == (2, "error: the line\n")
    assert out.startswith("note: stored.yaml asks for FSDP, which padkit does not use")
    assert "rank 0 precision no" in out
    assert "rank 1 precision no" in out


@pytest.mark.parametrize("kind", ["DEEPSPEED", "FSDP", "MEGATRON_LM"])
@pytest.mark.parametrize("processes", [1, 4])
def test_a_stored_configuration_is_not_asked_to_shard(
    tmp_path: Path, kind: str, processes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class Line:
        config_file = str(tmp_path / "stored.yaml")

    stored = {"distributed_type": kind, "num_processes": processes, "deepspeed_config": {"zero_stage": 3}}
    Path(Line.config_file).write_text(yaml.safe_dump({**stored, "mixed_precision": "bf16"}))
    line = Line()
    train._forget_sharding(line, tmp_path)
    assert yaml.safe_load(Path(line.config_file).read_text()) == {
        "distributed_type": "NO" if processes == 1 else "MULTI_GPU",
        "num_processes": processes,
        "mixed_precision": "bf16",
    }
    assert kind in capsys.readouterr().out


def test_what_is_named_and_known_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FSDP2 by --config_file; the stored answers of `accelerate config` are passed over all the same."""
    file = train.recipes()["dtda"].parent / "configs" / "accelerate" / "fsdp2.yaml"

    class Line:
        config_file = str(file)

    line = Line()
    train._forget_sharding(line, tmp_path)
    assert line.config_file == str(file)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["ddp", "cpu", "fsdp2", "deepspeed", "two_machines"])
def test_accelerate_takes_the_configurations_that_padkit_has(name: str) -> None:
    """By its own parser: of another kind, or with an unknown key, a file is refused."""
    from accelerate.commands.config.config_args import load_config_from_file

    file = train.recipes()["dtda"].parent / "configs" / "accelerate" / f"{name}.yaml"
    config = load_config_from_file(str(file))
    kinds = {
        "ddp": "MULTI_GPU",
        "cpu": "MULTI_CPU",
        "fsdp2": "FSDP",
        "deepspeed": "DEEPSPEED",
        "two_machines": "MULTI_GPU",
    }
    assert str(config.distributed_type).rpartition(".")[2] == kinds.get(name, "MULTI_GPU")
    assert config.num_processes >= 2
