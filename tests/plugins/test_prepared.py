"""The dataset `prepared`: tables made before, opened by the recipes' ordinary way."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import make_dataclass
from pathlib import Path

import numpy as np
import pytest
from listed import prepared, presentations

from padkit.catalog import Catalog
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.official import official_protocols
from padkit.data.protocols.protocol import protocol_for
from padkit.errors import DataError, SettingsError
from padkit.plugins import Component, Discovery, Plugin
from padkit.settings.recipes import Slot, read_settings
from padkit_folder import padkit_datasets
from padkit_folder.tables import TablesReader

SPLITS = {"train": 5, "dev": 3, "test": 4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("tables")
    division = {part: [r.id for r in presentations("a", SPLITS) if r.split == part] for part in SPLITS}
    first = prepared(root, presentations("a", SPLITS), {"1": division})
    return [str(first), str(prepared(root, presentations("b", SPLITS), simulated=True))]


def catalog() -> Catalog:
    owner = Plugin("folder", "padkit_folder", "padkit", "0")
    return Catalog(Discovery((owner,), tuple(Component("dataset", spec, owner) for spec in padkit_datasets())))


def test_from_the_command_line_to_a_protocol(folders: list[str]) -> None:
    options = make_dataclass("Options", [])
    slots = {"data": Slot("dataset", "folder")}
    line = ["--data", "prepared", "--data.folders", ",".join(folders)]
    choice = read_settings(options, slots, line, catalog()).one("data")
    assert choice.settings == {"folders": folders}
    reader = catalog().build_chosen(choice)
    assert (reader.image_size, reader.simulated, reader.default_target) == (16, True, "")
    assert TablesReader(folders=folders[:1]).simulated is False
    table = prepare(reader, dataset_name="prepared")
    assert list(table.folders) == list(map(Path, folders))
    protocol = protocol_for(table, reader, protocol="a->b", convention="ssdg")
    assert (protocol.name, len(protocol.test)) == ("a->b", 18)
    official = protocol_for(table, reader, protocol="set-a:1")
    assert (len(official.train), len(official.dev), len(official.test)) == (10, 6, 8)
    assert list(official_protocols(table, reader)) == ["set-a:1"]
    with pytest.raises(SettingsError, match="--protocol 'a->b' names sources and targets itself; drop --target"):
        protocol_for(table, reader, protocol="a->b", target="b")
    with pytest.raises(SettingsError, match="drop --sources"):
        protocol_for(table, reader, protocol="a->b", sources=["a"])


def test_records_and_frames(folders: list[str]) -> None:
    reader = pickle.loads(pickle.dumps(TablesReader(folders=folders)))
    records = list(reader.records())
    assert len(records) == 48
    assert [record.id for record in records[:1] + records[24:25]] == [
        "set-a/train/000/live00",
        "set-b/train/000/live00",
    ]
    whole = list(presentations("b", SPLITS))
    last = records[-1]
    assert (last.subject, last.label, last.species) == (whole[-1].subject, 0, "printer1")
    table = prepare(reader, dataset_name="prepared")
    (frame,) = reader.frames(last)
    assert np.array_equal(frame.transpose(2, 0, 1), table.image(47))
    assert next(iter(TablesReader(folders=folders[:1]).records())).id == "train/000/live00"


def test_folders_that_hold_no_table(folders: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no prepared table"):
        TablesReader(folders=[])
    parent = Path(folders[0]).parent
    with pytest.raises(DataError, match="did you mean") as caught:
        TablesReader(folders=[str(parent)])
    assert all(folder in str(caught.value) for folder in folders)
    with pytest.raises(DataError, match="make it with `padkit prepare`") as caught:
        TablesReader(folders=[folders[0], str(tmp_path)])
    assert "\n" not in str(caught.value)


def test_what_was_skipped_is_told_again_and_refused_under_strict(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    about = json.loads((copy / "preparation.json").read_text())
    about["skipped"] = [{"presentation": "p", "source": "p.avi", "reason": "p.avi: no face."}]
    (copy / "preparation.json").write_text(json.dumps(about))
    reader = TablesReader(folders=[str(copy), folders[1]])
    assert prepare(reader, dataset_name="prepared").skipped == about["skipped"]
    assert "1 of 24 files" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"p\.avi: no face"):
        prepare(reader, dataset_name="prepared", strict=True)


def test_lists_are_read_only_when_their_protocol_is_asked_for(folders: list[str]) -> None:
    class Lists(dict):
        def __getitem__(self, name):
            if name == "2":
                raise DataError("Protocol 2 lacks Test.txt.")
            return super().__getitem__(name)

    class Own(TablesReader):
        def protocols(self):
            return Lists({"2": None, "9": known["set-a:1"]})

    reader = Own(folders=folders[:1])
    table = prepare(reader, dataset_name="prepared")
    known = table.divisions()
    assert sorted(official_protocols(table, reader)) == ["set-a:1", "set-a:2", "set-a:9"]
    assert protocol_for(table, reader, protocol="set-a:9").name == "set-a:9"
    assert protocol_for(table, reader, protocol="set-a:1").name == "set-a:1"
    with pytest.raises(DataError, match=r"Protocol 2 lacks Test\.txt"):
        protocol_for(table, reader, protocol="set-a:2")
    with pytest.raises(SettingsError, match=r"'set-a:8'|set-a:8 is unknown"):
        protocol_for(table, reader, protocol="set-a:8")
