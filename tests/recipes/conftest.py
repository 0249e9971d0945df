"""A toy dataset on disk and a way to run the recipe in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_run import FAST, recipe, write_toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def arguments(toy: Path) -> list[str]:
    """Options of a run of a second or two on the toy set, target c."""
    return ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32", "--target", "c", *FAST]


@pytest.fixture
def dtda() -> Iterator[Callable[[list[str]], int]]:
    """Run the recipe's `main` in this process."""
    with recipe() as run:
        yield run
