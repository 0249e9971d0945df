"""What a predictor is pointed at: images, videos, folders of them, patterns, lists of paths, and a webcam."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.media.opening import open_media
from padkit.data.media.pictures import read_picture
from padkit.data.media.stills import natural
from padkit.data.media.walk import media_below
from padkit.data.preparation.sampling import sampling_rule
from padkit.data.unread import Unread
from padkit.deploy.predictor import Predictor
from padkit.deploy.verdict import Judgement, Reason
from padkit.deploy.videos import Combine, combined
from padkit.errors import DataError, SettingsError, extra_needed, one_line

STDIN = "-"
MOST_BYTES = 2**28  # of a still, 256 MiB: no photograph is larger
WEBCAMS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}


@dataclass(slots=True)
class Listed:
    """Files to judge, in order, each once, and what was passed over.

    Attributes:
        paths: The files.
        unread: What within folders is not judged.
    """

    paths: list[Path] = field(default_factory=list)
    unread: Unread = field(default_factory=Unread)


def listed(words: Sequence[str], lines: Iterable[str] = ()) -> Listed:
    """Return the files that the words name: files, folders (with all below them), patterns, and `-` for `lines`.

    Args:
        words: As written on the command line; a word that is no file is read as a pattern (`faces/*.jpg`).
        lines: Paths, one a line, for `-`.

    Raises:
        DataError: A pattern matches nothing, or a file does not exist.
    """
    found, seen = Listed(), set()
    for word in words:
        for path in _expanded(word, lines):
            for file in _files(path, found.unread):
                if file.absolute() not in seen:
                    seen.add(file.absolute())
                    found.paths.append(file)
    return found


def _expanded(word: str, lines: Iterable[str]) -> list[Path]:
    if word == STDIN:
        return [Path(line.rstrip("\r\n")) for line in lines if line.strip()]
    path = Path(word).expanduser()
    if path.exists() or not glob.has_magic(word):
        return [path]
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    matched = sorted(map(Path, names), key=lambda one: natural(str(one)))
    if not matched:
        raise DataError(f"{word}: the pattern matches no file; check it, and quote it for the shell.")
    return matched


def _files(path: Path, unread: Unread) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(media_below(path, unread), key=lambda one: natural(str(one)))
    else:
        yield path


def judge_file(predictor: Predictor, path: Path, combine: Combine) -> list[Judgement]:
    """Judge a still or a video; whatever is wrong with the file becomes a coded reason, never an exception.

    Raises:
        PluginError: A library that the file or the finder needs is not installed.
    """
    source = str(path)
    try:
        if kind_of(path) == VIDEO:
            return judge_video(predictor, path, combine)
        if path.stat().st_size > MOST_BYTES:
            return [predictor.unjudged(source, Reason.TOO_LARGE, f"{path.stat().st_size / 2**20:.0f} MiB")]
        picture = read_picture(path)
    except DataError as error:
        told = one_line(error).removeprefix(f"{path}: ").rstrip(".")
        reason = Reason.TOO_LARGE if "too many pixels" in told else Reason.UNREADABLE
        return [predictor.unjudged(source, reason, told)]
    except OSError as error:
        return [predictor.unjudged(source, Reason.UNREADABLE, str(error.strerror or error))]
    return predictor.judge(picture, source)


def judge_video(predictor: Predictor, path: Path, combine: Combine) -> list[Judgement]:
    """Judge the chosen frames of a video and combine them; the first result is the video's, then each frame's.

    Raises:
        DataError: The video cannot be read.
        PluginError: The extra `video` is not installed.
    """
    with open_media(path) as source:
        numbers = sampling_rule(combine.frames)(len(source))
        shown = source.pictures(numbers, str(path))
        frames = [one for number, picture in shown for one in predictor.judge(picture, str(path), number)]
    return [combined(predictor, str(path), frames, combine), *frames]


def webcam(number: int, *, every: int = 5) -> Iterator[tuple[int, Image.Image]]:
    """Yield (frame number, picture of mode RGB) of a camera until the caller stops; PyAV reads it.

    Args:
        number: Of the camera, from 0.
        every: Take every n-th frame.

    Raises:
        SettingsError: padkit does not know how cameras are called here.
        DataError: The camera cannot be opened.
        PluginError: The extra `video` is not installed.
    """
    if sys.platform not in WEBCAMS:
        raise SettingsError(f"--webcam: cameras of {sys.platform!r} are not known; give a video file.")
    with extra_needed("--webcam", "padkit[video]"):
        import av
    kind, name = WEBCAMS[sys.platform]
    try:
        container: Any = av.open(name.format(number), format=kind)
    except (av.FFmpegError, OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise DataError(f"webcam {number}: cannot be opened ({cause}); check that it is there and free.") from error
    with container:
        for count, frame in enumerate(container.decode(video=0)):
            if count % every == 0:
                yield count, Image.fromarray(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
