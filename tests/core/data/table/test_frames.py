"""Tables opened as one: mapped, not copied, presentations of different datasets kept apart; ordinary datasets all."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
from listed import picture, prepared, presentations
from torch.utils.data import DataLoader

from padkit.data.batches import Frames
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit.data.reader import DatasetReader
from padkit.data.table.frames import FrameTable, open_table, open_tables
from padkit.errors import DataError

SPLITS = {"train": 5, "dev": 3, "test": 4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two tables whose presentation ids are the same, and their subjects not."""
    root = tmp_path_factory.mktemp("tables")
    division = {part: [r.id for r in presentations("a", SPLITS) if r.split == part] for part in SPLITS}
    return [
        prepared(root, presentations("a", SPLITS, (2, 3)), {"1": division, "3.2": division}),
        prepared(root, presentations("b", SPLITS), simulated=True),
    ]


@pytest.fixture
def table(folders: list[Path]) -> FrameTable:
    return open_tables(folders)


def refused(call, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value), str(caught.value)


def test_rows_follow_one_another_and_nothing_is_copied(table: FrameTable, folders: list[Path]) -> None:
    first, second = map(open_table, folders)
    assert len(table) == len(first) + len(second) == 60 + 24
    assert table.starts == (0, 60)
    for row in (0, 59, 60, 83):
        part, own = (first, row) if row < 60 else (second, row - 60)
        assert np.array_equal(table.image(row), part.image(own))
    record = list(presentations("b", SPLITS))[-1]
    assert np.array_equal(table.image(83), picture(record, 16).transpose(2, 0, 1))
    files = {entry["filename"] for entry in table.dataset.cache_files}
    assert files == {str(path) for folder in folders for path in folder.glob("*.arrow")}, "not the tables' own files"
    with pytest.raises(IndexError):
        table.image(84)


def test_one_id_in_two_datasets_is_two_presentations(table: FrameTable) -> None:
    names = table.column("presentation")
    assert names[0] == names[60]
    codes = table.coded("presentation")
    assert codes.codes[0] != codes.codes[60]
    assert len(codes.dictionary) == 84
    assert codes.names[codes.codes].tolist() == names.tolist()
    summary = leave_one_out(table, "b", ["a"]).summary(table)
    assert summary["parts"]["train"]["presentations"] == 25


def test_it_pickles_by_its_folders_and_loader_processes_map_them(table: FrameTable) -> None:
    table.column("presentation")
    table.image(3)
    text = pickle.dumps(table)
    assert len(text) < 1000
    assert np.array_equal(pickle.loads(text).image(60), table.image(60))
    protocol = leave_one_out(table, "b", ["a"])
    frames = Frames(table, protocol.test, protocol.domain_index)
    loader = DataLoader(frames, batch_size=8, num_workers=1, multiprocessing_context="spawn")
    images = np.concatenate([batch["image"].numpy() for batch in loader])
    assert np.array_equal(images, np.stack([table.image(int(row)) for row in protocol.test]))


def test_what_was_prepared_is_summed(table: FrameTable, folders: list[Path]) -> None:
    about = table.preparation
    assert (about["frames"], about["presentations"], about["records"]) == (84, 84, 84)
    assert about["dataset"] == "set-a+set-b"
    assert about["simulated"] is True, "one simulated table makes the whole simulated"
    assert about["key"] not in {entry["key"] for entry in about["tables"]}
    assert open_tables(folders[:1]).preparation == open_table(folders[0]).preparation
    assert open_tables(folders[::-1]).preparation["key"] != about["key"]


def test_divisions_are_known_by_their_dataset(table: FrameTable, tmp_path: Path, folders: list[Path]) -> None:
    assert list(table.divisions()) == ["set-a:1", "set-a:3.2"]
    assert len(table.divisions()["set-a:1"].dev) == 6
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    (copy / "protocols.json").write_text('{"1": []}')
    refused(lambda: open_table(copy).divisions(), "protocols.json cannot be read")


def test_tables_that_do_not_go_together(folders: list[Path], tmp_path: Path) -> None:
    large = prepared(tmp_path, presentations("c", SPLITS), image_size=24)
    refused(lambda: open_tables([folders[0], large]), "differ in image size", f"{large} 24")
    refused(lambda: open_tables([folders[0], folders[0]]), "is named twice")
    refused(lambda: open_tables([]), "No prepared table")
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    refused(lambda: open_tables([folders[0], copy]), "both hold presentation", "of dataset 'set-a' (60 in all)")
    # Another table of the same dataset with other presentations is welcome.
    rest = prepared(tmp_path, presentations("c", {"test": 99}, dataset="set-a"))
    assert len(open_tables([folders[1], rest])) == 24 + 198
    shard = min(copy.glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-1])
    refused(lambda: open_table(copy), str(shard), "cut short")
    shard.unlink()
    refused(lambda: open_table(copy), "holds no finished table")
    refused(lambda: open_table(tmp_path), "holds no finished table")
    (copy / "preparation.json").write_text("[]")
    refused(lambda: open_table(copy), "is damaged")


@pytest.mark.parametrize(
    ("entry", "value"),
    [("dropped", 2**70), ("dropped", [{}]), ("skipped", None), ("skipped", [1]), ("skipped", [{"source": "x"}]),
     ("counts", []), ("simulated", 1), ("frames", True), ("frames", "24"), ("dataset", {}),
     ("image_size", None), ("shards", {})],
)  # fmt: skip
def test_an_entry_of_another_kind_is_refused_by_name(folders, tmp_path, entry, value):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    about = json.loads((copy / "preparation.json").read_text())
    (copy / "preparation.json").write_text(json.dumps(about | {entry: value}))
    refused(lambda: open_table(copy), "is damaged", f"entry {entry!r}")


def test_a_damaged_description_of_the_columns_is_one_line(folders, tmp_path):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    about = json.loads((copy / "dataset_info.json").read_text())
    about["features"]["device"] = []
    (copy / "dataset_info.json").write_text(json.dumps(about))
    refused(lambda: open_table(copy), "holds no finished table")


def test_a_table_with_another_number_of_frames_than_it_says_is_refused(folders, tmp_path):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    about = json.loads((copy / "preparation.json").read_text())
    (copy / "preparation.json").write_text(json.dumps(about | {"frames": about["frames"] - 1}))
    refused(lambda: open_table(copy), f"has {about['frames']} frames, not {about['frames'] - 1}")


# ---- an ordinary dataset


def check_row(row: dict, features: datasets.Features) -> None:
    record = next(presentations("b", SPLITS))
    assert np.array_equal(np.asarray(row["image"]), picture(record, 16))
    assert features["label"].int2str(row["label"]) == "bona_fide"
    assert (row["domain"], row["subject"]) == ("b", "b/train/0")
    assert isinstance(features["image"], datasets.Image)


def test_load_from_disk(folders: list[Path]) -> None:
    opened = datasets.load_from_disk(str(folders[1]))
    check_row(opened[0], opened.features)
    assert opened.cache_files, "not memory-mapped"
    assert opened.with_format("numpy")[0]["image"].shape == (16, 16, 3)


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset(folders: list[Path], tmp_path: Path, streaming: bool) -> None:
    """No dataset card is needed: names and classes stand in the Arrow schema."""
    files = str(folders[1] / "*.arrow")
    opened = datasets.load_dataset(
        "arrow", data_files=files, split="train", streaming=streaming, cache_dir=str(tmp_path)
    )
    check_row(next(iter(opened)), opened.features)
    assert sum(1 for _ in opened) == 24


def test_round_trip_through_parquet(folders: list[Path], tmp_path: Path) -> None:
    """What `push_to_hub` uploads is Parquet; its images and class names survive, with padkit's reader too."""
    from padkit.data.preparation.prepare import prepare
    from padkit_folder.huggingface import HuggingFaceReader

    (tmp_path / "hub").mkdir()
    datasets.load_from_disk(str(folders[1])).to_parquet(str(tmp_path / "hub" / "train-00000-of-00001.parquet"))
    hub, cache = str(tmp_path / "hub"), str(tmp_path / "cache")
    opened = datasets.load_dataset(hub, split="train", cache_dir=cache)
    check_row(opened[0], opened.features)
    assert opened.features["label"].names == ["attack", "bona_fide"]
    streamed = datasets.load_dataset(hub, split="train", streaming=True)
    check_row(next(iter(streamed)), streamed.features)
    reader = HuggingFaceReader(path=hub, image_size=16, domain_column="domain", presentation_column="presentation")
    again = prepare(reader, dataset_name="hub", cache_dir=tmp_path, workers=1, progress=False)
    table = open_table(folders[1])
    assert again.column("label").tolist() == table.column("label").tolist()
    assert np.array_equal(again.image(5), table.image(5))


def test_a_hub_style_folder_of_images_and_labels(tmp_path: Path) -> None:
    from padkit_folder.huggingface import HuggingFaceReader

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["spoof", "live"])})
    records = list(presentations("b", {"train": 4}))
    rows = {"image": [picture(r, 16) for r in records], "label": [r.label for r in records]}
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "data" / "train.parquet"))
    found = list(HuggingFaceReader(path=str(tmp_path), image_size=16).records())
    assert [record.label for record in found] == [record.label for record in records]


def test_preparation_stays_readable_json(folders: list[Path]) -> None:
    content = json.loads((folders[0] / "preparation.json").read_text())
    assert content["frames"] == 60


class Drawn(DatasetReader):
    """Draws noise, with room around its crops if it is asked for; what lies within does not depend on it."""

    image_size = 16
    draws_room = True

    def __init__(self, room: float, name: str = "drawn") -> None:
        self.room, self.name = room, name

    def records(self):
        return [replace(record, dataset=self.name) for record in presentations("a", SPLITS)]

    def frames(self, presentation):
        beyond = CropOptions(size=16, room=self.room).beyond
        whole = np.zeros((16 + 2 * beyond,) * 2 + (3,), np.uint8)
        whole[beyond : beyond + 16, beyond : beyond + 16] = picture(replace(presentation, dataset="a"), 16)
        return [whole]


def test_room_is_stored_and_only_shown_to_those_who_ask(tmp_path: Path) -> None:
    plain, near, far = (
        prepare(Drawn(room, name), dataset_name=name, cache_dir=tmp_path, workers=1, progress=False)
        for room, name in ((0.0, "plain"), (0.1, "near"), (0.25, "far"))
    )
    assert len({table.preparation["key"] for table in (plain, near, far)}) == 3
    assert "room" not in plain.preparation
    assert [table.room for table in (plain, near, far)] == [0, 0.1, 0.25]
    for row in range(len(plain)):
        assert np.array_equal(near.image(row), plain.image(row))
        assert np.array_equal(plain.surroundings(row), plain.image(row).transpose(1, 2, 0))
        assert near.surroundings(row).shape == (20, 20, 3)
    joined = open_tables([near.folder, far.folder, plain.folder])
    assert joined.room == 0, "there is room around every crop only if there is around each table's"
    assert open_tables([near.folder, far.folder]).room == 0.1
    for table, start in zip((near, far, plain), joined.starts, strict=True):
        assert np.array_equal(joined.image(start + 3), table.image(3))
