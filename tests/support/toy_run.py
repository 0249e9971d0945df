"""What the tests of recipes share: a toy dataset on disk and how to read a run's log."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from PIL import Image
from recipe_modules import ROOT, recipe_module

DTDA = ROOT / "recipes" / "dtda.py"
# A small student, and nothing that a run tells beside its figures: tests of that ask for it.
FAST = [
    "--teachers", "none", "--tracker", "none", "--batch-size", "12", "--threads", "1", "--fresh-probe", "0",
    "--stability", "0", "--thumbnails", "false", "--student.model", "test_resnet",
]  # fmt: skip


def write_toy(root: Path, domains: tuple[tuple[str, int], ...] = (("a", 60), ("b", 120), ("c", 180))) -> Path:
    """Noise of a brightness that tells the domain; a stripe pattern tells attacks."""
    generator = np.random.default_rng(0)
    stripes = 30 * np.sin(np.arange(32) * 2.1)[None, :, None]
    for domain, brightness in domains:
        for split, count in (("train", 12), ("dev", 6), ("test", 6)):
            for kind in ("live", "spoof/print"):
                folder = root / domain / split / kind
                folder.mkdir(parents=True)
                for number in range(count):
                    pixels = generator.normal(brightness, 20, (32, 32, 3)) + (stripes if kind != "live" else 0)
                    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


def reset_accelerate() -> None:
    for state in (AcceleratorState, PartialState):
        state._reset_state(*([True] if state is AcceleratorState else []))
    GradientState._reset_state()


@contextmanager
def recipe(*, presented: bool = True) -> Iterator[Callable[[list[str]], int]]:
    """Run the recipe's `main` in this process; page and printed table, which take longer than a toy run, on request."""
    threads = torch.get_num_threads()
    with recipe_module("dtda") as module:
        if not presented:
            module.present = lambda _folder: None

        def run(argv: list[str]) -> int:
            reset_accelerate()
            with mock.patch.object(sys, "argv", ["dtda.py", *argv]):
                return int(module.main())

        try:
            yield run
        finally:
            reset_accelerate()
            torch.set_num_threads(threads)


def read_log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def steps(folder: Path) -> list[dict[str, Any]]:
    return [record for record in read_log(folder) if "total" in record]
