"""A tree is walked once, whatever links lead to what, and everything that is not read is counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.media.walk import folders_below, is_clutter, media_below
from padkit.data.unread import Unread

PNG = b"\x89PNG\r\n\x1a\n"


def tree(root: Path, *files: str) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG)


def walked(root: Path) -> tuple[list[str], dict[str, int]]:
    unread = Unread()
    found = [path.relative_to(root).as_posix() for path in media_below(root, unread, frozenset({"KNOWN.txt"}))]
    return found, {entry["reason"]: entry["count"] for entry in unread.entries()}


def test_the_order_is_that_of_a_sorted_walk(tmp_path):
    tree(tmp_path, "b/2.png", "b/1.png", "a-b/1.png", "a/b/1.png", "a/1.png", "1.png", "a/é/1.png")
    found, counts = walked(tmp_path)
    due = []
    for folder, folders, files in os.walk(tmp_path):
        folders.sort()
        due += [Path(folder, name).relative_to(tmp_path).as_posix() for name in sorted(files)]
    assert found == due
    assert counts == {}


def test_other_files_are_counted_by_suffix(tmp_path):
    tree(tmp_path, "live/1.png", "live/2.HEIC", "live/3.heic", "notes.txt", "live/README", "live/.x.png", "KNOWN.txt")
    tree(tmp_path, "live/a.what_a_long_suffix")
    found, counts = walked(tmp_path)
    assert found == ["live/1.png"]
    assert counts == {
        "with suffix .heic, which neither Pillow nor FFmpeg reads as picture or video": 2,
        "with suffix .txt, which neither Pillow nor FFmpeg reads as picture or video": 1,
        "without a suffix, and no picture or video": 1,
        "with a long suffix": 1,
        "hidden": 1,
    }


@pytest.mark.parametrize(
    "name", ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", ".thumbnails",
             "@Recently-Snapshot", "~snapshot", ".git"]
)  # fmt: skip
def test_folders_of_the_system_are_not_data(tmp_path, name):
    tree(tmp_path, "live/1.png", f"live/{name}/1.png/SYNOPHOTO_THUMB_M.png", f"{name}/1.png")
    found, counts = walked(tmp_path)
    assert found == ["live/1.png"]
    assert counts == {"hidden folders and those of the system": 2}
    assert not is_clutter("@home"), "a person may call a folder so"


@pytest.mark.parametrize("target", [".", "..", "../..", "../spoof"])
def test_a_link_to_a_folder_that_is_read_gives_nothing(tmp_path, target):
    tree(tmp_path, *(f"hall/{label}/{number}.png" for label in ("live", "spoof") for number in range(6)))
    (tmp_path / "hall" / "live" / "again").symlink_to(target)
    found, counts = walked(tmp_path)
    assert len(found) == 12
    assert not any("again" in name for name in found)
    assert counts == {"folders that are read under another name (a link)": 1}


def test_a_folder_keeps_its_own_name_though_a_link_to_it_comes_first(tmp_path):
    tree(tmp_path, "hall/live/1.png")
    (tmp_path / "a link").symlink_to("hall")
    assert walked(tmp_path)[0] == ["hall/live/1.png"]


def test_links_out_of_the_tree_are_followed_once(tmp_path):
    tree(tmp_path, "store/live/1.png", "store/.hidden/2.png", "root/phone/live/3.png")
    (tmp_path / "root" / "hall").symlink_to("../store")
    (tmp_path / "root" / "hole").symlink_to("../store")
    (tmp_path / "store" / "back").symlink_to("../root")
    found, counts = walked(tmp_path / "root")
    assert found == ["hall/live/1.png", "phone/live/3.png"]
    assert counts["folders that are read under another name (a link)"] == 2


def test_links_to_nothing_in_circles_and_pipes_are_counted(tmp_path):
    tree(tmp_path, "live/1.png")
    (tmp_path / "live" / "2.png").symlink_to("gone.png")
    (tmp_path / "live" / "3.png").symlink_to("3.png")
    os.mkfifo(tmp_path / "live" / "4.png")
    found, counts = walked(tmp_path)
    assert found == ["live/1.png"]
    assert counts == {"links to nothing, or no regular files": 3}


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    tree(tmp_path, "hall/live/1.png", "phone/live/1.png")
    scan = os.scandir

    def refusing(path):
        if Path(path).name == "phone":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    unread = Unread()
    assert len(list(media_below(tmp_path, unread))) == 1
    (entry,) = unread.entries()
    assert entry["reason"] == "folders that cannot be read (Permission denied)"
    assert entry["example"] == str(tmp_path / "phone")
    assert entry["fault"]
    with pytest.raises(PermissionError):
        list(folders_below(tmp_path, Unread(), refuse=lambda error: (_ for _ in ()).throw(error)))


def test_names_that_are_not_utf8_are_found_and_told(tmp_path):
    (tmp_path / "live").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/live/caf\xe9.png")).write_bytes(PNG)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/live/caf\xe9.xyz")).write_bytes(PNG)
    unread = Unread()
    (path,) = media_below(tmp_path, unread)
    assert path.read_bytes() == PNG
    assert unread.entries()[0]["example"].endswith(r"live/caf\xe9.xyz")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([".png", ".txt", ".mts", "", ".heic"])), max_size=20))
def test_everything_is_read_or_counted(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("tree")
    files = {f"{folder}/{number}{suffix}" for number, (folder, suffix) in enumerate(names)}
    tree(root, *files)
    found, counts = walked(root)
    assert len(found) + sum(counts.values()) == len(files)
