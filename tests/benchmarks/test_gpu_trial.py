from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from benchmarks import gpu_trial
from benchmarks.gpu_trial import (
    FAILED,
    FINISHED,
    LEFT_OUT,
    OUT_OF_TIME,
    WAITS,
    Speed,
    Step,
    carry_out,
    execute,
    install,
    read_line,
    steps,
)
from recipe_modules import ROOT

from padkit.ablation.plan import read_plan
from padkit.commands import bench

PYTHON = Path("/venv/bin/python")


def planned(*words: str) -> list[Step]:
    return steps(read_line(["--out", "out", *words]), PYTHON, Path("/work"))


def after(step: Step, option: str) -> str:
    return step.command[list(step.command).index(option) + 1]


def test_world_benchmark_speed_and_plans_come_in_this_order():
    names = [step.name for step in planned()]
    assert names == [
        "world-large", "bench-bf16", "bench-fp16", "speed-plain-bf16", "speed-DTDA-bf16", "large", "trial",
    ]  # fmt: skip
    shares = [step.until for step in planned()]
    assert shares == sorted(shares)
    assert shares[-3] < shares[-2] == 1.0, "time is left for the plans, whatever comes before them"


def test_what_is_measured_is_measured_once_and_the_rest_goes_on():
    assert {step.name for step in planned() if step.once} == {
        "bench-bf16", "bench-fp16", "speed-plain-bf16", "speed-DTDA-bf16",
    }  # fmt: skip


def test_speed_needs_its_world_and_runs_in_its_precision():
    for step in planned():
        if step.name.startswith("speed"):
            assert step.needs == "world-large"
            assert step.environment["ACCELERATE_MIXED_PRECISION"] == step.name.rpartition("-")[2]
            assert after(step, "--out") == str(step.run)
            assert int(after(step, "--batch_size")) == step.batch


def test_the_benchmark_is_a_command_that_padkit_takes():
    for step in planned():
        if step.table:
            words = list(step.command)[3:]
            assert words[0] == "bench"
            line = bench.parse(words[1:])
            assert (line.precision, str(line.json)) == (step.name.rpartition("-")[2], str(step.table))
            assert (line.batch, line.size, line.teachers) == (256, 128, "dlib,stargan")


def test_plans_go_on_from_their_kept_runs_and_take_more_options():
    long, trial = planned("--jobs", "3", "--", "--data.size", "default")[-2:]
    for step, precision in ((long, "bf16"), (trial, "no")):
        assert after(step, "--config") == step.name
        assert after(step, "--resume-from") == str(Path(f"out/{step.name}.jsonl").resolve())
        assert (after(step, "--jobs"), after(step, "--mixed_precision")) == ("3", precision)
        assert list(step.command)[-3:] == ["--", "--data.size", "default"]
    assert [after(step, "--mixed_precision") for step in planned("--precision", "fp16")[-2:]] == ["fp16", "fp16"]
    assert planned("--plan", "trial")[-2].name == "speed-DTDA-bf16"


def test_the_long_plan_is_of_the_world_that_is_drawn():
    """Else every run would draw its own first."""
    plan = read_plan(ROOT / "recipes" / "configs" / "large.yaml")
    code, options = planned()[0].command[-1], " ".join(plan.options)
    assert '"size": "large", "image_size": 128' in code
    assert "--data.size large --data.image_size 128" in options
    assert plan.seeded == ()
    assert set(plan.cells) == {"plain", "DTDA"}


def test_a_dry_run_is_tiny_and_in_float32():
    found = planned("--dry-run")
    assert [step.name for step in found] == [
        "world-tiny", "bench-no", "speed-plain-no", "speed-DTDA-no", "large", "trial",
    ]  # fmt: skip
    for step in found[-2:]:
        assert (after(step, "--targets"), after(step, "--mixed_precision")) == ("webcam", "no")
        assert (after(step, "--max_steps"), after(step, "--data.image_size")) == ("2", "64")


MACHINE = {"device": "H100", "torch": "2.11"}


def printing(name: str, **more: Any) -> Step:
    return Step(name, [sys.executable, "-c", f"print({name!r})"], 1.0, **more)


def carried_out(out: Path, todo: list[Step], **machine: str) -> dict[str, Any]:
    report = {"machine": MACHINE | machine, "steps": []}
    carry_out(todo, out, out, 60.0, report)
    return json.loads((out / "report.json").read_text())


def test_what_has_finished_on_this_machine_is_not_measured_again(tmp_path):
    todo = [printing("world"), printing("speed", once=True), printing("trial")]
    first = carried_out(tmp_path, todo)["steps"]
    assert [line["ended"] for line in first] == [FINISHED] * 3
    printed = [tmp_path / f"{step.name}.txt" for step in todo]
    for path in printed:
        path.unlink()
    again = carried_out(tmp_path, todo)["steps"]
    assert again[1] == first[1]
    assert [path.exists() for path in printed] == [True, False, True]
    carried_out(tmp_path, todo, device="A100")
    assert printed[1].exists(), "another machine is another measurement"


def test_what_was_measured_stays_in_the_report_if_the_next_call_is_cut_off(tmp_path, monkeypatch):
    todo = [printing("world"), printing("speed", once=True)]
    carried_out(tmp_path, todo)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu_trial, "print", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        carried_out(tmp_path, todo)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [line["name"] for line in report["steps"]] == ["world", "speed"]


@pytest.mark.parametrize("content", ["", "[]", '{"steps": 3}', '{"machine": {}, "steps": [{}]}'])
def test_a_damaged_report_is_no_report(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    assert gpu_trial.finished_before(tmp_path, {}) == {}


def test_what_needs_a_step_that_did_not_finish_is_left_out(tmp_path):
    failing = Step("world", [sys.executable, "-c", "raise SystemExit(1)"], 1.0)
    lines = carried_out(tmp_path, [failing, printing("speed", needs="world")])["steps"]
    assert [line["ended"] for line in lines] == [FAILED, LEFT_OUT]


@pytest.mark.parametrize(
    ("precision", "waits", "ended"),
    [
        ("bf16", None, FINISHED),
        ("bf16", {}, FINISHED),
        ("bf16", {"loop.py:3": 3}, WAITS),
        ("fp16", {"grad_scaler.py:3": 3}, FINISHED),  # whether it overflowed decides what comes next
    ],
)
def test_the_report_has_the_benchmark_and_a_step_that_waits_is_no_success(tmp_path, precision, waits, ended):
    found = {
        "over_parts": 1.05123, "times_plain_loop": 4.2, "waiting": 0.01, "rows": [{"per_second": 2999.6}],
        "synchronisations": waits, "workload": {"precision": precision},
    }  # fmt: skip
    code = f"print('a table'); open({str(tmp_path / 't.json')!r}, 'w').write({json.dumps(found)!r})"
    step = Step("bench", [sys.executable, "-c", code], 1.0, table=tmp_path / "t.json")
    line = execute(step, tmp_path, time.monotonic() + 60, os.environ)
    assert line["ended"] == ended
    assert (line["over_parts"], line["images_per_second"], line["synchronisations"]) == (1.051, 3000, waits)


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
