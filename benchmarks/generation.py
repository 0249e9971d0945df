"""Frames a second at which the simulated world is rendered, encoded and stored, by its size.

    python benchmarks/generation.py [--sizes default,large] [--presentations 2000] [--workers 2] [--image_size 128]

Evenly spread runs of presentations are prepared in a folder that goes away, as a first run would prepare all of them,
start of the processes included. Sizes differ in frames a clip: what is drawn once a clip costs less a frame in a long
one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator

from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.processes import cores
from padkit_synthetic.reader import SyntheticReader

RUN = 48  # presentations: people come one after another, and what is known of a person is kept meanwhile


class Part(SyntheticReader):
    """Some of the world: runs of presentations, evenly spread."""

    every = 1

    def records(self) -> Iterator[Presentation]:
        """Yield the runs' records."""
        for number, record in enumerate(super().records()):
            if number // RUN % self.every == 0:
                yield record


def main() -> int:
    """Print a line a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="default,large")
    parser.add_argument("--presentations", type=int, default=2000, help="about how many of each size (%(default)s)")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--image_size", type=int, default=128)
    options = parser.parse_args()
    for size in options.sizes.split(","):
        reader = Part(size=size, image_size=options.image_size)
        reader.every = max(1, len(list(reader.records())) // options.presentations)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            table = prepare(reader, dataset_name="synthetic", cache_dir=folder, workers=options.workers, progress=False)
            seconds = time.perf_counter() - started
        print(
            f"{size:<8} {len(table)} frames of {options.image_size} x {options.image_size} in {seconds:.1f} s with "
            f"{options.workers} processes: {len(table) / seconds:.0f} frames a second",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
