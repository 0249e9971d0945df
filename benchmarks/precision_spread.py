"""Trains the run without arguments in float32 and in bf16 with several seeds: is bf16 within float32's spread?

    python benchmarks/precision_spread.py --seeds 5 --out build/precision [-- OPTION...]

Options after `--` go to every run (for example `--max_steps 150`). Prints each run's AUC on the target, mean and
standard deviation of both precisions, and their difference; exit status 0 if the means differ by no more than two
standard deviations of float32's seeds. A run that has finished with the same options is not made again. `--precision
fp16` (GPUs) asks the same of it.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
from pathlib import Path

from padkit.evaluation.results import read_results

COMMAND = "import sys\nfrom padkit.cli import main\nsys.argv[0] = 'padkit'\nsys.exit(main())"


def main() -> int:
    """Train, read, compare."""
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--precision", choices=("bf16", "fp16"), default="bf16")
    parser.add_argument("--out", type=Path, default=Path("build/precision"))
    asked = parser.parse_args(words[:at])
    if asked.seeds < 2:
        parser.error("a spread needs two seeds or more")
    found: dict[str, list[float]] = {"no": [], asked.precision: []}
    options = words[at + 1 :]
    for seed in range(asked.seeds):
        for precision, figures in found.items():
            run = asked.out / folder_of(precision, seed, options)
            figures.append(auc_of(run, precision, seed, options))
            print(f"{precision} seed {seed}: AUC {figures[-1]:.4f}", flush=True)
    spread = statistics.stdev(found["no"])
    means = {precision: statistics.mean(figures) for precision, figures in found.items()}
    difference = means[asked.precision] - means["no"]
    for precision, figures in found.items():
        print(f"{precision}: mean {means[precision]:.4f}, standard deviation {statistics.stdev(figures):.4f}")
    within = abs(difference) <= 2 * spread
    print(
        f"difference {difference:+.4f}, {'within' if within else 'beyond'} two standard deviations of float32's seeds"
    )
    return 0 if within else 1


def folder_of(precision: str, seed: int, options: list[str]) -> str:
    """Return the name of a run's folder, another for other options."""
    own = f"-{hashlib.sha256(repr(options).encode()).hexdigest()[:8]}" if options else ""
    return f"{precision}-seed{seed}{own}"


def auc_of(run: Path, precision: str, seed: int, options: list[str]) -> float:
    """Return the AUC (0 to 1) on the target of one run, made if it is not there."""
    if not (run / "metrics.json").exists():
        begun = any((run / "checkpoints").glob("step-*"))
        recipe = ["dtda", "--resume", str(run)] if begun else ["dtda", "--seed", str(seed), "--out", str(run), *options]
        line = [sys.executable, "-c", COMMAND, "train", "--mixed_precision", precision, *recipe]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return float(read_results(run / "metrics.json").values["auc"])


if __name__ == "__main__":
    sys.exit(main())
