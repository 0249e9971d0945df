"""`padkit train`: starts a recipe under Accelerate's launcher and shows its errors alone. Imports no torch."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from padkit.errors import ERRORS_VARIABLE, SettingsError, closest, one_line
from padkit.settings.paths import recipe_folder

PROG = "padkit train"
USAGE = f"{PROG} [OPTIONS OF accelerate launch] RECIPE [OPTIONS OF THE RECIPE]"
NO_TRAINING = ("ablation",)  # starts many runs, each under a launcher of its own
# Kinds of `accelerate config` that share out the model; padkit does so only if a file that asks for it is named.
SHARDED = ("DEEPSPEED", "FSDP", "MEGATRON_LM")


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status of the recipe.

    Raises:
        SettingsError: There is no such recipe, or Accelerate's launcher does not take its options.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if not arguments or not arguments[0].startswith("-"):
        recipe_file(arguments[0] if arguments else "")  # before torch is imported
    line = _parsed(arguments)
    line.training_script = str(recipe_file(line.training_script))
    with tempfile.TemporaryDirectory(prefix="padkit-train-") as folder:
        _forget_sharding(line, Path(folder))
        told = Path(folder) / "errors"
        os.environ[ERRORS_VARIABLE] = str(told)
        try:
            status = _launch(line)
        finally:
            del os.environ[ERRORS_VARIABLE]
        # Each of several processes may have said the same.
        lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
        print(*dict.fromkeys(lines), sep="\n", end="\n" if lines else "", file=sys.stderr)
    return status


def recipes() -> dict[str, Path]:
    """Return the recipes that train, by name: of the installed package, or of the checkout that it is used from."""
    return {file.stem: file for file in sorted(recipe_folder().glob("*.py")) if file.stem not in NO_TRAINING}


def recipe_file(name: str) -> Path:
    """Return the file of a recipe: one of `recipes()`, or a path that ends in .py.

    Raises:
        SettingsError: There is none; names the closest.
    """
    known = recipes()
    if name in known:
        return known[name]
    if name in NO_TRAINING:
        raise SettingsError(f"{name} starts runs itself: python {known['dtda'].with_name(f'{name}.py')} --help.")
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise SettingsError(
                f"recipe {name} does not exist; give the path of a file, or a name.{closest('', known)}"
            )
        return Path(name)
    if not name:
        raise SettingsError(f"{PROG} needs a recipe: {USAGE}.{closest('', known)}")
    raise SettingsError(f"unknown recipe {name!r}.{closest(name, known)}")


def _help() -> str:
    rows = [f"  {name:<18} {_summary(file)}" for name, file in recipes().items()]
    return f"""usage: {USAGE}

Start a recipe under Accelerate's launcher, which chooses device, precision and processes. What goes wrong is one line,
and the exit status is the recipe's.

recipes:
{chr(10).join(rows)}
  {"FILE.py":<18} one of your own

`{PROG} dtda --help` shows every option of a recipe, `accelerate launch --help` those of the launcher, such as
--mixed_precision bf16, --num_processes 2, --cpu and --config_file FILE."""


def _summary(file: Path) -> str:
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def _parsed(words: Sequence[str]) -> Any:
    """Return what Accelerate's launcher makes of the words before the recipe; those after it are left alone."""
    with _told_by_accelerate():
        from accelerate.commands.launch import launch_command_parser
    parser = launch_command_parser()

    def refuse(message: str) -> None:
        raise SettingsError(
            f"{message}; options of accelerate launch stand before the recipe, its own after it: {USAGE}."
        )

    parser.error = refuse
    line = parser.parse_args(list(words))
    if line.module or line.no_python:
        raise SettingsError(f"{PROG} starts recipes by name or file; drop --module and --no_python.")
    return line


def _forget_sharding(line: Any, folder: Path) -> None:
    """Have the launcher use a copy of the stored configuration that does not ask for DeepSpeed, FSDP or Megatron-LM."""
    import yaml
    from accelerate.commands.config import default_config_file

    path = Path(line.config_file or default_config_file)
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return  # none, or the launcher says what is wrong with it
    kind = config.get("distributed_type") if isinstance(config, dict) else None
    if kind not in SHARDED or (line.config_file and _usable(config)):
        return
    print(
        f"note: {path} asks for {kind}, which padkit does not use here: every process holds the whole model.",
        flush=True,
    )
    kept = {name: value for name, value in config.items() if not str(name).endswith("_config")}
    kept["distributed_type"] = "MULTI_GPU" if int(config.get("num_processes") or 1) > 1 else "NO"
    line.config_file = str(folder / "accelerate.yaml")
    Path(line.config_file).write_text(yaml.safe_dump(kept), encoding="utf-8")


def _usable(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration shares out the model in a way that padkit knows."""
    if config["distributed_type"] == "FSDP":
        return str((config.get("fsdp_config") or {}).get("fsdp_version")) == "2"
    stage = (config.get("deepspeed_config") or {}).get("zero_stage")
    installed = importlib.util.find_spec("deepspeed") is not None
    return config["distributed_type"] == "DEEPSPEED" and installed and stage in (0, 1, 2)


def _launch(line: Any) -> int:
    """Launch the recipe and return its exit status, without what the launcher says about it."""
    from accelerate.commands.launch import launch_command
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    before = signal.signal(signal.SIGTERM, _end)
    logging.disable(logging.ERROR)
    try:
        with _told_by_accelerate():
            launch_command(line)
    except subprocess.CalledProcessError as error:
        return _status(error.returncode)
    except ChildFailedError as error:
        return _status(error.get_first_failure()[1].exitcode)
    except SignalException as error:
        return 128 + int(error.sigval)
    finally:
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGTERM, before)
    return 0


def _status(code: int) -> int:
    """Return a process's exit status as shells count it: a signal is 128 and its number."""
    return 128 - code if code < 0 else code


def _end(number: int, _frame: object) -> None:
    """End the recipe with the launcher, which would leave it running."""
    import psutil

    for child in psutil.Process().children():
        child.terminate()
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _told_by_accelerate() -> Iterator[None]:
    """Turn what Accelerate's launcher raises about its own options into one line."""
    try:
        yield
    except (ValueError, ImportError, OSError, RuntimeError, TypeError, AttributeError, AssertionError) as error:
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

        if isinstance(error, ChildFailedError):
            raise
        raise SettingsError(
            f"accelerate launch: {one_line(error)}; correct its options or its configuration."
        ) from error
