"""Presentations by the dozen: as columns without images, as a reader of noise, and as prepared tables on disk."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.data.table.columns import Coded, encode

TEXTS = ("dataset", "domain", "split", "subject", "presentation", "species", "attack_type", "session")
# Live and attack presentations of each person, and people by split, as published.
OCIM = {
    "O": ("oulu-npu", (18, 72), {"train": 20, "dev": 15, "test": 20}),
    "C": ("casia-fasd", (3, 9), {"train": 20, "test": 30}),
    "I": ("replay-attack", (4, 20), {"train": 15, "dev": 15, "test": 20}),
    "M": ("msu-mfsd", (2, 6), {"train": 15, "test": 20}),
}


def presentations(
    domain: str, splits: Mapping[str, int], counts: tuple[int, int] = (1, 1), dataset: str = "", known: bool = True
) -> Iterator[Presentation]:
    """`counts` live and attack presentations of each person, `splits[split]` people a split."""
    for split, people in splits.items():
        for person in range(people):
            for label, count in zip((1, 0), counts, strict=True):
                for number in range(count):
                    yield Presentation(
                        dataset=dataset or f"set-{domain}", domain=domain, split=split, label=label,
                        id=f"{split}/{person:03d}/{'live' if label else 'attack'}{number:02d}",
                        subject=f"{domain}/{split}/{person}" if known else "",
                        attack_type="" if label else "print", species="" if label else f"printer{number % 2 + 1}",
                    )  # fmt: skip


def ocim() -> list[Presentation]:
    """The four datasets of leave-one-out, with as many people and presentations as the real ones."""
    return [
        record
        for domain, (dataset, counts, splits) in OCIM.items()
        for record in presentations(domain, splits, counts, dataset)
    ]


class Listed:
    """A table without images: one row a presentation."""

    def __init__(self, records: Iterable[Presentation]) -> None:
        self.records = list(records)
        values = {
            name: [record.id if name == "presentation" else getattr(record, name) for record in self.records]
            for name in TEXTS
        }
        self.codes = {
            name: encode(pa.chunked_array([pa.array(column, pa.string())])) for name, column in values.items()
        }
        owners = self.codes["dataset"].codes
        self.codes["presentation"] = self.codes["presentation"].within(owners)
        self.labels = np.array([record.label for record in self.records], np.int64)

    def column(self, name: str) -> np.ndarray:
        return self.labels if name == "label" else self.coded(name).names[self.coded(name).codes]

    def coded(self, name: str) -> Coded:
        return self.codes[name]

    def ids(self, rows: np.ndarray) -> set[str]:
        return {self.records[row].id for row in rows}


class Noise(DatasetReader):
    """A frame of noise, the presentation's own, for each record."""

    def __init__(self, records: Iterable[Presentation], image_size: int = 16, simulated: bool = False) -> None:
        self.listed = list(records)
        self.image_size = image_size
        self.simulated = simulated

    def records(self) -> list[Presentation]:
        return self.listed

    def frames(self, presentation: Presentation) -> Iterator[np.ndarray]:
        yield picture(presentation, self.image_size)


def picture(presentation: Presentation, side: int) -> np.ndarray:
    seed = zlib.crc32(f"{presentation.dataset} {presentation.id}".encode())
    # Attacks are brighter, so that a detector has something to learn.
    low = 60 if presentation.label else 120
    return np.random.default_rng(seed).integers(low, low + 120, (side, side, 3), dtype=np.uint8)


def prepared(
    folder: Path, records: Iterable[Presentation], protocols: Mapping[str, Any] | None = None, **settings: Any
) -> Path:
    """Prepare the records as a table below `folder`; `protocols` go beside it as `padkit prepare` writes them."""
    listed = list(records)
    reader = Noise(listed, **settings)
    table = prepare(reader, dataset_name=listed[0].dataset, cache_dir=folder, workers=1, progress=False)
    if protocols is not None:
        (table.folder / "protocols.json").write_text(json.dumps(protocols))
    return table.folder
