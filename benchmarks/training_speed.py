"""Measures what issue 17 bounds, back to back on one machine, and prints the ratios. Best run on a quiet machine.

    python benchmarks/training_speed.py [--only step,data,load,memory,run] [--steps 60] [--before CHECKOUT] [--json F]

- `step`: `padkit bench train`: the step over the sum of its parts (at most 1.10), and against the plain loop (at least
  2.5 times as fast on two cores);
- `data`: `padkit bench data`;
- `load`: a default training alone, beside a process that keeps one core busy (at most 1.7 times as long), and two side
  by side (at most 2.2 times each);
- `memory`: resident memory over 5,000 steps of a small student (flat);
- `run`: the run without arguments, of this checkout and of --before, in turn.

bfloat16 where the CPU has matrix units for it, as `make dtda` chooses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("step", "data", "load", "memory", "run")
COMMAND = "import sys; from padkit.cli import main; sys.exit(main())"
BUSY = "while True: pass"
STILL = "--judge_every 0 --fresh_probe 0 --tracker none --thumbnails false --checkpoint_every 1000000 --epochs 1000"
LEARNING = """
import sys, tempfile, pathlib, psutil
from accelerate import Accelerator
from padkit.inspection.drawn_crops import DrawnTable
from padkit.inspection.training_speed import Workload, _Loop
from padkit.runs.folder import RunFolder
steps, own = int(sys.argv[1]), psutil.Process()
load = Workload(model="test_resnet", teachers=("stargan",), batch=12, size=32)
with tempfile.TemporaryDirectory() as folder:
    run = RunFolder.create(pathlib.Path(folder) / "run", {}, {})
    loop = _Loop(load, Accelerator(cpu=True), run, DrawnTable(96, 32))
    for step in range(1, steps + 1):
        loop.whole()
        if step in (steps // 5, steps):
            print(own.memory_info().rss / 2**20)
"""


def precision() -> str:
    """Return bf16 where it pays, else no."""
    try:
        return "bf16" if "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else "no"
    except OSError:
        return "no"


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which the code of a checkout runs, with its threads left to it."""
    left = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "PADKIT_THREADS")}
    before = left.get("PYTHONPATH", "").split(os.pathsep)
    own = [str(root / "core"), str(root / "plugins")]
    return {**left, "PYTHONPATH": os.pathsep.join([*own, *filter(None, before)])}


def start(words: list[str], root: Path = ROOT) -> subprocess.Popen[str]:
    """Start padkit with these words."""
    return subprocess.Popen(  # noqa: S603 -- our own words
        [sys.executable, "-c", COMMAND, *words], env=environment(root), cwd=root, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process and return what it printed.

    Raises:
        SystemExit: It failed.
    """
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(f"error: {' '.join(map(str, process.args[3:]))}: {said.strip().splitlines()[-1:]}")
    return said


def training(steps: int, out: Path) -> list[str]:
    """Return the words of a default training of so many steps."""
    own = ["--max_steps", str(steps), "--data.size", "small", "--out", str(out), *STILL.split()]
    return ["train", "--num_processes", "1", "--mixed_precision", precision(), "dtda", *own]


def lasted(words: list[list[str]], beside: list[str] | None = None, root: Path = ROOT) -> tuple[list[float], list[str]]:
    """Return the seconds that commands take which start together, and what they say of threads.

    Args:
        words: Of each command.
        beside: Python code that runs meanwhile.
        root: The checkout.
    """
    other = subprocess.Popen([sys.executable, "-c", *beside]) if beside else None  # noqa: S603 -- our own words
    try:
        begun, running = time.monotonic(), [start(one, root) for one in words]
        found, told, left = dict[int, float](), list[str](), set(range(len(running)))
        while left:
            for place in [place for place in left if running[place].poll() is not None]:
                found[place] = time.monotonic() - begun
                left.remove(place)
                said = finish(running[place])
                told += [line for line in said.splitlines() if line.startswith("threads:")]
            time.sleep(0.05)
    finally:
        if other:
            other.kill()
            other.wait()
    return [found[place] for place in sorted(found)], told


def measure_load(steps: int, folder: Path) -> dict[str, Any]:
    """Return the times of a default training alone, beside a busy core, and of two side by side."""
    lasted([training(2, folder / "first")])  # prepares the data
    quiet, told = lasted([training(steps, folder / "quiet")])
    busy, told_busy = lasted([training(steps, folder / "busy")], [BUSY])
    both, told_both = lasted([training(steps, folder / "one"), training(steps, folder / "two")])
    return {
        "quiet_s": quiet[0], "busy_s": busy[0], "both_s": both, "busy_over_quiet": busy[0] / quiet[0],
        "both_over_quiet": max(both) / quiet[0], "said": {"quiet": told, "busy": told_busy, "both": told_both},
    }  # fmt: skip


def measure_memory(steps: int) -> dict[str, Any]:
    """Return the resident memory after a fifth of the steps and after all, in MiB."""
    words = [sys.executable, "-c", LEARNING, str(steps)]
    done = subprocess.run(words, env=environment(ROOT), check=True, capture_output=True, text=True)  # noqa: S603 -- ours
    early, late = map(float, done.stdout.split()[-2:])
    return {"steps": steps, "mib_after_a_fifth": early, "mib_at_the_end": late, "growth_mib": late - early}


def measure_run(before: Path | None, folder: Path) -> dict[str, Any]:
    """Return the seconds of the run without arguments, of --before and of this checkout."""
    found: dict[str, Any] = {}
    words = ["train", "--num_processes", "1", "--mixed_precision", precision(), "dtda"]
    checkouts = {name: root for name, root in {"before": before, "after": ROOT}.items() if root}
    for name, root in checkouts.items():  # prepares the data, which whoever came second would find there
        lasted([[*words, "--max_steps", "1", "--out", str(folder / f"{name}-first")]], root=root)
    for name, root in checkouts.items():
        (found[f"{name}_s"],), _ = lasted([[*words, "--out", str(folder / name)]], root=root)
    if before:
        found["after_over_before"] = found["after_s"] / found["before_s"]
    return found


def main() -> int:
    """Measure what was asked for; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--only", default=",".join(PARTS), help="what to measure (%(default)s)")
    add("--steps", type=int, default=60, help="steps of each training under load (%(default)s)")
    add("--memory-steps", type=int, default=5000, help="steps whose memory is watched (%(default)s)")
    add("--batch", type=int, default=48, help="images per step of `step` (%(default)s)")
    add("--seconds", type=float, default=6.0, help="seconds of each part of `step` (%(default)s)")
    add("--threads", type=int, default=0, help="threads of `step`; those free by default")
    add("--before", type=Path, help="a checkout of the code to compare the run without arguments with")
    add("--json", type=Path, help="write the figures")
    line = parser.parse_args()
    chosen = line.only.split(",")
    if wrong := [name for name in chosen if name not in PARTS]:
        parser.error(f"--only {wrong[0]}: choose from {', '.join(PARTS)}")
    found: dict[str, Any] = {"load_before": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory(prefix="padkit-speed-") as temporary:
        folder = Path(temporary)
        bench = ["--json", str(folder / "bench.json")]
        if "step" in chosen:
            sizes = ["--batch", str(line.batch), "--threads", str(line.threads), "--seconds", str(line.seconds)]
            print(finish(start(["bench", "train", "--precision", precision(), *sizes, *bench])), flush=True)
            found["step"] = json.loads((folder / "bench.json").read_text())
        if "data" in chosen:
            print(finish(start(["bench", "data", *bench])), flush=True)
            found["data"] = json.loads((folder / "bench.json").read_text())
        if "load" in chosen:
            found["load"] = measure_load(line.steps, folder)
        if "memory" in chosen:
            found["memory"] = measure_memory(line.memory_steps)
        if "run" in chosen:
            found["run"] = measure_run(line.before, folder)
    found["load_after"] = os.getloadavg()[0]
    told = {name: value for name, value in found.items() if name not in ("step", "data")}
    if "step" in found:
        told["step"] = {name: found["step"][name] for name in ("over_parts", "times_plain_loop", "waiting")}
    print(json.dumps(told, indent=1))
    if line.json:
        line.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
