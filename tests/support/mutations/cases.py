"""Makes the case of a number: which input, which mutation, which command, and what it must end in."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import timm
import torch
from recipe_modules import recipe_module
from toy_run import FAST, recipe

from mutations import files, media, tables, words
from mutations.judging import Case, figures, presentations
from padkit import cli
from padkit.catalog import Catalog

MODEL = "test_resnet"
DATA = ["--image-size", "32"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


class Ground:
    """What cases start from, made once, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree, self.rng = folder / "tree", random.Random(0)
        media.plant(self.tree)

    @cached_property
    def counts(self) -> dict[str, int]:
        half = media.EACH * len(media.DOMAINS)
        return {"bona fide": half, "attack": half}

    @cached_property
    def listed(self) -> tables.Rows:
        rows = []
        for number, path in enumerate(sorted(self.tree.rglob("*.png"))):
            domain, label, _ = path.relative_to(self.tree).parts
            rows.append({"path": str(path), "label": label, "domain": domain, "subject": f"p{number}"})
        return rows

    @cached_property
    def scored(self) -> tables.Rows:
        rng, rows = random.Random(1), []
        for number in range(40):
            label = "live" if number % 2 else "spoof"
            score = min(max(rng.gauss(0.7 if number % 2 else 0.4, 0.15), 0), 1)
            rows.append(
                {"presentation": f"v{number}", "label": label, "score": f"{score:.4f}", "subject": f"p{number // 4}"}
            )
        return rows

    @cached_property
    def state(self) -> files.State:
        torch.manual_seed(0)
        return dict(timm.create_model(MODEL).state_dict())

    @cached_property
    def training(self) -> list[str]:
        words = [
            "--data",
            "folder",
            "--data.root",
            str(self.tree),
            "--data.image_size",
            "32",
            "--target",
            "yard",
            *FAST,
        ]
        student = ["--student.model", MODEL, "--aligner", "none", "--batch-size", "2"]
        student += ["--stability", "200", "--thumbnails", "true"]  # the more is written, the more can be damaged
        return [*words, *student, "--max-steps", "2", "--checkpoint-every", "1", "--epochs", "2"]

    @cached_property
    def run(self) -> Path:
        """A finished run of two steps with a checkpoint of each."""
        with recipe() as train, quiet():
            assert train([*self.training, "--out", str(self.folder / "run")]) == 0
        return self.folder / "run"

    @cached_property
    def unfinished(self) -> Path:
        """The same run as it was after its first step."""
        folder = files.copied(self.run, self.folder / "half")
        for path in ("checkpoints/step-0000002", "model", "metrics.json", "scores.parquet", "data.json", "report"):
            found = folder / path
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        return folder

    @cached_property
    def table(self) -> Path:
        """A prepared table."""
        out = self.folder / "table"
        line = ["prepare", "folder", "--root", str(self.tree), "--out", str(out), "--size", "32", "--face", "none"]
        with quiet():
            assert cli.run(line) == 0
        return out


def trees(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A tree of images, counted."""
    expected = rng.choice(["same", "told"])
    mutate = rng.choice(media.SAME if expected == "same" else media.TOLD)
    root = folder / "tree"
    shutil.copytree(ground.tree, root)
    root = mutate(rng, root) or root
    line = ["data", "folder", f"--root={root}", *DATA]
    return command(mutate.__name__, line, expected, presentations, ground.counts)


def lists(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A list of images, counted."""
    expected = rng.choice(["same", "told", "refused"])
    mutate = rng.choice({"same": tables.SAME, "told": tables.LIST_TOLD, "refused": tables.REFUSED}[expected])
    path = mutate(rng, [dict(row) for row in ground.listed], folder / "list.csv")
    line = ["data", "manifest", "--file", str(path), *DATA]
    return command(mutate.__name__, line, expected, presentations, ground.counts)


def hub(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A data set in Hugging Face's format, counted."""
    expected = rng.choice(["same", "told"])
    mutate = rng.choice(tables.HUB_SAME if expected == "same" else tables.HUB_TOLD)
    images = [{"bytes": Path(row["path"]).read_bytes(), "path": None} for row in ground.listed]
    columns = mutate(rng, {"image": images, "label": [row["label"] for row in ground.listed]})
    (folder / "set").mkdir()
    pq.write_table(pa.table(columns), folder / "set" / rng.choice(["train.parquet", "train-00000-of-00001.parquet"]))
    line = ["data", "huggingface", "--path", str(folder / "set"), *DATA]
    return command(mutate.__name__, line, expected, presentations, ground.counts)


def teachers(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A teacher asked about a prepared table with a damaged file."""
    table = files.copied(ground.table, folder)
    how = files.damaged_below(rng, table, lambda path: True) if rng.random() < 0.7 else "as it was"
    line = [
        "teachers",
        "check",
        "--teachers",
        "arcface",
        "--limit",
        "8",
        "--data",
        "prepared",
        f"--data.folders={table}",
    ]
    return command(f"table: {how}", line, "any")


def scores(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A score file, evaluated."""
    expected = rng.choice(["same", "any", "refused"])
    mutate = rng.choice({"same": tables.SAME, "any": tables.SCORES_ANY, "refused": tables.REFUSED}[expected])
    path = mutate(rng, [dict(row) for row in ground.scored], folder / "scores.csv")
    line = ["evaluate", str(path), "--policy", rng.choice(["fixed:0.5", "target-eer"]), "--bootstrap", "0"]
    found = figures(folder / "it.json")
    base = None
    if expected == "same":
        plain = tables.write(ground.scored, folder / "plain.csv")
        with quiet():
            cli.run(["evaluate", str(plain), *line[2:], "--json", str(folder / "it.json")])
        base = found("")
    return command(mutate.__name__, [*line, "--json", str(folder / "it.json")], expected, found, base)


def weights(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A weights file, which a student starts from."""
    expected = rng.choice(["same", "refused"])
    mutate = rng.choice(files.WEIGHTS_SAME if expected == "same" else files.WEIGHTS_REFUSED)
    path = mutate(rng, ground.state, folder)

    def build() -> int:
        student = Catalog().build("student", "timm", {"model": MODEL, "weights": str(path)})
        if (folder / "ran").exists():
            raise AssertionError("code from the file ran")
        found = student.net.state_dict()
        if any(not torch.equal(value, ground.state[name]) for name, value in found.items()):
            raise AssertionError("other weights than those in the file")
        return 0

    return Case(mutate.__name__, build, expected, f"--student.weights {path}")


def options(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """Options of a command, after what it needs."""
    name = rng.choice(sorted(words.COMMANDS))
    needed = {
        "data": ["folder", "--root", str(ground.tree), *DATA],
        "prepare": [
            "folder",
            "--root",
            str(ground.tree),
            "--out",
            str(folder / "out"),
            "--face",
            "none",
            "--size",
            "32",
        ],
        "evaluate": [
            str(tables.write(ground.scored, folder / "scores.csv")),
            "--policy",
            "fixed:0.5",
            "--bootstrap",
            "0",
        ],
        "report": [str(folder)],
        "figures": [str(folder), "--out", str(folder / "out")],
        "plugins": rng.choice([[], ["show", rng.choice(["daa", "folder", "x", ""])]]),
        "new": [
            rng.choice(["teacher", "aligner", "x", ""]),
            rng.choice(["mine", "a b", "", "../x", "none", "daa", "Ö"]),
        ],
        "teachers": [rng.choice(["check", "chek", ""])],
        "simulate": ["--faces", str(folder), "--out", str(folder / "out")],
        "world": ["--out", str(folder / "out"), "--nothing"],
    }[name]
    mutated = words.words(rng, words.COMMANDS[name], folder)
    if name == "new" and not any(word.startswith("--into") for word in mutated):
        mutated += ["--into", str(folder)]
    if name == "teachers":
        mutated = [word for word in mutated if "teachers" not in word] + [
            "--data",
            "folder",
            "--data.root",
            str(folder),
        ]
    return command("options", [name, *needed, *mutated], "any")


def recipe_options(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """Options of the recipe, read and not run."""
    line = words.words(rng, words.RECIPE, folder)
    if rng.random() < 0.3:
        (folder / "it.yaml").write_bytes(words.yaml_text(rng))
        line += ["--config", str(folder / "it.yaml")]

    def read() -> int:
        """Run the recipe up to where it has read its options."""

        class ReadError(Exception):
            pass

        argv = mock.patch.object(sys, "argv", ["dtda.py", *line])
        with recipe_module("dtda") as module, argv, contextlib.suppress(ReadError):
            module.start = mock.Mock(side_effect=ReadError)
            module.main()
        return 0

    return Case("recipe options", read, "any", f"dtda.py {line}")


def run_files(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A finished run with a damaged file."""
    run = files.copied(ground.run, folder)
    how = files.damaged_below(
        rng, run, lambda path: "checkpoints" not in path.parts or path.name.startswith("selected")
    )
    line = rng.choice(
        [
            ["evaluate", str(run), "--bootstrap", "0"],
            ["report", str(run)],
            ["figures", str(run), "--out", str(folder / "out"), "--only", rng.choice(["roc", "losses", "scores"])],
        ]
    )
    return command(f"run: {how}", line, "any")


def checkpoints(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A run to continue with a damaged file or another option."""
    run = files.copied(ground.unfinished, folder)
    line, how = ["--resume", str(run)], "as it was"
    if rng.random() < 0.7:
        how = files.damaged_below(rng, run, lambda path: True)
    else:
        line += words.option(
            rng, ("target", "sources", "lr", "seed", "batch_size", "optimizer", "max_steps", "warmup"), folder
        )

    def go_on() -> int:
        with recipe() as train:
            return train(line)

    return Case(f"checkpoint: {how}", go_on, "any", f"dtda.py {line}")


def prepared(rng: random.Random, ground: Ground, folder: Path) -> Case:
    """A prepared table with a damaged file."""
    table = files.copied(ground.table, folder)
    how = files.damaged_below(rng, table, lambda path: True)
    return command(f"table: {how}", ["data", str(table)], "any")


# Which kinds, in turn: the cheap ones more often.
CHEAP = (trees, lists, scores, options, recipe_options, weights, trees, lists, scores, run_files, recipe_options, trees)
KINDS: tuple[Callable[[random.Random, Ground, Path], Case], ...] = (
    *CHEAP, scores, options, prepared, hub, *CHEAP, checkpoints, options, prepared, run_files,
    *CHEAP, scores, options, hub, checkpoints, *CHEAP, teachers,
)  # fmt: skip


def command(
    mutation: str, line: list[str], expected: Any, found: Callable[[str], Any] | None = None, base: Any = None
) -> Case:
    return Case(mutation, lambda: cli.run(line), expected, f"padkit {line}", found, base)


def case_of(number: int, seed: int, ground: Ground, folder: Path) -> Case:
    """Return the case of a number; its files lie in `folder`."""
    rng = random.Random(f"{seed}/{number}")
    return KINDS[number % len(KINDS)](rng, ground, folder)


def own_folder(ground: Ground) -> tempfile.TemporaryDirectory[str]:
    """Return a folder for one case; prepared tables of earlier ones are removed."""
    shutil.rmtree(os.environ.get("PADKIT_CACHE", ""), ignore_errors=True)
    return tempfile.TemporaryDirectory(dir=ground.folder, ignore_cleanup_errors=True)


__all__ = ["Ground", "case_of", "own_folder"]
