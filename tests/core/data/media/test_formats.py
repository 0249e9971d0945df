"""Which files are stills and which are videos: as Pillow and FFmpeg say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from clips import moving_frames, write_clip
from PIL import Image

from padkit.data.media.formats import NEITHER, STILL, VIDEO, image_formats, image_suffixes, kind_of, video_suffixes
from padkit.data.media.opening import open_media
from padkit.errors import DataError


@pytest.mark.parametrize(
    "suffix", ["jfif", "jpe", "avif", "jp2", "tga", "mpo", "JPG", "apng", "qoi", "pnm", "dib", "sgi"]
)
def test_what_pillow_reads_is_a_still(suffix):
    assert kind_of(f"a/b.{suffix}") == STILL


@pytest.mark.parametrize(
    "suffix", ["mts", "ts", "flv", "h264", "MP4", "m2ts", "ogv", "mxf", "vob", "dav", "266", "vc1"]
)
def test_what_ffmpeg_reads_is_a_video(suffix):
    assert kind_of(f"a/b.{suffix}") == VIDEO


@pytest.mark.parametrize(
    "suffix",
    ["txt", "csv", "heic", "db", "ini", "json", "eps", "pdf", "ico", "m3u8", "mp3", "wav", "yuv", "avs"],
)
def test_other_files_are_neither(suffix):
    assert kind_of(f"a/b.{suffix}") == NEITHER


def test_no_suffix_is_both():
    assert not image_suffixes() & video_suffixes()
    assert "EPS" not in image_formats(), "Pillow runs Ghostscript on it"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "GIF"])
def test_a_still_without_a_suffix_is_known_by_its_content(tmp_path, kind):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "0001", kind)
    assert kind_of(tmp_path / "0001") == STILL
    with open_media(tmp_path / "0001") as source:
        assert len(source) == 1


@pytest.mark.parametrize("suffix", [".avi", ".mov", ".mp4"])
def test_a_video_without_a_suffix_is_known_by_its_content(tmp_path, suffix):
    write_clip(tmp_path / f"a{suffix}", moving_frames(5))
    (tmp_path / f"a{suffix}").rename(tmp_path / "0001")
    assert kind_of(tmp_path / "0001") == VIDEO
    with open_media(tmp_path / "0001") as source:
        assert len(source) == 5


@pytest.mark.parametrize(
    "content", [b"", b"all rights reserved", b"\0" * 100, bytes(range(256)), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"]
)
def test_other_content_without_a_suffix_is_neither(tmp_path, content):
    (tmp_path / "LICENSE").write_bytes(content)
    assert kind_of(tmp_path / "LICENSE") == NEITHER
    assert kind_of(tmp_path / "gone") == NEITHER
    assert kind_of(tmp_path) == NEITHER


@pytest.mark.parametrize("name", ["pipe", "pipe.png", "pipe.mp4"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="no regular file"), open_media(tmp_path / name) as source:
        list(source.take([0]))


def test_ffmpeg_is_not_loaded_for_known_suffixes():
    code = (
        "import sys; from padkit.data.media.formats import kind_of; kind_of('a.jpg'), kind_of('a.mts');"
        "sys.exit('av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
