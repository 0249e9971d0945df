"""A table of half a million records: time to open it and to draw a protocol, and what the data side of training holds.

    python benchmarks/large_table.py                    # makes tables of 5,000 and 500,000 records in build/large_table
    python benchmarks/large_table.py --records 2000000

Every record is a presentation and a subject of its own, the worst case for the columns; images are tiny, since they
stay on disk. Each table is measured in a process of its own: processor seconds, and resident memory beyond what the
imports took, of which `mapped` are pages of the table's files that the system may drop at any time. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader

SIDE, BATCHES, BATCH_SIZE, SMALL = 8, 200, 48, 5_000
SPLITS = {"O": ("train", "dev", "test"), "C": ("train", "test"), "I": ("train", "dev", "test"), "M": ("train", "test")}
OPEN_SECONDS, MEMORY = 2.0, 300.0  # the bounds: seconds, MiB more than the small table


class Tiny(DatasetReader):
    """Noise: `count` presentations of one frame, each of another subject, in four domains."""

    image_size = SIDE

    def __init__(self, count: int) -> None:
        self.count = count

    def records(self) -> Iterable[Presentation]:
        """Yield the records."""
        for number in range(self.count):
            domain = "OCIM"[number % 4]
            split = SPLITS[domain][number // 8 % len(SPLITS[domain])]
            label = number // 4 % 2
            yield Presentation(
                dataset="tiny", domain=domain, split=split, label=label, subject=f"person-{number:07d}",
                id=f"{domain}/{split}/presentation-{number:07d}", attack_type="" if label else "print",
                species="" if label else f"printer{number // 8 % 3}", device="camera",
            )  # fmt: skip

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the frame."""
        seed = int(presentation.id.rpartition("-")[2])
        yield np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)


def memory() -> dict[str, float]:
    """Return resident memory in MiB, in all and that of mapped files."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    sizes = {words[0]: int(words[1]) / 1024 for words in lines if words[0] in {"VmRSS:", "RssFile:"}}
    return {"resident": sizes["VmRSS:"], "mapped": sizes["RssFile:"]}


def measure(folder: Path) -> dict[str, float]:
    """Open the table, draw a protocol, walk through some batches; return the figures."""
    import datasets  # noqa: F401 - imported by whoever opens a table
    from torch.utils.data import DataLoader

    from padkit.data.batches import BalancedBatches, Frames
    from padkit.data.preparation.prepare import open_table
    from padkit.data.protocols.protocol import leave_one_out

    before = memory()
    started = time.process_time()
    table = open_table(folder)
    opened = time.process_time()
    protocol = leave_one_out(table, "M", convention="ssdg")
    protocol.summary(table)
    drawn = time.process_time()
    frames = Frames(table, protocol.train, protocol.domain_index)
    batches = BalancedBatches(frames.labels, frames.domains, batch_size=BATCH_SIZE)
    loader, count, epoch = DataLoader(frames, batch_sampler=batches), 0, 0
    while count < BATCHES:
        batches.set_epoch(epoch)
        for _ in loader:
            count += 1
            if count == BATCHES:
                break
        epoch += 1
    after = memory()
    return {
        "open": opened - started,
        "protocol": drawn - opened,
        "batches": time.process_time() - drawn,
        **{name: after[name] - before[name] for name in after},
    }


def main() -> int:
    """Make the tables, measure each in a process of its own, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--out", default="build/large_table", help="folder of the tables")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(Path(options.measure))))
        return 0
    found = {}
    for count in (SMALL, options.records):
        table = prepare(Tiny(count), dataset_name=f"tiny-{count}", cache_dir=options.out)
        command = [sys.executable, __file__, "--measure", str(table.folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        found[count] = json.loads(done.stdout)
    heads = (
        ("records", 10),
        ("open s", 8),
        ("protocol s", 11),
        ("batches s", 10),
        ("resident MiB", 13),
        ("mapped MiB", 11),
    )
    print(" ".join(f"{head:>{width}}" for head, width in heads))
    for count, row in found.items():
        cells = (str(count), *(f"{row[name]:.2f}" for name in ("open", "protocol", "batches")))
        cells = (*cells, *(f"{row[name]:.0f}" for name in ("resident", "mapped")))
        print(" ".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, heads, strict=True)))
    opened = found[options.records]["open"]
    more = found[options.records]["resident"] - found[SMALL]["resident"]
    print(f"opens in {opened:.2f} s (bound {OPEN_SECONDS:g}), {more:.0f} MiB more (bound {MEMORY:g})")
    return int(opened >= OPEN_SECONDS or more >= MEMORY)


if __name__ == "__main__":
    sys.exit(main())
