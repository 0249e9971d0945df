"""Which files are stills and which are videos: what Pillow and FFmpeg say that they read, by suffix or first bytes."""

from __future__ import annotations

import functools
import io
import os
from pathlib import Path

from PIL import Image

STILL, VIDEO, NEITHER = "still", "video", ""

# Known without FFmpeg, so that a missing extra `video` is an error about videos and not a folder without data.
VIDEO_SUFFIXES = frozenset(
    {
        ".3g2", ".3gp", ".3gpp", ".amv", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".ivf", ".m1v", ".m2p",
        ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg",
        ".mts", ".mxf", ".nut", ".obu", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
        ".264", ".265", ".h264", ".h265", ".hevc",
    }
)  # fmt: skip
# Pillow opens these, but they are no photographs: programs that Ghostscript would run (EPS), files of which it reads
# the head alone, and icons.
NO_PHOTOGRAPHS = frozenset({"EPS", "MPEG", "BUFR", "GRIB", "HDF5", "WMF", "ICO", "CUR", "ICNS"})
# Formats whose first bytes are unmistakable: a text file can be a TGA as far as Pillow knows.
MARKED = frozenset({"JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000"})
HEAD = 16  # bytes
# ISO base media (MP4, QuickTime) names its kind at byte 4; these kinds hold stills.
STILL_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})
VIDEO_MARKS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u\x8ef\xcf\x11")
# FFmpeg writes these containers with a video codec too, but they are pictures, sound, lists of other files, or frames
# without their size.
NO_VIDEOS = frozenset({"image2", "image2pipe", "rawvideo", "hls", "dash", "swf", "ico", "gif", "apng", "webp", "avif"})
NO_VIDEOS_BY_SUFFIX = frozenset(
    {".heic", ".heif", ".avs", ".isma", ".m4a", ".m4b", ".mka", ".mks", ".ogg", ".ra", ".wma", ".y"}
)
COVERS = frozenset({"png", "bmp", "fits", "none"})  # "video" codecs of sound files with a picture


@functools.cache
def image_formats() -> tuple[str, ...]:
    """Return the names of the formats that this Pillow decodes as photographs."""
    Image.init()
    return tuple(sorted(set(Image.OPEN) - NO_PHOTOGRAPHS))


@functools.cache
def image_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes that Pillow has registered for these formats, with their dot."""
    # Pillow has no opener of its own for MPO, a JPEG with further images behind the first.
    known = {*image_formats(), "MPO"}
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in known)


@functools.cache
def video_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes of videos: `VIDEO_SUFFIXES`, and those that FFmpeg names if it is installed."""
    return (VIDEO_SUFFIXES | _suffixes_of_ffmpeg()) - image_suffixes() - NO_VIDEOS_BY_SUFFIX


def kind_of(path: str | Path) -> str:
    """Return `still`, `video`, or "" for a file that neither Pillow nor FFmpeg reads.

    The suffix decides; a file without one is judged by its first bytes.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 -- a `Path` for each of a million files takes seconds
    if suffix in VIDEO_SUFFIXES:
        return VIDEO
    if suffix in image_suffixes():
        return STILL
    if not suffix:
        return _kind_by_content(path)
    # Asking FFmpeg takes 0.2 s, so it is asked last.
    return VIDEO if suffix in video_suffixes() else NEITHER


def _kind_by_content(path: str | Path) -> str:
    # Opening a pipe would wait for its other end.
    if not os.path.isfile(path):  # noqa: PTH113 -- `path` may be a text
        return NEITHER
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- `path` may be a text
            head = file.read(HEAD)
            if _is_video(head):
                return VIDEO
            file.seek(0)
            with Image.open(file, formats=sorted(MARKED & {*image_formats()})):
                return STILL
    # A file that cannot be read is not judged here; on damaged heads, Pillow's plugins may raise anything.
    except Exception:  # noqa: BLE001
        return NEITHER


def _is_video(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] not in STILL_BRANDS
    return head.startswith(VIDEO_MARKS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


def _suffixes_of_ffmpeg() -> frozenset[str]:
    try:
        import av
    except ImportError:
        return frozenset()
    found: set[str] = set()
    for name in sorted(av.formats_available - NO_VIDEOS):
        try:
            container = av.open(io.BytesIO(), "w", format=name)
            codec = container.default_video_codec
        # Formats that only read, and those that need a real file.
        except (ValueError, AttributeError, OSError, av.FFmpegError):
            continue
        if codec not in COVERS:
            found |= {f".{suffix.strip()}" for suffix in container.format.extensions}
    return frozenset(suffix.lower() for suffix in found)
