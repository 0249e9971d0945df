"""Kills a training run at random moments and continues it; at the end its weights must be those of a run left alone.

    python benchmarks/kill_resume.py --kills 20 --folder build/kill_resume

A tiny run on the CPU (three domains of noise images, a checkpoint at every second step) is made once
without interruption and once with `kill -9` after a random time; every fourth kill waits until a checkpoint is being
written. Each time the run is continued with `--resume`. Prints where each kill hit and the comparison; the exit status
is 0 if all weights are bit-identical and at least one kill hit the writing of a checkpoint. A run left alone that is
there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

DTDA = Path(__file__).parents[1] / "recipes" / "dtda.py"
OPTIONS = (
    "--data", "folder", "--data.image_size", "32", "--target", "c", "--teachers", "none", "--tracker", "none",
    "--batch_size", "12", "--threads", "1", "--fresh_probe", "0", "--aligner", "daa+mixstyle", "--augmentation",
    "recapture+light", "--checkpoint_every", "2", "--judge_every", "3", "--student.model", "test_resnet",
)  # fmt: skip


def main() -> int:
    """Run, kill, continue and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40, help="of the tiny run; 4 steps each")
    parser.add_argument("--longest", type=float, default=6.0, help="seconds of training before a kill, at most")
    parser.add_argument("--folder", type=Path, default=Path("build/kill_resume"))
    asked = parser.parse_args()
    names = ("data", f"left-{asked.epochs}", "killed")  # a run left alone is as long as the killed one
    data, left, killed = (asked.folder / name for name in names)
    shutil.rmtree(killed, ignore_errors=True)
    if not data.exists():
        write_images(data)
    line = [sys.executable, str(DTDA), *OPTIONS, "--data.root", str(data), "--epochs", str(asked.epochs)]
    environment = {**os.environ, "PADKIT_CACHE": str(asked.folder / "cache"), "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    if not (left / "metrics.json").exists():
        subprocess.run(  # noqa: S603
            [*line, "--out", str(left)], env=environment, check=True, stdout=subprocess.DEVNULL
        )
    print(f"left alone: {steps_of(left)} steps, {time.monotonic() - began:.0f} s", flush=True)
    draw, hits = random.Random(asked.seed), 0
    command = [*line, "--out", str(killed)]
    for number in range(asked.kills):
        hit = kill_once(command, environment, killed, draw, asked.longest, writing=number % 4 == 3)
        if hit is None:
            print(f"the run ended before kill {number + 1}; give more --epochs or a smaller --longest")
            return 1
        hits += "writing" in hit
        print(f"kill {number + 1} of {asked.kills}: {hit}", flush=True)
        begun = any((killed / "checkpoints").glob("step-*"))
        command = [sys.executable, str(DTDA), "--resume", str(killed)] if begun else [*line, "--out", str(killed)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    differing = compared(left, killed)
    print(f"{asked.kills} kills, {hits} while a checkpoint was written: " + (", ".join(differing) or "bit-identical"))
    return 0 if not differing and hits else 1


def write_images(root: Path) -> None:
    """Write noise of three domains, attacks with stripes."""
    drawn = np.random.default_rng(0)
    stripes = 30 * np.sin(np.arange(32) * 2.1)[None, :, None]
    for domain, brightness in (("a", 60), ("b", 120), ("c", 180)):
        for split, count in (("train", 12), ("dev", 6), ("test", 6)):
            for kind in ("live", "spoof/print"):
                folder = root / domain / split / kind
                folder.mkdir(parents=True)
                for number in range(count):
                    pixels = drawn.normal(brightness, 20, (32, 32, 3)) + (stripes if kind != "live" else 0)
                    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")


def kill_once(
    command: list[str], environment: dict[str, str], run: Path, draw: random.Random, longest: float, *, writing: bool
) -> str | None:
    """Start or continue the run and kill it; return where that hit, None if the run ended before."""
    before = steps_of(run)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as process:  # noqa: S603
        while process.poll() is None and steps_of(run) <= before:
            time.sleep(0.002)
        until = time.monotonic() + draw.uniform(0, longest)
        while process.poll() is None and time.monotonic() < until and not writing:
            time.sleep(0.002)
        while writing and process.poll() is None and not unfinished(run):
            time.sleep(0.0005)
        time.sleep(draw.uniform(0, 0.01) if writing else 0)
        caught = unfinished(run)
        if process.poll() is not None:
            return None
        process.kill()
    where = f"writing {caught}" if caught else "training"
    return f"after step {steps_of(run)}, {where}"


def unfinished(run: Path) -> str:
    """Return the name of the checkpoint that is being written, "" if none is."""
    return next((path.name for path in (run / "checkpoints").glob(".step-*")), "")


def steps_of(run: Path) -> int:
    """Return the last step in a run's log, 0 without one."""
    try:
        lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    found = 0
    for line in lines:
        try:
            found = max(found, int(json.loads(line)["step"]))
        except ValueError:  # cut short by the kill
            continue
    return found


def compared(left: Path, killed: Path) -> list[str]:
    """Return what differs: weights of the last checkpoint, the shipped ones, figures and log."""
    last = max(path.name for path in (left / "checkpoints").glob("step-*"))
    files = [f"checkpoints/{last}/model.safetensors", "checkpoints/selected.safetensors", "model/model.safetensors"]
    differing = []
    for file in files:
        one, other = load_file(left / file), load_file(killed / file)
        if one.keys() != other.keys() or any(one[name].tobytes() != other[name].tobytes() for name in one):
            differing.append(file)
    texts = ["metrics.json", "log.jsonl"]
    return differing + [file for file in texts if (left / file).read_text() != (killed / file).read_text()]


if __name__ == "__main__":
    sys.exit(main())
