"""Sends spoilt files through `padkit predict`'s door and through the endpoint: no failure, no hang, a reason for each.

    python benchmarks/mutated_inputs.py MODEL [--files 1000] [--seed 0]

Kinds: bytes changed, cut short, wrong suffix, animated, zero bytes, no picture, bombs (30,000 x 30,000 pixels), strips.
It prints what came of them, the longest time of one file, and the memory before and after, as JSON. Exit status 1: a
file raised, an answer was not 200, a result had neither score nor reason, or one file took more than 30 s of processor
time (the clock's time says little on a busy machine).
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from PIL import Image

import padkit
from padkit.deploy.inputs import judge_file
from padkit.deploy.videos import Combine

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "JPEG2000")
SUFFIXES = ("png", "jpg", "webp", "gif", "bmp", "tiff", "tga", "heic", "jp2", "mp4", "dat", "")
LONGEST = 30.0  # seconds of processor time


def saved(picture: Image.Image, kind: str, **settings: object) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """Return a white PNG of 1 bit a pixel that is small as a file; made row by row, so that it is no bomb here."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" + b"\xff" * (side // 8)) for _ in range(side)) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def kinds(rng: random.Random) -> dict[str, Callable[[], bytes]]:
    """Return what makes a file of each kind."""
    from skimage import data

    portrait = Image.fromarray(data.astronaut()[:300, 100:400])
    sound = [saved(portrait, kind) for kind in FORMATS]
    frames = [portrait.rotate(90 * turn) for turn in range(4)]
    moving = [
        saved(frames[0], kind, save_all=True, append_images=frames[1:]) for kind in ("GIF", "WEBP", "PNG", "TIFF")
    ]
    small = saved(Image.new("L", (8, 8)), "GIF")
    bombs = [bomb(30_000), small[:6] + b"\x30\x75" * 2 + small[10:]]
    strips = [saved(Image.new("L", size), "PNG") for size in ((60_000, 200), (1, 60_000), (1, 1))]

    def changed() -> bytes:
        content = bytearray(rng.choice(sound + moving))
        for _ in range(rng.randint(1, 30)):
            # Heads decide more than pixels do.
            content[rng.randrange(rng.choice((64, len(content))))] = rng.randrange(256)
        return bytes(content)

    def cut() -> bytes:
        content = rng.choice(sound + moving)
        return content[: rng.randrange(len(content))]

    return {
        "changed": changed, "cut": cut, "sound": lambda: rng.choice(sound), "animated": lambda: rng.choice(moving),
        "empty": lambda: b"", "no picture": lambda: rng.randbytes(rng.randrange(1, 5000)),
        "bomb": lambda: rng.choice(bombs), "strip": lambda: rng.choice(strips),
    }  # fmt: skip


def files(number: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield kind, suffix and content."""
    rng = random.Random(seed)
    made = kinds(rng)
    weights = [6, 4, 1, 1, 1, 2, 1, 1]
    for _ in range(number):
        kind = rng.choices(list(made), weights)[0]
        yield kind, rng.choice(SUFFIXES), made[kind]()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    line = parser.parse_args()
    from fastapi.testclient import TestClient

    from padkit.serving.app import create_app
    from padkit.serving.service import Service

    predictor = padkit.load(line.model, threads=1)
    wrong: list[str] = []
    came = {"predict": Counter[str](), "endpoint": Counter[str]()}
    longest, by_clock = dict.fromkeys(came, 0.0), dict.fromkeys(came, 0.0)
    before = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        TestClient(create_app(Service(model=line.model), predictor)) as client,
    ):
        for number, (kind, suffix, content) in enumerate(files(line.files, line.seed)):
            path = Path(folder) / (f"{number}.{suffix}" if suffix else str(number))
            path.write_bytes(content)
            for door, found in came.items():
                start, began = time.process_time(), time.perf_counter()
                try:
                    if door == "predict":
                        results = [one.to_dict() for one in judge_file(predictor, path, Combine())]
                    else:
                        answer = client.post("/judge", files={"image": (path.name, content)})
                        answer.raise_for_status()
                        results = answer.json()["results"]
                except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
                    wrong.append(f"{number} {kind} .{suffix} {door}: {error!r}")
                    continue
                took = time.process_time() - start
                longest[door] = max(longest[door], took)
                by_clock[door] = max(by_clock[door], time.perf_counter() - began)
                found.update(str(one["reason"] or one["verdict"]) for one in results)
                if (
                    took > LONGEST
                    or not results
                    or any((one["score"] is None) == (one["reason"] is None) for one in results)
                ):
                    wrong.append(f"{number} {kind} .{suffix} {door}: {took:.1f} s, {results}")
            path.unlink()
            if number == line.files // 10:
                before = psutil.Process().memory_info().rss
    after, peak = psutil.Process().memory_info().rss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = [round(size / 2**20) for size in (before, after, peak)]
    print(json.dumps({
        "files": line.files, "seed": line.seed, "came": {door: dict(found) for door, found in came.items()},
        "longest_processor_seconds": {door: round(took, 2) for door, took in longest.items()},
        "longest_seconds": {door: round(took, 2) for door, took in by_clock.items()},
        "memory_mib_after_a_tenth_at_the_end_and_peak": memory, "wrong": wrong,
    }, indent=1))  # fmt: skip
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
