"""A toy dataset on disk and a way to run the recipe in this process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from toy_run import DTDA, FAST, reset_accelerate, write_toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def arguments(toy: Path) -> list[str]:
    """Options of a run of a second or two on the toy set, target c."""
    return ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32", "--target", "c", *FAST]


@pytest.fixture
def dtda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], int]]:
    """Run the recipe's `main` in this process."""
    specification = importlib.util.spec_from_file_location("recipe_dtda", DTDA)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "recipe_dtda", module)
    specification.loader.exec_module(module)
    threads = torch.get_num_threads()

    def run(argv: list[str]) -> int:
        reset_accelerate()
        monkeypatch.setattr(sys, "argv", ["dtda.py", *argv])
        return int(module.main())

    yield run
    reset_accelerate()
    torch.set_num_threads(threads)
