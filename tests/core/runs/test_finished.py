"""What runs are called in figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from padkit.inspection.request import slug
from padkit.runs.finished import distinct_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a"], ["a"]),
        (["runs/a", "runs/b"], ["a", "b"]),
        (["x/daa/hall/seed0", "x/none/hall/seed0"], ["daa", "none"]),
        (["x/daa/hall/seed0", "x/none/phone/seed0"], ["daa/hall", "none/phone"]),
        (["runs/a", "runs/a/again"], ["a", "again"]),
        (["runs/a", "runs/a"], ["a", "a"]),
    ],
)
def test_paths_are_called_by_what_distinguishes_them(paths: list[str], names: list[str]) -> None:
    assert distinct_names([Path(path) for path in paths]) == names


def test_a_label_becomes_a_harmless_part_of_a_file_name() -> None:
    assert [slug(text) for text in ("FR + FE", "../x", "a/b", "ü", "")] == ["FR-+-FE", "x", "a-b", "run", "run"]
