"""Runs many mutated inputs and reports those that ended badly: `python -m mutations 1000 --seed 0`."""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

from mutations.cases import Ground, case_of, own_folder
from mutations.judging import judge


def main() -> int:
    """Return 1 if a case ended badly."""
    parser = argparse.ArgumentParser(prog="python -m mutations", description=__doc__)
    parser.add_argument("count", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other inputs (%(default)s)")
    parser.add_argument("--only", type=int, help="run this case alone and print what it said")
    parser.add_argument("--first", type=int, default=0, help="number of the first (%(default)s)")
    options = parser.parse_args()
    began, ends, faults = time.process_time(), collections.Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        os.environ["PADKIT_CACHE"] = f"{name}/cache"
        ground = Ground(Path(name))
        numbers = range(options.first, options.first + options.count) if options.only is None else [options.only]
        for number in numbers:
            with own_folder(ground) as folder:
                outcome = judge(case_of(number, options.seed, ground, Path(folder)))
            ends["bad" if outcome.faults else f"exit {outcome.status}"] += 1
            if options.only is not None:
                print(outcome.case.shown, outcome.status, outcome.out, outcome.err, sep="\n")
            if outcome.faults:
                faults += 1
                print(
                    f"{number} {outcome.case.mutation}: {'; '.join(outcome.faults)}\n    {outcome.case.shown[:300]}",
                    flush=True,
                )
    spent = time.process_time() - began
    told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    print(f"{sum(ends.values())} mutated inputs, seed {options.seed}: {told}; {spent:.0f} s of CPU")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
