from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks import gpu_trial
from benchmarks.gpu_trial import FAILED, FINISHED, OUT_OF_TIME, Speed, Step, execute, install, read_line, steps

PYTHON = Path("/venv/bin/python")


def planned(*words: str) -> list[Step]:
    return steps(read_line(["--out", "out", *words]), PYTHON, Path("/work"))


def after(step: Step, option: str) -> str:
    return step.command[list(step.command).index(option) + 1]


def test_worlds_speed_and_trial_come_in_this_order():
    names = [step.name for step in planned()]
    assert names == [
        "world-default", "world-large", "speed-plain-bf16", "speed-plain-fp16", "speed-DTDA-bf16", "speed-DTDA-fp16",
        "trial",
    ]  # fmt: skip
    shares = [step.until for step in planned()]
    assert shares == sorted(shares)
    assert shares[-2] < shares[-1] == 1.0, "time is left for the trial, whatever comes before it"


def test_speed_needs_its_world_and_runs_in_its_precision():
    for step in planned():
        if step.name.startswith("speed"):
            assert step.needs == "world-large"
            assert step.environment["ACCELERATE_MIXED_PRECISION"] == step.name.rpartition("-")[2]
            assert after(step, "--out") == str(step.run)
            assert int(after(step, "--batch_size")) == step.batch


def test_the_trial_goes_on_from_the_kept_runs_and_takes_more_options():
    step = planned("--jobs", "3", "--precision", "bf16", "--", "--data.size", "default")[-1]
    assert after(step, "--config") == "trial"
    assert after(step, "--resume-from") == str(Path("out/trial.jsonl").resolve())
    assert (after(step, "--jobs"), after(step, "--mixed_precision")) == ("3", "bf16")
    assert list(step.command)[-3:] == ["--", "--data.size", "default"]


def test_a_dry_run_is_tiny_and_in_float32():
    found = planned("--dry-run")
    assert [step.name for step in found] == ["world-tiny", "speed-plain-no", "speed-DTDA-no", "trial"]
    assert after(found[-1], "--targets") == "webcam"
    assert after(found[-1], "--max_steps") == "2"


@pytest.mark.parametrize("words", [["--minutes", "1"], ["--minutes", "nan"], ["--jobs", "0"], ["--precision", "int8"]])
def test_options_out_of_range_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        read_line(["--out", "out", *words])
    assert "error:" in capsys.readouterr().err


def log(run: Path, *records: dict[str, float]) -> None:
    run.mkdir(exist_ok=True)
    with (run / "log.jsonl").open("a") as stream:
        stream.writelines(json.dumps(record) + "\n" for record in records)


def test_speed_is_measured_between_the_warm_steps_and_the_evaluation(tmp_path):
    run, speed = tmp_path / "run", Speed(tmp_path / "run")
    speed.look(0.0)
    assert speed.rate is None
    log(run, *({"step": step, "total": 1.0} for step in range(1, 20)))
    speed.look(5.0)
    assert speed.rate is None, "the first steps are slower"
    log(run, {"step": 20, "total": 1.0})
    speed.look(10.0)
    log(run, *({"step": step, "total": 1.0} for step in range(21, 41)))
    with (run / "log.jsonl").open("a") as stream:
        stream.write('{"step": 41, "to')  # being written
    speed.look(12.0)
    assert speed.rate == 10.0
    with (run / "log.jsonl").open("a") as stream:
        stream.write('tal": 1.0}\n')
    log(run, {"step": 41, "source_dev/auc": 0.9}, {"step": 42, "total": 1.0})
    speed.look(12.1)
    assert speed.rate == pytest.approx(21 / 2.1)
    speed.look(99.0)
    assert speed.rate == pytest.approx(21 / 2.1)


def step_of(code: str) -> Step:
    return Step("name", [sys.executable, "-c", code], 1.0)


def test_a_step_that_ends_fails_or_runs_out_of_time_is_told_apart(tmp_path):
    soon = time.monotonic() + 60
    line = execute(step_of("print('done')"), tmp_path, soon, os.environ)
    assert line["ended"] == FINISHED
    assert (tmp_path / "name.txt").read_text() == "done\n"
    assert execute(step_of("raise SystemExit(3)"), tmp_path, soon, os.environ)["ended"] == FAILED
    slow = step_of("import time; time.sleep(60)")
    line = execute(slow, tmp_path, time.monotonic() + 0.2, os.environ)
    assert line["ended"] == OUT_OF_TIME
    assert line["seconds"] < 20


def test_what_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr(gpu_trial, "GRACE", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        gpu_trial.stop(process)
        assert process.returncode == -signal.SIGKILL


def test_a_folder_without_padkit_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(SystemExit, match="holds no wheel of padkit"):
        install(tmp_path / "work", tmp_path)
    assert not (tmp_path / "work").exists()


def test_the_script_needs_nothing_but_the_standard_library():
    code = f"import runpy; runpy.run_path({gpu_trial.__file__!r})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, timeout=60)
