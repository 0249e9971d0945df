"""What is listed twice, under one name or several, is taken once, counted, and never under both labels."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from padkit.data.preparation.identity import taken_once, with_printable_texts
from padkit.data.presentation import Presentation
from padkit.data.unread import Unread
from padkit.errors import DataError


def record(path, label: int = 1, **facts) -> Presentation:
    return Presentation(
        **{"dataset": "d", "domain": "hall", "id": str(path), "label": label, "path": str(path)} | facts
    )


def taken(*records: Presentation) -> tuple[list[Presentation], list[str]]:
    unread = Unread()
    kept = taken_once(records, unread)
    return kept, [entry["reason"] for entry in unread.entries() for _ in range(entry["count"])]


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_still_that_is_listed_twice_is_one(photo):
    kept, reasons = taken(record(photo, frames=(0,)), record(photo, frames=(1,)))
    assert [one.frames for one in kept] == [(0,)]
    assert reasons == ["listed again"]


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_links_to_a_file_are_that_file(photo, link):
    link(photo, photo.parent / "b.png")
    kept, reasons = taken(record(photo), record(photo.parent / "b.png", domain="phone", split="test"))
    assert len(kept) == 1
    assert reasons == ["the same file as another (a link), under another domain and split; the first counts"]


def test_another_way_of_writing_a_path_is_that_file(photo):
    kept, _ = taken(record(photo), record(photo.parent / ".." / photo.parent.name / "a.png"))
    assert len(kept) == 1


def test_a_copy_is_another_file(photo):
    (photo.parent / "b.png").write_bytes(photo.read_bytes())
    assert len(taken(record(photo), record(photo.parent / "b.png"))[0]) == 2


def test_the_same_file_under_both_labels_is_one_line(photo):
    (photo.parent / "b.png").symlink_to(photo)
    with pytest.raises(DataError, match=r"a\.png and .*b\.png: the same file, which is listed as bona fide"):
        taken(record(photo), record(photo.parent / "b.png", label=0))
    with pytest.raises(DataError, match=r"a\.png is listed as attack and as bona fide"):
        taken(record(photo, label=0), record(photo, id="other"))


def test_boxes_frames_and_turns_make_different_inputs(photo):
    video = photo.with_suffix(".mp4")
    kinds = [record(photo), record(photo, box=(0.0, 0.0, 2.0, 2.0)), record(photo, rotation=90)]
    kinds += [record(video), record(video, frames=(1,)), record(video, frames=(2,))]
    assert taken(*kinds) == (kinds, [])
    assert len(taken(*kinds, *kinds)[0]) == len(kinds)


def test_files_in_a_readers_own_format_and_none_are_kept(photo):
    own = photo.with_suffix(".h5")
    kinds = [record(own), record(own, label=0, id="b"), record(""), record("")]
    assert taken(*kinds) == (kinds, [])


def test_a_folder_of_stills_that_is_listed_twice_is_one(photo):
    kept, reasons = taken(record(photo.parent), record(photo.parent))
    assert (len(kept), reasons) == (1, ["listed again"])


def test_texts_become_printable_and_the_path_stays():
    name = os.fsdecode(b"caf\xe9/\xff.png")
    found = with_printable_texts(record(name, domain=os.fsdecode(b"caf\xe9"), species="é"))
    assert (found.id, found.domain, found.species) == (r"caf\xe9/\xff.png", r"caf\xe9", "é")
    assert found.path == name
    plain = record("é.png")
    assert with_printable_texts(plain) is plain
