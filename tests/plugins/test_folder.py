"""The readers of a person's own data: layouts, formats, and a line for every mistake."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from clips import moving_frames, write_clip
from PIL import Image

from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.protocols.protocol import leave_one_out
from padkit.errors import PadkitError
from padkit_folder import padkit_datasets
from padkit_folder.huggingface import HuggingFaceReader
from padkit_folder.identities import IdentitiesReader
from padkit_folder.manifest import ManifestReader
from padkit_folder.tree import FolderReader


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 24), (value, 0, 0)).save(path)
    return path


def refused(call, *parts: str) -> None:
    with pytest.raises(PadkitError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text


def read(reader) -> list[Presentation]:
    records = list(reader.records())
    assert records
    assert pickle.loads(pickle.dumps(reader)).image_size == reader.image_size
    return records


def only(records: list[Presentation]) -> Presentation:
    assert len(records) == 1
    return records[0]


def test_the_hook_names_datasets_that_can_be_built():
    specs = padkit_datasets()
    assert [spec.name for spec in specs] == ["folder", "manifest", "huggingface", "identities", "prepared"]
    for spec in specs:
        module, _, name = spec.factory.partition(":")
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_readers_import_no_torch():
    names = ("tree", "manifest", "huggingface", "identities", "tables")
    modules = ", ".join(f"padkit_folder.{name}" for name in names)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import sys, padkit_folder; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- folder


@pytest.mark.parametrize(
    ("place", "domain", "split", "label", "attack_type"),
    [
        ("office/train/live", "office", "train", 1, ""),
        ("office/devel/Spoof/print", "office", "dev", 0, "print"),
        ("office/test/attack/mask/silicone", "office", "test", 0, "mask"),
        ("office/bonafide", "office", "", 1, ""),
        ("office/fake/replay", "office", "", 0, "replay"),
        ("train/real/anna", "root", "train", 1, ""),
        ("Val/spoof", "root", "dev", 0, "unspecified"),
        ("live", "root", "", 1, ""),
        ("spoof", "root", "", 0, "unspecified"),
    ],
)
def test_folder_layouts(tmp_path, place, domain, split, label, attack_type):
    file = photo(tmp_path / "root" / place / "a_1.png")
    record = only(read(FolderReader(root=str(tmp_path / "root"))))
    assert record == Presentation(
        dataset="root",
        domain=domain,
        id=f"{place}/a_1.png",
        label=label,
        split=split,
        attack_type=attack_type,
        species=attack_type,
        path=str(file),
        frames=(0,),
    )


def test_folder_patterns(tmp_path):
    for domain in ("office", "phone"):
        for name in ("anna-c1_01.png", "anna-c1_02.png", "ben-c1_01.png"):
            photo(tmp_path / domain / "live" / name)
    records = read(
        FolderReader(root=str(tmp_path), subject_pattern="^(.+?)-", presentation_pattern=r"^(.+)_\d+", image_size=16)
    )
    assert [record.subject for record in records[:3]] == ["anna", "anna", "ben"]
    assert [record.id for record in records[:3]] == ["office/live/anna-c1", "office/live/anna-c1", "office/live/ben-c1"]
    assert [record.frames for record in records[:3]] == [(0,), (1,), (0,)]
    own = read(FolderReader(root=str(tmp_path), subject_pattern="^[a-z]+", subject_scope="domain"))
    assert {record.subject for record in own} == {"office/anna", "office/ben", "phone/anna", "phone/ben"}


def test_folder_ignores_what_is_no_photograph(tmp_path):
    photo(tmp_path / "live" / "a.png")
    for name in ("notes.txt", ".hidden.png", "live/Thumbs.db", "__MACOSX/live/a.png", ".git/x.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"x")
    only(read(FolderReader(root=str(tmp_path))))


def test_folder_errors(tmp_path):
    def records(**settings):
        return lambda: list(FolderReader(**settings).records())

    refused(records(root=str(tmp_path / "none")), "does not exist", "root")
    refused(records(root=""), "does not exist")
    refused(records(root=str(photo(tmp_path / "a.png"))), "is not a folder")
    (tmp_path / "empty").mkdir()
    refused(records(root=str(tmp_path / "empty")), "holds no images", "live", "spoof")
    for place, *parts in [
        ("office/train/livee", "'livee'", "Did you mean 'live'?"),
        ("office/liv", "'liv'", "Did you mean 'live'?"),
        ("office/trian/live", "'trian'", "Did you mean 'train'?"),
        ("printed", "'printed'", "names no label"),
        ("", "no live or spoof folder"),
        ("spoof/train", "'train'", "below label folder 'spoof'"),
        ("a/b/c/live", "'live' lies 4 levels deep", "--data.layout '{domain}/*/*/{label}/*'"),
    ]:
        root = tmp_path / f"root{len(list(tmp_path.iterdir()))}"
        photo(root / place / "x.png")
        refused(records(root=str(root)), *parts)
    photo(tmp_path / "good" / "live" / "x.png")
    refused(records(root=str(tmp_path / "good"), subject_pattern="^(.+)_"), "subject_pattern", "'x.png'")
    refused(lambda: FolderReader(root="x", subject_pattern="("), "subject_pattern", "regular expression")


def test_folder_to_protocol(tmp_path):
    root = tmp_path / "own"
    for domain in ("office", "phone", "hall"):
        for split in ("train", "test"):
            for person in range(5):
                name = f"{domain}{split}{person}_1.png"
                photo(root / domain / split / "live" / name, 200)
                photo(root / domain / split / "spoof" / "print" / name, 90)
    (root / "hall" / "test" / "live" / "x_1.png").write_bytes(b"broken")
    (root / "hall" / "test" / "live" / "y_1.mp4").write_bytes(b"film")
    reader = FolderReader(root=str(root), image_size=16, subject_pattern="^(.+)_")
    table = prepare(reader, dataset_name="own", cache_dir=tmp_path, workers=1, progress=False)
    assert len(table) == 60
    assert [Path(entry["source"]).name for entry in table.skipped] == ["x_1.png", "y_1.mp4"]
    assert "not a video" in table.skipped[1]["reason"]
    protocol = leave_one_out(table, "hall")
    assert protocol.name == "office&phone->hall"
    assert (len(protocol.train), len(protocol.dev), len(protocol.test)) == (16, 4, 10)
    assert {table.image(int(row))[0, 0, 0] for row in protocol.test} == {200, 90}


def test_folder_of_videos(tmp_path):
    for number in range(4):
        name = "live" if number % 2 else "spoof/print"
        write_clip(tmp_path / "own" / name / f"clip {number}.mp4", moving_frames(20, 32, 32))
    photo(tmp_path / "own" / "live" / "still.png", 200)
    reader = FolderReader(root=str(tmp_path / "own"), image_size=16)
    table = prepare(reader, dataset_name="own", cache_dir=tmp_path, workers=1, progress=False)
    assert table.column("frame").tolist() == [6, 16, 6, 16, 0, 6, 16, 6, 16]
    written = [moving_frames(20, 32, 32)[number].mean() for number in (6, 16)]
    assert all(abs(table.image(row).mean() - written[row]) < 2 for row in (0, 1))


# ---- manifest

ROWS = [
    {"path": "a.png", "label": "live", "subject": "s1", "split": "train", "domain": "office"},
    {
        "path": "b.png",
        "label": "SPOOF",
        "subject": "s2",
        "split": "val",
        "domain": "phone",
        "attack_type": "print",
        "species": "printer1",
        "box": "2 4 10 12",
        "frame": "7",
        "presentation": "clip",
    },
]


def written(folder: Path, kind: str, rows: list[dict[str, str]]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path = folder / f"list.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.table({name: [row.get(name) for row in rows] for name in columns}), path)
        return path
    separator = {"csv": ",", "tsv": "\t", "txt": ";"}[kind]
    lines = [separator.join(columns), *(separator.join(row.get(name, "") for name in columns) for row in rows)]
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "txt", "parquet"])
def test_manifest_formats(tmp_path, kind):
    for name in ("a.png", "b.png"):
        photo(tmp_path / name, 9)
    reader = ManifestReader(file=str(written(tmp_path, kind, ROWS)), image_size=16)
    first, second = read(reader)
    assert first == Presentation(
        dataset="list",
        domain="office",
        id="a.png",
        label=1,
        split="train",
        subject="s1",
        path=str(tmp_path / "a.png"),
        frames=(0,),
    )
    assert second == Presentation(
        dataset="list",
        domain="phone",
        id="clip",
        label=0,
        split="dev",
        subject="s2",
        attack_type="print",
        species="printer1",
        path=str(tmp_path / "b.png"),
        frames=(7,),
        box=(2.0, 4.0, 10.0, 12.0),
    )
    boxed = [Cropper(reader).crops(record, Tally())[0][1] for record in (first, second)]
    assert [crop.shape for crop in boxed] == [(16, 16, 3)] * 2


def test_manifest_of_path_and_label_is_one_domain(tmp_path):
    rows = [{"path": f"{n}.png", "label": "real" if n % 2 else "fake"} for n in range(20)]
    for row in rows:
        photo(tmp_path / row["path"])
    reader = ManifestReader(file=str(written(tmp_path, "csv", rows)), image_size=16)
    table = prepare(reader, dataset_name="own", cache_dir=tmp_path, workers=1, progress=False)
    protocol = leave_one_out(table)
    assert protocol.name == "intra:list"
    assert (len(protocol.train), len(protocol.dev), len(protocol.test)) == (12, 4, 4)
    assert len(protocol.warnings) == 2


def test_manifest_values(tmp_path):
    table = pa.table(
        {"Path": ["/x/a.png", "b.png", "c.png"], "LABEL": [True, False, True], "Attack Type": [None, "x", ""]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    records = read(ManifestReader(file=str(tmp_path / "m.parquet")))
    assert [record.label for record in records] == [1, 0, 1]
    assert [record.attack_type for record in records] == ["", "x", ""]
    assert records[0].path == "/x/a.png"
    numbers = pa.table(
        {"path": ["a.png", "b.png"], "label": [1.0, 0.0], "frame": [3.0, float("nan")], "box": [[1, 2, 3, 4], None]}
    )
    pyarrow.parquet.write_table(numbers, tmp_path / "n.parquet")
    records = read(ManifestReader(file=str(tmp_path / "n.parquet")))
    assert [(record.label, record.frames, record.box) for record in records] == [
        (1, (3,), (1.0, 2.0, 3.0, 4.0)),
        (0, (0,), None),
    ]


def test_rows_of_one_presentation_are_its_frames(tmp_path):
    rows = [{"path": f"{n}.png", "label": "live", "presentation": "clip"} for n in range(3)]
    records = read(ManifestReader(file=str(written(tmp_path, "csv", rows))))
    assert [(record.id, record.frames) for record in records] == [("clip", (0,)), ("clip", (1,)), ("clip", (2,))]


def test_manifest_quotes_and_extra_columns(tmp_path):
    (tmp_path / "m.csv").write_text('path,label,remark\n"a, b.png",live,"said ""no"""\n\n')
    assert only(read(ManifestReader(file=str(tmp_path / "m.csv")))).id == "a, b.png"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("path,lable\na.png,live\n", ("no column 'label'", "path, lable")),
        ("", ("no column 'path'", "none")),
        ("path,label\n", ("lists no files",)),
        ("path,label\na.png,live\nb.png,lve\n", ("line 3", "'lve'", "Did you mean 'live'?")),
        ("path,label\n,live\n", ("line 2", "path is empty")),
        ("path,label,split\na.png,live,trainn\n", ("line 2", "'trainn'", "Did you mean 'train'?")),
        ("path,label,subjects\na.png,live,1\n", ("unknown column 'subjects'", "Did you mean 'subject'?")),
        ("path,label,label\na.png,live,1\n", ("column 'label' twice",)),
        ("path,label,box\na.png,live,1 2 3\n", ("line 2", "'1 2 3'", "x y width height")),
        ("path,label,frame\na.png,live,first\n", ("line 2", "'first'")),
        ("path,label\na.png,live,1\n", ("line 2", "3 values for 2 columns")),
    ],
)
def test_manifest_errors(tmp_path, text, parts):
    (tmp_path / "m.csv").write_text(text)
    refused(lambda: list(ManifestReader(file=str(tmp_path / "m.csv")).records()), *parts)


def test_manifest_file_errors(tmp_path):
    def records(name):
        return lambda: list(ManifestReader(file=str(tmp_path / name)).records())

    refused(records("none.csv"), "does not exist", "file")
    (tmp_path / "m.xlsx").write_text("x")
    refused(records("m.xlsx"), ".csv, .tsv or .parquet")
    (tmp_path / "m.parquet").write_text("x")
    refused(records("m.parquet"), "Parquet")
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xfe,live\n")
    refused(records("m.csv"), "UTF-8")


def test_manifest_of_videos(tmp_path):
    write_clip(tmp_path / "a.avi", moving_frames(12, 32, 48))
    rows = [{"path": "a.avi", "label": "live"}, {"path": "a.avi", "label": "live", "frame": "3", "box": "0 0 16 8"}]
    reader = ManifestReader(file=str(written(tmp_path, "csv", rows)))
    whole, one = read(reader)
    assert (whole.frames, one.frames) == ((), (3,))
    assert [number for number, _ in Cropper(reader).crops(whole, Tally())] == [6, 11]
    (number, crop), *others = Cropper(reader).crops(one, Tally())
    assert (number, round(float(crop.mean()) / 8), others) == (3, 8, [])
    beyond = dataclasses.replace(one, frames=(12,))
    refused(lambda: Cropper(reader).crops(beyond, Tally()), "a.avi", "frame 12 does not exist", "12 frames")


def test_a_still_is_turned_before_it_is_cut(tmp_path):
    pixels = np.arange(48 * 32 * 3, dtype=np.uint32).reshape(48, 32, 3).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    rows = [{"path": "a.png", "label": "live", "box": "40 0 8 32"}]
    reader = ManifestReader(file=str(written(tmp_path, "csv", rows)), image_size=8)
    record = dataclasses.replace(only(read(reader)), rotation=90)
    ((_, crop),) = Cropper(reader).crops(record, Tally())
    assert np.array_equal(crop, np.rot90(pixels, -1)[12:20, 40:48]), "the middle of a box of 8 x 32"


def test_missing_images_of_a_manifest_are_skipped_and_counted(tmp_path):
    photo(tmp_path / "a.png")
    rows = [{"path": name, "label": "live"} for name in ("a.png", "gone.png")]
    reader = ManifestReader(file=str(written(tmp_path, "csv", rows)), image_size=16)
    table = prepare(reader, dataset_name="m", cache_dir=tmp_path, workers=1, progress=False)
    assert "gone.png" in table.skipped[0]["reason"]
    refused(
        lambda: prepare(reader, dataset_name="m", cache_dir=tmp_path / "2", workers=1, progress=False, strict=True),
        "gone.png",
    )


# ---- huggingface


def hub_rows(count: int = 6, names: list[str] | None = None, **columns) -> datasets.Dataset:
    images = [np.full((20, 24, 3), row, np.uint8) for row in range(count)]
    label = datasets.ClassLabel(names=names) if names else datasets.Value("int64")
    features = {"image": datasets.Image(), "label": label}
    features |= {name: datasets.Value("string") for name in columns}
    values = {"image": images, "label": [row % 2 for row in range(count)], **columns}
    return datasets.Dataset.from_dict(values, features=datasets.Features(features))


def test_huggingface_reads_class_names_not_numbers(tmp_path):
    hub_rows(names=["live", "spoof"]).save_to_disk(str(tmp_path / "set"))
    reader = HuggingFaceReader(path=str(tmp_path / "set"), image_size=16)
    records = read(reader)
    assert [record.label for record in records] == [1, 0] * 3, "0 means live in this dataset"
    assert records[1] == Presentation(
        dataset="set",
        domain="set",
        id="all/1",
        label=0,
        attack_type="unspecified",
        species="unspecified",
        frames=(1,),
    )
    assert [int(next(iter(reader.frames(record)))[0, 0, 0]) for record in records] == list(range(6))
    hub_rows().save_to_disk(str(tmp_path / "plain"))
    assert [record.label for record in read(HuggingFaceReader(path=str(tmp_path / "plain")))] == [0, 1] * 3


def test_huggingface_splits_and_columns(tmp_path):
    columns = {"who": [f"s{n}" for n in range(6)], "place": list("aabbcc"), "kind": ["mask"] * 6}
    parts = {"train": hub_rows(**columns), "validation": hub_rows(2, who=["x", "y"], place=["a", "b"], kind=["p", "q"])}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "set"))
    reader = HuggingFaceReader(
        path=str(tmp_path / "set"),
        subject_column="who",
        domain_column="place",
        attack_type_column="kind",
        image_size=16,
    )
    records = read(reader)
    assert [record.split for record in records] == ["train"] * 6 + ["dev"] * 2
    assert records[6].subject == "x"
    assert records[6].attack_type == "p"
    assert records[1].attack_type == ""
    assert int(next(iter(reader.frames(records[7])))[0, 0, 0]) == 1
    table = prepare(reader, dataset_name="hf", cache_dir=tmp_path, workers=2, progress=False)
    assert table.column("domain").tolist() == list("aabbccab")
    assert [int(table.image(row)[0, 0, 0]) for row in range(8)] == [0, 1, 2, 3, 4, 5, 0, 1]


def test_huggingface_lone_split_divides_nothing(tmp_path):
    datasets.DatasetDict({"train": hub_rows()}).save_to_disk(str(tmp_path / "set"))
    assert {record.split for record in read(HuggingFaceReader(path=str(tmp_path / "set")))} == {""}


def test_huggingface_parquet_and_imagefolder(tmp_path):
    (tmp_path / "files").mkdir()
    hub_rows().to_parquet(tmp_path / "files" / "train-00000-of-00001.parquet")
    hub_rows(4).to_parquet(tmp_path / "files" / "test-00000-of-00001.parquet")
    records = read(HuggingFaceReader(path=str(tmp_path / "files")))
    assert Counter(record.split for record in records) == {"train": 6, "test": 4}
    for label in ("live", "spoof"):
        for number in range(2):
            photo(tmp_path / "tree" / label / f"{number}.png", 50 + number)
    reader = HuggingFaceReader(path=str(tmp_path / "tree"))
    records = read(reader)
    assert sorted(record.label for record in records) == [0, 0, 1, 1]
    assert next(iter(reader.frames(records[1])))[0, 0, 0] == 51


@pytest.mark.parametrize(
    "name",
    ["msu.parquet", "all.parquet", "all/0000.parquet", "data/a b.parquet", "default.PARQUET", "all-train.parquet"],
)
def test_huggingface_parquet_of_any_name_is_data_without_splits(tmp_path, name):
    (tmp_path / "q" / name).parent.mkdir(parents=True, exist_ok=True)
    hub_rows().to_parquet(tmp_path / "q" / name)
    for hidden in (".cache/x.parquet", "@eaDir/x.parquet", "README.md"):
        (tmp_path / "q" / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / "q" / hidden).write_text("x")
    for path in (tmp_path / "q", tmp_path / "q" / name):
        reader = HuggingFaceReader(path=str(path))
        records = read(reader)
        assert [record.split for record in records] == [""] * 6
        assert len(list(reader.frames(records[3]))) == 1
    reader = HuggingFaceReader(path=str(tmp_path / "q"))
    read(reader)
    assert sum(entry["count"] for entry in reader.unread()) == 3


def test_huggingface_parquet_that_names_no_split_beside_others_that_do(tmp_path):
    for name in ("train-0.parquet", "more.parquet"):
        hub_rows(2).to_parquet(tmp_path / name)
    refused(lambda: list(HuggingFaceReader(path=str(tmp_path)).records()), "more.parquet", "names no split", "train-0")


def test_huggingface_parquet_that_is_linked_twice_is_read_once(tmp_path):
    hub_rows(4).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").symlink_to("a.parquet")
    (tmp_path / "up").symlink_to(".")
    reader = HuggingFaceReader(path=str(tmp_path))
    assert len(read(reader)) == 4
    assert {entry["count"] for entry in reader.unread()} == {1}


def test_huggingface_imagefolder_counts_what_it_does_not_read(tmp_path):
    for label in ("live", "spoof"):
        for number in range(2):
            photo(tmp_path / "tree" / label / f"{number}.png", 50 + number)
    (tmp_path / "tree" / "live" / "again").symlink_to("..")
    for name in ("live/1.heic", "live/@eaDir/1.png/SYNOPHOTO_THUMB_M.png", "notes.txt", "live/.x.png"):
        photo(tmp_path / "x.png").parent.joinpath("tree", name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes((tmp_path / "x.png").read_bytes())
    reader = HuggingFaceReader(path=str(tmp_path / "tree"))
    assert sorted(record.label for record in read(reader)) == [0, 0, 1, 1]
    assert sum(entry["count"] for entry in reader.unread()) == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # `datasets` leaves the list open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_huggingface_imagefolder_with_splits_and_metadata(tmp_path):
    for split in ("train", "test"):
        for number in range(2):
            photo(tmp_path / split / f"{number}.png", 50 + number)
        rows = "".join(f"{number}.png,{number},s{number}\n" for number in range(2))
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label,who\n{rows}")
    records = read(HuggingFaceReader(path=str(tmp_path), subject_column="who"))
    assert sorted((record.split, record.label, record.subject) for record in records) == [
        ("test", 0, "s0"), ("test", 1, "s1"), ("train", 0, "s0"), ("train", 1, "s1"),
    ]  # fmt: skip
    gc.collect()  # here, where it may, the open list is closed: later it would be another test's failure


def test_huggingface_errors(tmp_path):
    def records(path, **settings):
        return lambda: list(HuggingFaceReader(path=str(path), **settings).records())

    refused(records(tmp_path / "none"), "does not exist", "path")
    refused(records("some/set"), "'some/set'", "`download`")
    (tmp_path / "empty").mkdir()
    refused(records(tmp_path / "empty"), "empty")
    hub_rows(names=["genuine", "mystery"]).save_to_disk(str(tmp_path / "odd"))
    refused(records(tmp_path / "odd"), "'mystery'", "column 'label'")
    hub_rows().save_to_disk(str(tmp_path / "set"))
    refused(records(tmp_path / "set", label_column="lable"), "no column 'lable'", "label_column", "'label'?")
    refused(records(tmp_path / "set", subject_column="who"), "no column 'who'", "subject_column")
    datasets.DatasetDict({"train": hub_rows(), "part2": hub_rows()}).save_to_disk(str(tmp_path / "splits"))
    refused(records(tmp_path / "splits"), "unknown split 'part2'")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.parquet").write_text("x")
    refused(records(broken), "cannot be opened as a dataset")


def test_huggingface_offline_is_one_line(monkeypatch):
    def offline(*_args):
        raise ConnectionError("Couldn't reach the Hub\nsecond line")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    refused(lambda: list(HuggingFaceReader(path="some/set", download=True).records()), "Couldn't reach", "network")


def test_huggingface_missing_images_are_skipped(tmp_path):
    values = {"image": [None, np.zeros((8, 8, 3), np.uint8)], "label": [1, 0]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_dict(values, features=features).save_to_disk(str(tmp_path / "set"))
    reader = HuggingFaceReader(path=str(tmp_path / "set"), image_size=8)
    table = prepare(reader, dataset_name="hf", cache_dir=tmp_path, workers=1, progress=False)
    assert len(table) == 1
    assert "all/0: the image is missing" in table.skipped[0]["reason"]


# ---- identities


def test_identities_by_folder(tmp_path):
    for person in range(20):
        for number in range(2):
            photo(tmp_path / "faces" / f"p{person}" / f"{number}.jpg")
    records = read(IdentitiesReader(root=str(tmp_path / "faces"), test_share=0.2))
    assert {record.label for record in records} == {1}
    assert {record.domain for record in records} == {"faces"}
    test = {record.subject for record in records if record.split == "test"}
    train = {record.subject for record in records if record.split == "train"}
    assert len(test) == 4
    assert len(train) == 16
    assert not test & train
    other = read(IdentitiesReader(root=str(tmp_path / "faces"), test_share=0.2, seed=1))
    assert test != {record.subject for record in other if record.split == "test"}


def celeba(folder: Path, attributes: str = "", identities: str = "") -> dict[str, str]:
    for number in range(1, 5):
        photo(folder / "img_align_celeba" / f"{number:06d}.jpg")
    rows = "\n".join(f"{number:06d}.jpg  1 -1 {'1' if number % 2 else '-1'}" for number in range(1, 5))
    (folder / "list_attr_celeba.txt").write_text(attributes or f"4\nMale Young Black_Hair \n{rows}\n")
    lines = "\n".join(f"{number:06d}.jpg {2880 + number // 3}" for number in range(1, 5))
    (folder / "identity_CelebA.txt").write_text(identities or f"{lines}\n")
    return {
        "root": str(folder / "img_align_celeba"),
        "attributes": str(folder / "list_attr_celeba.txt"),
        "identity_file": str(folder / "identity_CelebA.txt"),
    }


def test_celeba_format(tmp_path):
    reader = IdentitiesReader(**celeba(tmp_path))
    assert reader.attribute_names == ("Male", "Young", "Black_Hair")
    records = read(reader)
    assert [record.subject for record in records] == ["2880", "2880", "2881", "2881"]
    assert [record.attributes for record in records[:2]] == [("Male", "Black_Hair"), ("Male",)]
    assert {record.split for record in records} == {"train", "test"}
    table = prepare(reader, dataset_name="celeba", cache_dir=tmp_path, workers=1, progress=False)
    assert table.column("attributes")[0] == ("Male", "Black_Hair")
    assert table.preparation["attribute_names"] == ["Male", "Young", "Black_Hair"]
    assert table.preparation["image_size"] == 112


def test_attribute_table_without_a_count_line(tmp_path):
    settings = celeba(tmp_path, attributes="Male\n" + "\n".join(f"00000{n}.jpg 1" for n in range(1, 5)))
    assert read(IdentitiesReader(**settings))[0].attributes == ("Male",)


def test_identities_errors(tmp_path):
    def records(**settings):
        return lambda: list(IdentitiesReader(**settings).records())

    refused(records(root=str(tmp_path / "none")), "does not exist")
    (tmp_path / "empty").mkdir()
    refused(records(root=str(tmp_path / "empty")), "holds no images")
    photo(tmp_path / "one" / "p1" / "a.png")
    refused(records(root=str(tmp_path / "one")), "one identity only")
    refused(lambda: IdentitiesReader(root="x", test_share=1.0), "test_share")
    settings = celeba(tmp_path / "c")
    refused(records(root=settings["root"]), "no identity's folder", "identity_file")
    refused(lambda: IdentitiesReader(root="x", attributes=str(tmp_path / "no.txt")), "no.txt", "cannot be read")
    refused(records(**celeba(tmp_path / "c", identities="000001.jpg 5\n")), "no line for 000002.jpg")
    refused(records(**celeba(tmp_path / "c", identities="000001.jpg\n")), "line 1")
    refused(records(**celeba(tmp_path / "c", attributes="4\nMale\n000001.jpg 1\n")), "no line for 000002.jpg")
    refused(records(**celeba(tmp_path / "c", attributes="4\nMale\n000001.jpg 1 1\n")), "line 3")
    refused(lambda: IdentitiesReader(**celeba(tmp_path / "c", attributes="4\n000001.jpg 1\n")), "attribute names")


def test_a_tree_with_the_note_is_simulated(tmp_path):
    photo(tmp_path / "live" / "1.png")
    assert FolderReader(root=str(tmp_path)).simulated is False
    (tmp_path / "SIMULATED.txt").write_text("made by padkit_synthetic.photographs.simulate")
    assert FolderReader(root=str(tmp_path)).simulated is True
