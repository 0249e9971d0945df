"""Mutations of trees of images."""

from __future__ import annotations

import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

DOMAINS, EACH, SIDE = ("hall", "yard"), 3, 32
LIVE = ("real", "bonafide", "genuine", "bona_fide", "LIVE", "Live", "REAL")
SPOOF = ("fake", "attack", "spoof", "SPOOF", "Attack", "attacks")
Mutation = Callable[[random.Random, Path], Path | None]


def plant(root: Path, seed: int = 0) -> None:
    """Write `hall` and `yard`, each with three live and three spoof images."""
    rng = np.random.default_rng(seed)
    for domain in DOMAINS:
        for label in ("live", "spoof"):
            folder = root / domain / label
            folder.mkdir(parents=True)
            for number in range(EACH):
                pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


def one(rng: random.Random, root: Path) -> Path:
    """Return an image of a tree."""
    return rng.choice(sorted(root.rglob("*.png")))


def folders(rng: random.Random, root: Path) -> Path:
    return rng.choice(sorted(path for path in root.rglob("*") if path.is_dir()))


def renamed_root(rng: random.Random, root: Path) -> Path:
    return root.rename(
        root.with_name(rng.choice(["größe ö 顔", "a b'c\"d", "x;y$(z)", "-x", "%s{0}", "a\tb", "LIVE 2"]))
    )


def junk(rng: random.Random, root: Path) -> None:
    for name in rng.sample([".DS_Store", "Thumbs.db", "desktop.ini", "README.txt", "list.csv", "._0.png"], 3):
        (folders(rng, root) / name).write_bytes(b"\0junk\xff")


def hidden_copies(rng: random.Random, root: Path) -> None:
    source = one(rng, root)
    hidden = source.parent / rng.choice([".git", "__MACOSX", ".ipynb_checkpoints", "@eaDir", ".thumbnails"])
    hidden.mkdir()
    shutil.copy(source, hidden / source.name)


def label_words(rng: random.Random, root: Path) -> None:
    for domain in DOMAINS:
        for label, words in (("live", LIVE), ("spoof", SPOOF)):
            folder = root / domain / label
            folder.rename(folder.with_name(rng.choice(words)))


def other_suffix_case(rng: random.Random, root: Path) -> None:
    for path in root.rglob("*.png"):
        path.rename(path.with_suffix(rng.choice([".PNG", ".Png", ".png"])))


def other_mode(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    Image.open(path).convert(rng.choice(["L", "LA", "P", "RGBA", "1"])).save(path)


def other_format(rng: random.Random, root: Path) -> None:
    for path in sorted(root.rglob("*.png")):
        if rng.random() < 0.5:
            Image.open(path).save(path.with_suffix(rng.choice([".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"])))
            path.unlink()


def misnamed(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    path.rename(path.with_suffix(".jpg"))


def cmyk(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    Image.open(path).convert("CMYK").save(path.with_suffix(".jpg"))
    path.unlink()


def deeper(rng: random.Random, root: Path) -> None:
    folder = rng.choice(sorted(root.glob("*/spoof")))
    below = folder / rng.choice(["print", "replay", "mask"])
    below.mkdir()
    for path in folder.glob("*.png"):
        path.rename(below / path.name)


def with_splits(rng: random.Random, root: Path) -> None:
    for domain in DOMAINS:
        split = root / domain / rng.choice(["train", "test", "dev"])
        split.mkdir()
        for label in ("live", "spoof"):
            (root / domain / label).rename(split / label)


def empty_folders(rng: random.Random, root: Path) -> None:
    (folders(rng, root) / "nothing").mkdir()


def old_times(rng: random.Random, root: Path) -> None:
    os.utime(one(rng, root), (0, 0))


def linked_root(rng: random.Random, root: Path) -> Path:
    link = root.with_name("link")
    link.symlink_to(root)
    return link


def truncated(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def flipped(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def other_content(rng: random.Random, root: Path) -> None:
    html, text = b"<!doctype html><title>404</title>", "größe".encode()
    one(rng, root).write_bytes(rng.choice([b"", b"\0" * 4096, html, text, rng.randbytes(500), b"\x89PNG\r\n\x1a\n"]))


def folder_in_place(rng: random.Random, root: Path) -> None:
    """A folder with the name of an image, which holds it."""
    path = one(rng, root)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / path.name).write_bytes(content)


def bad_link(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    path.unlink()
    path.symlink_to(rng.choice(["nowhere.png", path.name, "/dev/null"]))


def pipe(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    path.unlink()
    os.mkfifo(path)


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def huge_header(rng: random.Random, root: Path) -> None:
    side = rng.choice([9000, 12000, 30000, 2**31 - 1, 0])
    one(rng, root).write_bytes(_png(side, side))


def odd_shape(rng: random.Random, root: Path) -> None:
    Image.new("RGB", rng.choice([(1, 1), (1, 3000), (3000, 1), (2, 2)]), (9, 9, 9)).save(one(rng, root))


def not_numbers(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    values = np.random.default_rng(0).uniform(0, rng.choice([1, 255]), (SIDE, SIDE)).astype(np.float32)
    values[3, 3] = rng.choice([np.nan, np.inf])
    Image.fromarray(values).save(path.with_suffix(".tif"))
    path.unlink()


def unknown_suffix(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    path.rename(path.with_suffix(rng.choice([".xyz", "", ".bak", ".jfif", ".png~", ".heic", ".mts"])))


def unknown_label(rng: random.Random, root: Path) -> None:
    folder = rng.choice(sorted(root.glob("*/*")))
    folder.rename(folder.with_name(rng.choice(["foo", "positive", "negative", "2", "livee", "none", "client"])))


def contradiction(rng: random.Random, root: Path) -> None:
    folder = rng.choice(sorted(root.glob("*/*")))
    other = {"live": "spoof", "spoof": "live"}[folder.name]
    (folder / other).mkdir()
    for path in folder.glob("*.png"):
        path.rename(folder / other / path.name)


def domain_is_a_label(rng: random.Random, root: Path) -> None:
    (root / "hall").rename(root / rng.choice(["0", "1", "live", "fake"]))


def odd_name(rng: random.Random, root: Path) -> None:
    path = one(rng, root)
    names = [
        b"caf\xe9.png",
        b"a\nb.png",
        b"-x.png",
        b"x" * 250 + b".png",
        b" .png",
        "é".encode() + b".png",
        b'a,b".png',
    ]
    os.rename(path, os.path.join(os.fsencode(path.parent), rng.choice(names)))  # noqa: PTH104, PTH118 - bytes


def link_to_above(rng: random.Random, root: Path) -> None:
    (folders(rng, root) / "again").symlink_to(root.resolve())


def no_images(rng: random.Random, root: Path) -> None:
    for path in sorted(root.glob(rng.choice(["*/live/*.png", "*/*/*.png", "hall/*/*.png"]))):
        path.unlink()


SAME: tuple[Mutation, ...] = (
    renamed_root, junk, hidden_copies, label_words, other_suffix_case, other_mode, other_format, misnamed, cmyk, deeper,
    with_splits, empty_folders, old_times, linked_root, folder_in_place,
)  # fmt: skip
TOLD: tuple[Mutation, ...] = (
    truncated, flipped, other_content, bad_link, pipe, huge_header, odd_shape, not_numbers,
    unknown_suffix, unknown_label, contradiction, domain_is_a_label, odd_name, link_to_above,
)  # fmt: skip
