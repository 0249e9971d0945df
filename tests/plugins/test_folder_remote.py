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
from padkit_folder.remote import _address_of, _split_of


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


@pytest.mark.parametrize(
    ("place", "root", "split"),
    [
        ("bucket/train-faces/test-0.parquet", "bucket/train-faces", "test"),
        ("bucket/train/faces/test-0.parquet", "bucket/train/faces/*.parquet", "test"),
        ("bucket/train/test-0.parquet", "bucket/train/test-0.parquet", "test"),
        ("bucket/train/faces/0.parquet", "bucket/train/faces/*.parquet", ""),
        ("bucket/faces/val/0.parquet", "bucket/faces/*/0.parquet", "val"),
        ("bucket/faces/test-set/train-0.parquet", "bucket/faces", "train"),
        ("/faces/dev_0.parquet", "/faces", "dev"),
    ],
)
def test_a_split_is_told_below_what_was_asked_for_as_in_a_local_folder(place: str, root: str, split: str) -> None:
    """What a bucket is called divides nothing, and a file's name comes before its folder's."""
    assert _split_of(place, root) == split


def test_files_of_a_pattern_keep_their_splits(store: str) -> None:
    """Its folder is called like a split."""
    memory = fsspec.filesystem("memory")
    for name in ("train-0.parquet", "test-0.parquet"):
        memory.copy(f"/faces/{name}", f"/faces/train/all/{name}")
    records = HuggingFaceReader(path=f"{store}/train/all/*.parquet").records()
    assert [one.split for one in records] == ["test"] * 6 + ["train"] * 6


@pytest.mark.parametrize(
    ("place", "root", "address", "found"),
    [
        ("/data/x/0.parquet", "/data/x", "hdfs://name:8020/data/x/", "hdfs://name:8020/data/x/0.parquet"),
        ("bucket/x/0.parquet", "bucket/x/*.parquet", "s3://bucket/x/*.parquet", "s3://bucket/x/0.parquet"),
        ("box/x/0.parquet", "box/x", "abfs://box@account.dfs.core.windows.net/x", ""),
    ],
)
def test_the_host_of_an_address_stays_with_its_files(place: str, root: str, address: str, found: str) -> None:
    assert _address_of(place, root, address) == found
