"""Frames a second at which the simulated world is rendered, encoded and stored, and at which photographs are.

    python benchmarks/generation.py [--worlds 3,4] [--sizes default,large] [--presentations 2000] [--workers 2]
        [--image_size 128] [--photographs 60]

Evenly spread runs of presentations are prepared in a folder that goes away, as a first run would prepare all of them,
start of the processes included. Sizes differ in frames a clip: what is drawn once a clip costs less a frame in a long
one. The photographs are simulated portraits of 512 pixels, written as PNG, and are prepared by dataset `photographs`
without finding faces: live and attacks of them, each before four cameras.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.processes import cores
from padkit_synthetic.photographs.reader import PhotographsReader
from padkit_synthetic.reader import FacesReader, SyntheticReader
from padkit_synthetic.world import DRAWN, LISTED

RUN = 48  # presentations: people come one after another, and what is known of a person is kept meanwhile
PORTRAIT = 256  # pixels, doubled: what a photograph is large by


class Part(SyntheticReader):
    """Some of the world: runs of presentations, evenly spread."""

    every = 1

    def records(self) -> Iterator[Presentation]:
        """Yield the runs' records."""
        for number, record in enumerate(super().records()):
            if number // RUN % self.every == 0:
                yield record


def measure(name: str, reader: DatasetReader, workers: int) -> None:
    """Prepare all frames and print how many there were a second."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        table = prepare(reader, dataset_name="measured", cache_dir=folder, workers=workers, progress=False)
        seconds = time.perf_counter() - started
    print(
        f"{name:<24} {len(table)} frames of {reader.image_size} x {reader.image_size} in {seconds:.1f} s with "
        f"{workers} processes: {len(table) / seconds:.0f} frames a second",
        flush=True,
    )


def write_portraits(folder: Path, count: int) -> None:
    """Write `count` photographs, each of another person."""
    reader = FacesReader(identities=max(2, count), images=1, image_size=PORTRAIT)
    for record in reader.records():
        picture = Image.fromarray(next(iter(reader.frames(record))))
        picture.resize((2 * PORTRAIT, 2 * PORTRAIT), Image.Resampling.BICUBIC).save(folder / f"{record.subject}.png")


def main() -> int:
    """Print a line for each world and size, and for the photographs in each world."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--worlds", default="3,4")
    parser.add_argument("--sizes", default="default,large", help="of the simulated faces; none leaves them out")
    parser.add_argument("--presentations", type=int, default=2000, help="about how many of each size (%(default)s)")
    parser.add_argument("--photographs", type=int, default=60, help="how many; 0 leaves them out (%(default)s)")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--image_size", type=int, default=128)
    options = parser.parse_args()
    chosen = options.worlds.split(",")
    for world in (one for one in (LISTED, DRAWN) if str(one) in chosen):
        for size in options.sizes.split(",") if options.sizes != "none" else ():
            reader = Part(size=size, image_size=options.image_size, world=world)
            reader.every = max(1, len(list(reader.records())) // options.presentations)
            measure(f"world {world}, {size}", reader, options.workers)
        if options.photographs:
            with tempfile.TemporaryDirectory() as folder:
                write_portraits(Path(folder), options.photographs)
                live = PhotographsReader(root=folder, finder="none", image_size=options.image_size, world=world)
                measure(f"world {world}, photographs", live, options.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
