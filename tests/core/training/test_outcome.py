"""What training writes at its end: a run that is continued is not taken for finished while its files are made anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from padkit.runs.folder import RunFolder
from padkit.training import outcome


class KilledError(Exception):
    """Stands for a kill."""


def test_a_kill_while_results_are_written_leaves_no_former_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text("{}")
    accelerator = SimpleNamespace(wait_for_everyone=lambda: None, is_main_process=True)
    experiment: Any = SimpleNamespace(
        run=run, accelerator=accelerator, scores=lambda *_: (SimpleNamespace(), SimpleNamespace(), None)
    )
    written: list[Path] = []

    def write(_scores: object, file: Path) -> None:
        if written:
            raise KilledError
        written.append(file)

    monkeypatch.setattr(outcome, "load_selected", lambda *_: None)
    monkeypatch.setattr(outcome, "assess", lambda *_: SimpleNamespace())
    monkeypatch.setattr(outcome, "write_scores", write)
    with pytest.raises(KilledError):
        outcome.conclude(experiment, SimpleNamespace(), None, quoted=["eer"], selection="last", settings={})  # type: ignore[arg-type]
    assert written == [run.scores]
    assert not run.finished
