"""Throughput of preparation without a face detector, against bare decoding and resizing on the same core.

Bare is what no preparation can leave out: PyAV or Pillow decode up to the last frame wanted, wanted frames become RGB
and are resized; a JPEG never leaves Pillow. `padkit` does the same, counts and checks, encodes each crop as PNG (shown
apart) and writes the table. The two take turns in one process; ratios are of processor time, which other work on the
machine disturbs less than the clock. The aim is 0.80.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from padkit.data.media.opening import open_media
from padkit.data.media.pictures import encode_png
from padkit.data.media.sources import FrameSource
from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.preparation.sampling import ssdg
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader

SIZE = 256
LENGTH = 150  # frames a clip; OULU-NPU's are about that long
KINDS = ("video 640x480", "video 1920x1080", "jpeg 600x800", "jpeg 600x800 boxed")
BOX = (140.0, 200.0, 320.0, 320.0)  # of the face, as a dataset would tell it


class Files(DatasetReader):
    """Gives media files as they are."""

    def __init__(self, paths: list[Path], *, boxed: bool) -> None:
        self.paths, self.box = paths, BOX if boxed else None

    def records(self) -> Iterator[Presentation]:
        """Yield one record a file."""
        for path in self.paths:
            yield Presentation(dataset="bench", domain="bench", id=path.name, label=1, path=str(path), box=self.box)

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the file."""
        return open_media(presentation.path)


def scene(width: int, height: int, number: int) -> np.ndarray:
    """Return a moving picture with detail and sensor noise, uint8 RGB [height, width, 3]."""
    rng = np.random.default_rng(number % 7)
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    picture = np.roll(picture, 3 * number, axis=1) + rng.integers(-6, 7, picture.shape, dtype=np.int16)
    return picture.clip(0, 255).astype(np.uint8)


def make(kind: str, folder: Path, count: int) -> list[Path]:
    """Write `count` files of a kind; the clips are copies of one."""
    width, height = map(int, kind.split()[1].split("x"))
    suffix = ".jpg" if kind.startswith("jpeg") else ".avi"
    first = folder / f"0{suffix}"
    if suffix == ".jpg":
        Image.fromarray(scene(width, height, 0)).save(first, quality=92)
    else:
        frames = [scene(width, height, number) for number in range(7)]
        with av.open(str(first), "w") as container:
            stream = container.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate = 12 * width * height  # 3.7 Mbit/s at 640x480
            for number in range(LENGTH):
                picture = np.roll(frames[number % 7], number, axis=0)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    paths = [first]
    for number in range(1, count):
        paths.append(folder / f"{number}{suffix}")
        paths[-1].write_bytes(first.read_bytes())
    return paths


def bare(paths: list[Path], *, boxed: bool) -> None:
    """Decode, convert and resize with the libraries alone."""
    for path in paths:
        if path.suffix == ".jpg":
            with Image.open(path) as image:
                square = with_margin(BOX) if boxed else centred(*image.size)
                np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=square))
            continue
        wanted = ssdg(LENGTH)
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                    square = centred(*picture.size)
                    np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=square))
                if number == wanted[-1]:
                    break


def centred(width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the largest square in the middle."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def with_margin(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a square box grown by the usual margin."""
    x, y, side, _ = box
    more = CropOptions().margin * side
    return x - more, y - more, x + side + more, y + side + more


def padkit(paths: list[Path], *, boxed: bool) -> None:
    """Prepare the files."""
    with tempfile.TemporaryDirectory() as out:
        cropper = Cropper(Files(paths, boxed=boxed), CropOptions(face="hints" if boxed else "none", size=SIZE))
        prepare(cropper, dataset_name="bench", cache_dir=out, workers=1, progress=False)


def seconds(work: Callable[[Any], object], material: Any) -> tuple[float, float]:
    """Return processor time and wall time of some work."""
    began, clock = time.process_time(), time.perf_counter()
    work(material)
    return time.process_time() - began, time.perf_counter() - clock


def main() -> int:
    """Print a line a kind of medium: files a second of both, and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    for kind in options.kinds:
        count = {"video 640x480": 24, "video 1920x1080": 6}.get(kind, 300)
        boxed = kind.endswith("boxed")
        works = partial(bare, boxed=boxed), partial(padkit, boxed=boxed)
        with tempfile.TemporaryDirectory() as folder:
            paths = make(kind, Path(folder), count)
            for work in works:
                work(paths[:2])  # imports and caches
            turns = [(seconds(works[0], paths), seconds(works[1], paths)) for _ in range(options.turns)]
        ratios = [plain[0] / ours[0] for plain, ours in turns]
        plain, ours = (1000 * min(turn[place][0] for turn in turns) / count for place in (0, 1))
        crop = np.asarray(Image.fromarray(scene(600, 600, 0)).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        frames = 1 if kind.startswith("jpeg") else 2
        encoding = 1000 * frames * min(seconds(partial(encode_png, deflate=False), crop)[0] for _ in range(50))
        wall = statistics.median(turn[0][1] / turn[1][1] for turn in turns)
        print(
            f"{kind:<18} bare {plain:6.1f} ms a file, padkit {ours:6.1f} ms (PNG {encoding:.1f}); "
            f"ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}, {options.turns} turns), by the clock {wall:.2f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
