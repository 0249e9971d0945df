"""Time of the commands that a person waits for. `padkit plugins` should take 0.3 s at most."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time

COMMANDS = (["plugins"], ["--help"], ["--version"])
REPEATS = 11


def seconds(command: list[str]) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
    return time.perf_counter() - start


def main() -> int:
    """Print median, best and worst time of each command; the first run, which fills caches, is left out."""
    padkit = shutil.which("padkit")
    if padkit is None:
        print("padkit is not on PATH; activate its environment first", file=sys.stderr)
        return 2
    for arguments in COMMANDS:
        times = [seconds([padkit, *arguments]) for _ in range(REPEATS + 1)][1:]
        figures = f"median {statistics.median(times):.3f} s, {min(times):.3f} to {max(times):.3f} s"
        print(f"padkit {' '.join(arguments):10}{figures} ({REPEATS} runs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
