"""Processes: one at a time per place, resumed, recorded when they fail, ended together."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import pytest
import yaml

from padkit.ablation.plan import Cell
from padkit.ablation.records import record_run
from padkit.ablation.runs import Run
from padkit.ablation.workers import Workers, places
from padkit.errors import SettingsError

# A recipe in miniature: what it does is its cell's setting `do`; it tells its arguments.
FAKE = """
import os, pathlib, sys, time
print(sys.argv[1:], os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
resumed = sys.argv[1] == "--resume"
out = pathlib.Path(sys.argv[2] if resumed else sys.argv[sys.argv.index("--out") + 1])
(out / "settings.yaml").write_text("{lr: 1}")
if "--do=fail" in sys.argv: sys.exit("Traceback\\nerror: out of luck")
if "--do=sleep" in sys.argv: (out / "asleep").touch(); time.sleep(900)
(out / "metrics.json").write_text("{}")
"""


def make(folder: Path, do: str, **facts: str) -> Run:
    return Run(
        cell=Cell(do, {"do": do}), target="hall", seed=0, folder=folder / do / "seed0",
        settings={"lr": 1, "out": None}, facts=facts, options=["--threads", "1"],
    )  # fmt: skip


def workers(**changes: object) -> Workers:
    return Workers(**({"command": [sys.executable, "-c", FAKE], "places": [{}]} | changes))


def test_a_failing_run_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    outcomes = list(workers(places=[{}, {}]).outcomes([make(tmp_path, "fail"), make(tmp_path, "work")]))
    assert {outcome.run.cell.name: outcome.error for outcome in outcomes} == {"fail": "out of luck", "work": ""}
    failed = next(outcome for outcome in outcomes if outcome.error)
    record = record_run(failed.run, failed.error, tmp_path)
    assert (record.status, record.error, record.hter, record.folder) == ("failed", "out of luck", None, "fail/seed0")


def test_a_run_goes_on_from_its_checkpoint_or_starts_again(tmp_path: Path) -> None:
    run = make(tmp_path, "work", data="key")
    assert next(iter(workers().outcomes([run]))).seconds is not None
    assert next(iter(workers().outcomes([run]))).seconds is None  # finished: nothing was started
    run.check()
    run.metrics.unlink()
    (run.folder / "stale").touch()
    assert run.arguments()[:2] == ["--threads", "1"]
    assert not (run.folder / "stale").exists()
    (run.folder / "settings.yaml").write_text("{lr: 1}")
    progress = run.folder / "checkpoints" / "step-0000001" / "progress.json"
    progress.parent.mkdir(parents=True)
    progress.touch()
    list(workers(resumed=["--threads", "2"], places=[{"CUDA_VISIBLE_DEVICES": "7"}]).outcomes([run]))
    assert f"['--resume', '{run.folder}', '--threads', '2'] 7" in run.output.read_text()
    run.prune()
    assert not progress.exists()


def test_another_run_is_never_overwritten(tmp_path: Path) -> None:
    list(workers().outcomes([make(tmp_path, "work", data="key")]))
    with pytest.raises(SettingsError, match=r"data 'key' there, 'other' asked for"):
        make(tmp_path, "work", data="other").check()
    run = make(tmp_path, "work", data="key")
    (run.folder / "settings.yaml").write_text(yaml.safe_dump({"lr": 2, "out": "elsewhere"}))
    with pytest.raises(SettingsError, match=r"lr 2 there, 1 asked for"):
        run.check()


def test_leaving_ends_the_processes(tmp_path: Path) -> None:
    run, crew = make(tmp_path, "sleep"), workers(places=[{}, {}])
    started = time.monotonic()
    with contextlib.closing(crew.outcomes([run, make(tmp_path, "work"), make(tmp_path, "work2")])) as outcomes:
        assert next(outcomes).run.cell.name != "sleep"
        while not (run.folder / "asleep").exists():
            time.sleep(0.01)
    assert time.monotonic() - started < 300
    assert not run.finished


def test_an_orphan_is_waited_for(tmp_path: Path) -> None:
    import fcntl
    import threading

    run = make(tmp_path, "work")
    run.folder.mkdir(parents=True)
    orphan = run.output.open("ab")
    fcntl.flock(orphan, fcntl.LOCK_EX)

    def finish() -> None:
        (run.folder / "settings.yaml").touch()
        run.metrics.touch()
        orphan.close()

    threading.Timer(0.3, finish).start()
    assert [outcome.seconds for outcome in workers().outcomes([run])] == [None]


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert places(None, 0) == [{}]
    assert places(3, 0) == [{}, {}, {}]
    assert places(None, 2) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places(3, 2)] == ["4", "6", "4"]
