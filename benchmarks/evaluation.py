"""Time and peak memory of bootstrap intervals: 1,000,000 scores x 1,000 resamples should take 60 s and 2 GB at most.

    python benchmarks/evaluation.py [--scores 1000000] [--resamples 1000] [--subjects 0]

Every figure of `padkit evaluate` with its interval, under two threshold policies, on random scores of three species.
`--subjects 0` draws presentations, any other number draws that many subjects.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from padkit.evaluation.assessment import assess
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.scores import Scores
from padkit.evaluation.thresholds import TARGET_EER


def random_scores(count: int, subjects: int, seed: int = 0) -> Scores:
    """Return scores of which three in ten are bona fide."""
    generator = np.random.default_rng(seed)
    label = (generator.random(count) < 0.3).astype(np.int64)
    species = np.array(["print", "replay", "mask"])[generator.integers(0, 3, count)]
    blank = np.full(count, "")
    return Scores(
        presentation=np.arange(count).astype(np.str_),
        dataset=blank,
        domain=blank,
        split=blank,
        subject=generator.integers(0, subjects, count).astype(np.str_) if subjects else blank,
        label=label,
        attack_type=blank,
        species=np.where(label == 1, "", species),
        device=blank,
        score=1 / (1 + np.exp(-generator.normal(4 * label - 2, 1.5))),
        frames=np.ones(count, dtype=np.int64),
    )


def main() -> None:
    """Print one line for the figures alone and one with intervals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--subjects", type=int, default=0)
    options = parser.parse_args()
    target = random_scores(options.scores, options.subjects)
    candidate = Candidate(name="random", target=target, policies=(TARGET_EER, "fixed:0.5"))
    for resamples in (0, options.resamples):
        start, busy = time.perf_counter(), time.process_time()
        found = assess(candidate, resamples=resamples)
        wall, cpu = time.perf_counter() - start, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        drawn = f"{found.units.count:,} {found.units.kind}" if found.units else "nothing"
        print(
            f"{options.scores:,} scores x {resamples:,} resamples of {drawn}: "
            f"{wall:.1f} s ({cpu:.1f} s of CPU), peak {peak:.2f} GiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
