"""WMCA: HDF5 files, their names, lists and frames."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest
from native_checks import counts, refused
from public_checks import read
from trees_public import WMCA, text, wmca_file, write_wmca

from padkit.data.presentation import Presentation
from padkit.errors import DataError, PluginError
from padkit_public.wmca import WmcaReader


@pytest.fixture
def reader(tmp_path):
    return WmcaReader(root=str(write_wmca(tmp_path)))


def test_records(tmp_path, reader):
    records = {record.id: record for record in read(reader)}
    assert list(records) == sorted(WMCA), "the CDIT files of the same names are passed over"
    assert records["01.02.18/005_01_000_0_01"] == Presentation(
        dataset="wmca",
        domain="wmca",
        id="01.02.18/005_01_000_0_01",
        label=1,
        split="train",
        subject="wmca/005",
        session="01",
        path=str(tmp_path / "preprocessed-face-station_RGB/01.02.18/005_01_000_0_01.hdf5"),
    )
    attacks = {record.id[9:]: (record.attack_type, record.species) for record in records.values() if not record.label}
    assert attacks == {
        "100_03_015_2_10": ("mask", "paper_mask"),
        "018_02_000_3_09": ("print", "print"),
        "018_02_000_3_10": ("replay", "electronic_photo"),
        "514_01_035_1_05": ("partial", "glasses"),
        "530_03_001_2_18": ("mask", "flexible_mask"),
        "019_01_000_4_01": ("replay", "video"),
    }
    assert records["12.02.18/100_03_015_2_10"].subject == "wmca/100", "the client, not the presenter 015"
    assert counts(list(records.values())) == {
        ("train", 1): 1,
        ("train", 0): 1,
        ("dev", 0): 2,
        ("test", 1): 1,
        ("test", 0): 3,
    }
    assert sum(WmcaReader.expected.values()) == 1679


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("1_08", ("partial", "wig")),
        ("1_13", ("mask", "rigid_mask")),
        ("1_15", ("partial", "paper_glasses")),
        ("2_01", ("mask", "mannequin")),
        ("2_17", ("mask", "rigid_mask")),
        ("2_75", ("mask", "flexible_mask")),
        ("2_50", ("mask", "fake_face")),
        ("5_139", ("makeup", "makeup")),
    ],
)
def test_instruments(tmp_path, code, names):
    wmca_file(tmp_path / f"01.02.18/500_01_001_{code}.hdf5")
    (record,) = WmcaReader(root=str(tmp_path)).records()
    assert (record.attack_type, record.species) == names


def test_protocols(reader):
    protocols = reader.protocols()
    assert list(protocols) == ["LOO_glasses", "grandtest"]
    parts = {part: tuple(name for name, own in WMCA.items() if own == part) for part in ("train", "dev", "eval")}
    grandtest = protocols["grandtest"]
    assert (grandtest.train, grandtest.dev, grandtest.test) == (parts["train"], parts["dev"], parts["eval"])
    assert protocols["LOO_glasses"].test == parts["eval"]


def test_no_lists_no_splits(tmp_path):
    reader = WmcaReader(root=str(write_wmca(tmp_path, lists=False) / "preprocessed-face-station_RGB"))
    assert {record.split for record in read(reader)} == {""}
    assert reader.protocols() == {}


def test_list_errors(tmp_path, reader):
    path = tmp_path / "wmca-protocols-csv/PROTOCOL-LOO_prints.csv"
    text(path, "path,group", "12.02.18/999_03_015_2_10,train")
    refused(reader.protocols, path, "'12.02.18/999_03_015_2_10'")
    text(path, "path,group", "12.02.18/100_03_015_2_10,training?")
    refused(reader.protocols, f"{path}, line 2", "train, dev or eval")


@pytest.mark.parametrize("name", ["100_03_015_2.hdf5", "100_03_015_6_10.hdf5", "1_03_015_2_10.h5"])
def test_unknown_files(tmp_path, reader, name):
    path = wmca_file(tmp_path / "preprocessed-face-station_RGB/12.02.18" / name)
    refused(lambda: list(reader.records()), path, "unknown name", "<client>_<session>_<presenter>_<type>_<pai>")


def test_frames_are_sorted_by_number_and_turned_to_rows_columns_channels(reader):
    with reader.open_media(next(iter(reader.records()))) as source:
        assert len(source) == 3
        taken = dict(source.take([0, 2]))
        (middle,) = source.take([1])
    assert list(taken) == [0, 2]
    for number, frame in taken.items():
        assert frame.dtype == np.uint8
        assert frame.shape == (128, 128, 3)
        assert frame.flags.c_contiguous
        # Groups are Frame_0, Frame_2, Frame_10, which as text would come as 0, 10, 2.
        assert set(frame[:, :, 0].ravel()) == {{0: 0, 2: 10}[number]}
        assert (frame[:, :, 1] == np.arange(128)[:, None]).all(), "green counts rows"
        assert (frame[:, :, 2] == np.arange(128)[None]).all(), "blue counts columns"
    assert middle[0] == 1
    assert middle[1][0, 0, 0] == 2


def test_damaged_files(tmp_path, reader):
    record = next(iter(reader.records()))

    def damage(make) -> None:
        with h5py.File(record.path, "w") as file:
            make(file)

    def take_first() -> object:
        with reader.open_media(record) as source:
            return next(source.take([0]))

    damage(lambda file: file.create_group("Other"))
    refused(take_first, record.path, "no groups Frame_<n>")
    damage(lambda file: file.create_group("Frame_0"))
    refused(take_first, record.path, "Frame_0 cannot be read")
    damage(lambda file: file.create_dataset("Frame_0/array", data=np.zeros((4, 8, 8), np.uint8)))
    refused(take_first, record.path, "uint8 [4, 8, 8]", "not uint8 [3, H, W]")
    damage(lambda file: file.create_dataset("Frame_0/array", data=np.zeros((3, 8, 8))))
    refused(take_first, "float64 [3, 8, 8]")
    text(tmp_path / "preprocessed-face-station_RGB" / f"{record.id}.hdf5", "no HDF5")
    refused(take_first, record.path, "not a readable HDF5 file")


def test_without_h5py(reader, monkeypatch):
    record = next(iter(reader.records()))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(PluginError, match=r"pip install 'padkit\[hdf5\]'") as error:
        reader.open_media(record)
    assert not isinstance(error.value, DataError), "it would be skipped as one damaged file of many"
