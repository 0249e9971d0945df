"""What real folders and lists hold: `padkit data` reads it, or counts it and says so."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from clips import moving_frames, write_clip
from PIL import Image

from padkit.commands import data
from padkit.data.preparation.prepare import prepare
from padkit.errors import DataError
from padkit_folder.identities import IdentitiesReader
from padkit_folder.tree import FolderReader


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("COLUMNS", "250")


def photo(path: Path, seed: int, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def tree(root: Path) -> Path:
    for place, label in enumerate(("live", "spoof")):
        for number in range(3):
            photo(root / "hall" / label / f"{number}.png", 10 * place + number)
    return root


def shown(capsys, *words: str) -> str:
    data.main([*words, "--image-size", "16"])
    return " ".join(capsys.readouterr().out.split())


def counts(text: str) -> tuple[int, int]:
    """Return the bona fide and the attack presentations that the command prints."""
    found = re.search(r"bona fide - (\d+) .*?attack \S+ (\d+)", text)
    assert found is not None, text
    return int(found[1]), int(found[2])


def test_every_suffix_of_pillow_and_ffmpeg_is_read(tmp_path, capsys):
    root = tree(tmp_path / "own")
    live = root / "hall" / "live"
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "avif": "AVIF", "jp2": "JPEG2000", "tga": "TGA", "mpo": "MPO"}
    for number, (suffix, kind) in enumerate(kinds.items()):
        photo(live / f"a.{suffix}", 100 + number, format=kind)
    photo(live / "no_suffix", 200, format="JPEG")
    write_clip(live / "a.mp4", moving_frames(12, 32, 32))
    for suffix in ("mts", "ts", "flv", "h264"):
        (live / f"a.{suffix}").write_bytes(b"no video, but read as one")
    text = shown(capsys, "folder", "--root", str(root))
    assert counts(text) == (3 + 6 + 1 + 1, 3)
    assert "Skipped: 4 of 18 files or presentations" in text, "the four that are no videos"
    assert "Skipped unread" not in text


def test_the_rest_is_counted_by_suffix_and_nothing_is_said_to_be_skipped_then(tmp_path, capsys):
    root = tree(tmp_path / "own")
    assert "Skipped: nothing." in shown(capsys, "folder", "--root", str(root))
    for name in ("hall/live/1.heic", "hall/live/2.HEIC", "hall/live/notes.txt", "@eaDir/x.png", "hall/.x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    text = shown(capsys, "folder", "--root", str(root))
    assert counts(text) == (3, 3)
    assert "Skipped: nothing." not in text
    assert "Skipped unread: 5 files, folders or rows" in text
    for part in ("with suffix .heic", ".txt", "hidden folders and those of the system"):
        assert part in text


def test_counts_of_what_is_not_read_are_renewed_without_a_new_table(tmp_path, capsys):
    root = tree(tmp_path / "own")
    first = prepare(FolderReader(root=str(root), image_size=16), dataset_name="own", workers=1)
    assert "unread" not in capsys.readouterr().err
    (root / "hall" / "live" / "1.heic").write_bytes(b"x")
    second = prepare(FolderReader(root=str(root), image_size=16), dataset_name="own", workers=1)
    assert second.folder == first.folder
    assert "skipped unread: own: 1 files, folders or rows: 1 with suffix .heic" in capsys.readouterr().err
    assert second.preparation["unread"][0]["count"] == 1


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_to_a_folder_above_adds_nothing(tmp_path, capsys, target):
    root = tree(tmp_path / "own")
    (root / "hall" / "live" / "again").symlink_to(target)
    text = shown(capsys, "folder", "--root", str(root))
    assert counts(text) == (3, 3)
    assert "read under another name (a link)" in text


def test_rows_that_are_listed_twice_count_once(tmp_path, capsys):
    root = tree(tmp_path / "own")
    files = [(path, path.parent.name) for path in sorted(root.rglob("*.png"))]
    (tmp_path / "link.png").symlink_to(files[0][0])
    rows = [*files, *files[:3], (Path("own/../own/hall/live/1.png"), "live"), (tmp_path / "link.png", files[0][1])]
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *((str(path), label) for path, label in rows)])
    text = shown(capsys, "manifest", "--file", str(tmp_path / "list.csv"))
    assert counts(text) == (3, 3)
    assert "Skipped unread: 5 files, folders or rows" in text
    assert "listed again" in text


def test_a_row_under_both_labels_is_one_line(tmp_path):
    photo(tmp_path / "a.png", 1)
    (tmp_path / "list.csv").write_text("path,label,presentation\na.png,live,1\na.png,spoof,2\n")
    with pytest.raises(DataError, match=r"a\.png is listed as bona fide and as attack; leave out the wrong one"):
        data.main(["manifest", "--file", str(tmp_path / "list.csv"), "--image-size", "16"])


def test_copies_are_counted_and_said(tmp_path, capsys):
    root = tree(tmp_path / "own")
    original = (root / "hall" / "live" / "1.png").read_bytes()
    (root / "hall" / "live" / "copy.png").write_bytes(original)
    (root / "hall" / "spoof" / "copy.png").write_bytes(original)
    table = prepare(FolderReader(root=str(root), image_size=16), dataset_name="own", workers=1)
    assert table.preparation["equal"] == {"images": 1, "within": 0, "labels": 1, "splits": 0, "domains": 0}
    assert "equal images: own: 1 are in several presentations (1 under both labels)." in capsys.readouterr().err
    text = shown(capsys, "folder", "--root", str(root))
    assert "Equal images under different presentations: 1, 1 of them under both labels" in text


def test_copies_within_a_presentation_are_counted(tmp_path, capsys):
    root = tree(tmp_path / "own")
    (root / "hall" / "live" / "9.png").write_bytes((root / "hall" / "live" / "1.png").read_bytes())
    text = shown(capsys, "folder", "--root", str(root), "--presentation-pattern", "png")
    assert "Equal images within a presentation: 1 frames equal an earlier one." in text


def test_names_that_are_not_utf8(tmp_path, capsys):
    root = tree(tmp_path / "own")
    odd = os.fsencode(root) + b"/b\xfcro/live"
    Path(os.fsdecode(odd)).mkdir(parents=True)
    for number, name in enumerate([b"caf\xe9.png", b"\xff\xfe.png", b"torn\xe9.png"]):
        content = photo(tmp_path / "x.png", 50 + number).read_bytes()
        Path(os.fsdecode(odd + b"/" + name)).write_bytes(content if number < 2 else b"")
    table = prepare(FolderReader(root=str(root), image_size=16), dataset_name="own", workers=1)
    assert r"b\xfcro" in set(table.column("domain"))
    assert table.skipped[0]["source"].endswith(r"b\xfcro/live/torn\xe9.png")
    assert r"torn\xe9.png: the file is empty" in capsys.readouterr().err
    text = shown(capsys, "folder", "--root", str(root), "--sheet", str(tmp_path / "sheet.png"))
    assert r"b\xfcro - bona fide - 2" in text


def test_a_folder_without_permission_is_counted_and_strict_refuses_it(tmp_path, capsys, monkeypatch):
    root = tree(tmp_path / "own")
    photo(root / "phone" / "live" / "1.png", 77)
    scan = os.scandir

    def refusing(path="."):
        if str(path).endswith("phone"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    reader = FolderReader(root=str(root), image_size=16)
    prepare(reader, dataset_name="own", workers=1)
    text = capsys.readouterr().err
    assert f"1 folders that cannot be read (Permission denied) (the first: {root / 'phone'})" in text
    with pytest.raises(DataError, match="Permission denied"):
        prepare(reader, dataset_name="own", workers=1, strict=True)


@pytest.mark.parametrize("reader", [FolderReader, IdentitiesReader])
def test_a_folder_of_other_files_says_what_they_are(tmp_path, reader):
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "1.heic").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds no images.* Not read: 1 files, folders or rows: 1 with suffix \.heic"):
        list(reader(root=str(tmp_path)).records())
