"""What is said of a table: counts by hand, leaks by name, equal images, reasons, a contact sheet, the command."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from listed import Listed, Noise, picture, prepared, presentations
from PIL import Image

from padkit.commands import data
from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.table.duplicates import equal_images
from padkit.data.table.frames import open_table, open_tables
from padkit.data.table.overview import groups, reasons, subjects_in_several_splits
from padkit.errors import DataError, PadkitError
from padkit.report.figures.contact_sheet import BACKGROUND, GAP, TILE, contact_sheet, sheet_rows

SPLITS = {"train": 3, "test": 2}


def test_counts_by_hand() -> None:
    records = [*presentations("b", SPLITS, (1, 4)), *presentations("a", {"": 2}, known=False)]
    extra = dataclasses.replace(records[0])  # a second frame of the first presentation
    found = groups(Listed([*records, extra]))
    shown = [(g.domain, g.split, g.label, g.species, g.presentations, g.frames, g.subjects) for g in found]
    assert shown == [
        ("a", "", 1, "", 2, 2, 0),
        ("a", "", 0, "printer1", 2, 2, 0),
        ("b", "train", 1, "", 3, 4, 3),
        ("b", "train", 0, "printer1", 6, 6, 3),
        ("b", "train", 0, "printer2", 6, 6, 3),
        ("b", "train", 0, "all", 12, 12, 3),
        ("b", "test", 1, "", 2, 2, 2),
        ("b", "test", 0, "printer1", 4, 4, 2),
        ("b", "test", 0, "printer2", 4, 4, 2),
        ("b", "test", 0, "all", 8, 8, 2),
    ]


def test_subjects_in_several_splits_are_named() -> None:
    records = list(presentations("a", SPLITS))
    assert subjects_in_several_splits(Listed(records)) == {}
    moved = [dataclasses.replace(records[0], split=split, id=split) for split in ("test", "dev", "")]
    unknown = [dataclasses.replace(records[0], split=split, id=f"u{split}", subject="") for split in ("test", "dev")]
    found = subjects_in_several_splits(Listed([*records, *moved, *unknown]))
    assert {name: set(splits) for name, splits in found.items()} == {"a/train/0": {"train", "dev", "test"}}


def test_reasons_are_gathered() -> None:
    skipped = [
        {"presentation": f"p{n}", "source": f"/d/{n}.avi", "reason": f"/d/{n}.avi: no face found."} for n in range(3)
    ]
    skipped.append({"presentation": "p9", "source": "", "reason": "p9: no frames."})
    found = [(reason.text, reason.count, reason.example) for reason in reasons(skipped)]
    assert found == [("no face found.", 3, "/d/0.avi"), ("no frames.", 1, "p9")]


class Copies(Noise):
    """Presentation 1 shows what presentation 0 shows; presentation 2 shows itself twice."""

    def frames(self, presentation: Presentation) -> Iterator[np.ndarray]:
        same = {self.listed[1].id: self.listed[0]}.get(presentation.id, presentation)
        yield picture(same, self.image_size)
        if presentation.id == self.listed[2].id:
            yield picture(same, self.image_size)
        if presentation.id == self.listed[3].id:
            changed = picture(same, self.image_size).copy()
            changed[0, 0, 0] ^= 1
            yield changed


def test_equal_images_under_two_presentations(tmp_path: Path) -> None:
    reader = Copies(presentations("a", SPLITS))
    table = prepare(reader, dataset_name="copies", cache_dir=tmp_path, workers=1, progress=False)
    assert len(table) == 12
    assert [rows.tolist() for rows in equal_images(table).groups] == [[0, 1]]


def test_equal_images_in_two_tables(tmp_path: Path) -> None:
    class Twin(Noise):
        def frames(self, presentation: Presentation) -> Iterator[np.ndarray]:
            yield picture(dataclasses.replace(presentation, dataset="set-a"), self.image_size)

    first = prepared(tmp_path, presentations("a", SPLITS))
    reader = Twin(presentations("b", SPLITS))
    second = prepare(reader, dataset_name="twin", cache_dir=tmp_path, workers=1, progress=False)
    compressed = Cropper(reader, compress=True)
    third = prepare(
        compressed, dataset_name="small", cache_dir=tmp_path, workers=1, progress=False, facts={"compress": True}
    )
    for other in (second, third):  # the last one compressed
        found = equal_images(open_tables([first, other.folder])).groups
        assert [rows.tolist() for rows in found] == [[row, row + 10] for row in range(10)]
    assert not second.encoded(0).equals(third.encoded(0))


def test_the_sheet_shows_every_kind_of_every_domain(tmp_path: Path) -> None:
    others = (dataclasses.replace(record, id=f"a/{record.id}") for record in presentations("a", SPLITS))
    table = open_table(prepared(tmp_path, [*presentations("b", SPLITS, (1, 2)), *others]))
    rows = sheet_rows(table, 4)
    assert [(row.domain, row.kind, row.presentations) for row in rows] == [
        ("a", "bona fide", 5),
        ("a", "attack: printer1", 5),
        ("b", "bona fide", 5),
        ("b", "attack: printer1", 5),
        ("b", "attack: printer2", 5),
    ]
    for row in rows:
        assert len(set(table.coded("presentation").codes[row.shown])) == 4
        assert set(table.column("domain")[row.shown]) == {row.domain}
        assert set(table.column("species")[row.shown]) == {row.species}
    made = contact_sheet(table, 4)
    assert made == contact_sheet(table, 4)
    with Image.open(io.BytesIO(made)) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[0] > 5 * (TILE + GAP)
    tiles = pixels[:, -4 * (TILE + GAP) - 10 :]
    assert (tiles != int(BACKGROUND[1:3], 16)).any(axis=2).mean() > 0.5
    text = pixels[:, : -4 * (TILE + GAP) - 20]
    assert 0 < (text < 128).all(axis=2).mean() < 0.2, "no labels"


def test_the_command_on_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = list(presentations("a", SPLITS))
    records[0] = dataclasses.replace(records[0], subject="a/test/0")
    division = {"train": [records[0].id], "dev": [], "test": [records[-1].id]}
    folders = [
        prepared(tmp_path, records, {"3.1": division}),
        prepared(tmp_path, presentations("b", SPLITS), simulated=True),
    ]
    sheet = tmp_path / "sheet.png"
    assert data.main([*map(str, folders), "--sheet", str(sheet), "--columns", "3"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "set-a+set-b: 20 presentations, 20 frames of 16 x 16, 10 subjects" in out
    assert "Simulated data." in out
    assert "Crops" not in out, "nobody told how they were made"
    assert "a train bona fide - 3 3 3 attack printer1 3 3 3" in out
    assert "Skipped: nothing." in out
    assert "Subjects in more than one split: 1: a/test/0 (" in out
    assert "Equal images under different presentations: none." in out
    assert "Official protocols: set-a:3.1." in out
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_command_on_a_dataset_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    for number, kind in enumerate(("live", "spoof", "spoof")):
        folder = tmp_path / "photos" / "hall" / "train" / kind
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (50 if number < 2 else 90, 0, 0)).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes(b"")
    data.main(["folder", "--root", str(tmp_path / "photos"), "--image-size", "16"])
    out = " ".join(capsys.readouterr().out.split())
    assert "frames of 16 x 16, 0 subjects" in out
    assert "Skipped: 1 of 4" in out
    assert "the file is empty." in out
    assert (
        "1, 1 of them under both labels, 0 in more than one split: hall/train/live/0.png = hall/train/spoof/1.png"
        in out
    )
    assert "Labels: 'live' = bona fide (1), 'spoof' = attack (3), by folder name." in out
    layout = ["--data.layout", "{session}/*/{label}/*", "--data.bona-fide=live"]
    data.main(["folder", "--root", str(tmp_path / "photos"), "--image_size=16", "--no-duplicates", *layout])
    shown = capsys.readouterr()
    out = " ".join(shown.out.split())
    assert "Equal images" not in out
    assert "by layout {session}/*/{label}/*, as --data.bona_fide live states." in out
    assert "folder: labels: 'live' = bona fide (1)" in shown.err, "a run says it as well, on stderr"
    table = next((tmp_path / "cache" / "tables").glob("*/preparation.json"))
    data.main([str(table.parent), "--no-duplicates"])
    assert "Labels: 'live' = bona fide (1), 'spoof' = attack (3), by " in capsys.readouterr().out


def test_how_crops_were_made_and_frames_that_were_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [prepared(tmp_path, presentations(domain, SPLITS)) for domain in "ab"]
    for folder, margin in zip(folders, (0.2, 0.5), strict=True):
        about = json.loads((folder / "preparation.json").read_text())
        about["choices"] = {"frames": "ssdg", "margin": margin, "face_model": ""}
        about["dropped"] = [{"presentation": "p", "source": "p.avi", "frame": 3, "reason": "no face"}]
        (folder / "preparation.json").write_text(json.dumps(about))
    data.main([str(folders[0])])
    out = " ".join(capsys.readouterr().out.split())
    assert "Crops: frames ssdg, margin 0.2." in out
    assert "Left out: 1 frames" in out
    data.main(list(map(str, folders)))
    out = " ".join(capsys.readouterr().out.split())
    assert "Crops: frames ssdg." in out
    assert "Tables differ in how crops were made: margin 0.2 and 0.5." in out
    assert "Left out: 2 frames" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["foldr"], "'foldr' is neither a folder nor a dataset's name. Did you mean 'folder'"),
        (["{empty}"], "holds no prepared table.*padkit data folder --root"),
        (["{table}", "{empty}"], "holds no prepared table"),
        (["{table}", "--rot", "x"], "unknown option '--rot'; a prepared table has no settings"),
        (["folder", "--rot", "x"], "'data.rot'.*Did you mean 'data.root'"),
        (["{table}", "--columns", "0"], "--columns: expected int >= 1, got '0'"),
    ],
)
def test_mistakes(tmp_path: Path, line: list[str], message: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    table = prepared(tmp_path, presentations("a", {"": 2})) if "{table}" in line else ""
    with pytest.raises(PadkitError, match=message) as caught:
        data.main([word.format(empty=empty, table=table) for word in line])
    assert "\n" not in str(caught.value)


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    table = prepared(tmp_path, presentations("a", {"": 2}))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        data.main([str(table), "--sheet", str(tmp_path / "file" / "sheet.png")])


def test_no_torch(tmp_path: Path) -> None:
    table = prepared(tmp_path, presentations("a", {"": 2}))
    code = "import sys; from padkit.cli import run; run(['data', *sys.argv[1:]]); sys.exit('torch' in sys.modules)"
    line = [sys.executable, "-c", code, str(table), "--sheet", str(tmp_path / "s.png")]
    assert subprocess.run(line, check=False, capture_output=True).returncode == 0
