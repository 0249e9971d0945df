"""What runs of one method share."""

from __future__ import annotations

from pathlib import Path

import yaml

from padkit.evaluation.results import ProtocolSummary
from padkit.runs.candidates import _method
from padkit.runs.folder import RunFolder

PROTOCOL = ProtocolSummary(name="a->b", convention="all", sources=("a",), target="b", simulated=False)


def method_of(folder: Path, **settings: object) -> object:
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump({"lr": 0.1, "seed": len(folder.name), **settings}))
    return _method(RunFolder(folder), PROTOCOL)


def test_an_earlier_run_that_says_nothing_of_views_had_one(tmp_path: Path) -> None:
    earlier = method_of(tmp_path / "earlier")
    assert method_of(tmp_path / "now", views="one") == earlier
    assert method_of(tmp_path / "five", views="five") != earlier
