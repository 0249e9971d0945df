"""Parquet files at an address of fsspec are streamed: here in memory, which stands for any store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pytest
from PIL import Image

from padkit.errors import DataError
from padkit_folder.huggingface import HuggingFaceReader


def row(number: int, label: int) -> dict[str, object]:
    png = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(png, "png")
    return {"image": {"bytes": png.getvalue(), "path": None}, "label": label, "person": f"p{number}"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """Two training files and one of test, six rows each, whose images are as bright as their number."""
    memory = fsspec.filesystem("memory")
    for at, name in enumerate(("train-0.parquet", "train-1.parquet", "test-0.parquet")):
        rows = [row(6 * at + place, place % 2) for place in range(6)]
        table = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False))
        table.to_parquet(str(tmp_path / name))
        memory.pipe_file(f"/faces/{name}", (tmp_path / name).read_bytes())
    yield "memory://faces"
    memory.rm("/faces", recursive=True)


def test_rows_at_an_address_are_read_in_any_order(store: str) -> None:
    reader = HuggingFaceReader(path=store, subject_column="person")
    records = list(reader.records())
    assert len(records) == 18
    assert {one.split for one in records} == {"train", "test"}
    assert [one.label for one in records] == [0, 1] * 9
    for record in (records[13], records[2], records[3], records[0]):  # forwards, backwards, over files
        assert next(iter(reader.frames(record))).mean() == int(record.subject[1:])


def test_a_changed_file_is_another_dataset(store: str, tmp_path: Path) -> None:
    before = HuggingFaceReader(path=store).fingerprint()
    assert HuggingFaceReader(path=store).fingerprint() == before
    fsspec.filesystem("memory").pipe_file("/faces/train-1.parquet", (tmp_path / "test-0.parquet").read_bytes())
    assert HuggingFaceReader(path=store).fingerprint() != before


@pytest.mark.parametrize(
    ("address", "told"),
    [("memory://nowhere", "holds no Parquet file"), ("nonsense://x", r"nonsense://x cannot be read .*credentials")],
)
def test_what_cannot_be_read_is_one_line(address: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        list(HuggingFaceReader(path=address).records())
    assert "\n" not in str(caught.value)
