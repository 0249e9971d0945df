"""Scales pictures of more than 8 bits, or of floats, to 8 bits a channel; the one place that decides by what factor."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.errors import DataError

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras store, the last four in words of 16 bits
WHOLE = frozenset({"PPM", "JPEG2000"})  # formats whose decoder scales to all 16 bits by the depth that the file states
BITS_PER_SAMPLE = 258  # tag of a TIFF
BLOCK = 2**20  # pixels that are converted at once
# A float picture is taken for one in [0, 1] up to here: resampling and highlights exceed 1, and a picture in [0, 255]
# this dark would be black.
UNIT = 8.0
LEAST_SHARE = -0.5  # of the largest value: what resampling may leave below 0

# The same bytes read with the other byte order: these give the low bytes where Pillow keeps the high ones alone.
OTHER_ORDER = {"16B": "16L", "16L": "16B", "16N": "16B" if np.little_endian else "16L"}


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened, not yet loaded picture has more than 8 bits a channel, or floats."""
    return image.mode.startswith(("I", "F")) or _wide(image) is not None


def to_eight_bits(image: Image.Image, content: bytes, name: str) -> Image.Image:
    """Return a deep picture with 8 bits a channel, mode L, RGB or RGBA, not yet turned upright.

    The depth is what the file states (TIFF, PPM, JPEG 2000), or else the smallest of 8, 10, 12, 14 and 16 bits that
    holds the largest value: PNG has no place for it, and cameras write 10 bits into words of 16. Floats up to `UNIT`
    are taken for [0, 1] and clipped. What is not a number becomes black.

    Args:
        image: The opened file; `is_deep`.
        content: Its bytes, which are decoded a second time if Pillow gives only the high bytes.
        name: Names it in errors.

    Raises:
        DataError: No depth fits the values.
    """
    wide = _wide(image)
    if wide is not None:
        words = _words(image, content, wide)
        colours = words[..., :3] if words.shape[2] > 2 else words[..., :1]
        bits = _bits(float(colours.max(initial=0)), name, image)
        scaled = _scaled(colours, bits)
        if words.shape[2] in (2, 4):
            alpha = words[..., -1:]
            shown = _scaled(alpha, _bits(float(alpha.max(initial=0)), name, None))
            scaled = np.concatenate([scaled.repeat(3 // scaled.shape[2], 2), shown], 2)
        return Image.fromarray(scaled)
    stated = _stated(image)
    image.load()
    values = np.asarray(image)
    return Image.fromarray(_grey(values, name, stated))


def _grey(values: NDArray[np.generic], name: str, stated: int) -> NDArray[np.uint8]:
    """Return [H, W] of any numeric type as uint8."""
    least, largest = _range(values)
    if not np.isfinite(largest):
        raise DataError(f"{name}: none of its values is a number.")
    if least < LEAST_SHARE * max(largest, 0) - 1e-6:
        raise DataError(f"{name}: values from {least:g} to {largest:g} are no picture; save it with 8 or 16 bits.")
    if values.dtype == np.uint16:
        return _scaled(values, stated or _bits(largest, name, None))
    if values.dtype.kind == "f" and largest <= UNIT:
        factor = 255.0
    else:
        factor = 255.0 / (2 ** (stated or _bits(largest, name, None)) - 1)
    found = np.empty(values.shape, np.uint8)
    for rows in _blocks(values):
        part = np.nan_to_num(values[rows].astype(np.float64), nan=0.0, posinf=largest, neginf=0.0) * factor
        found[rows] = np.clip(np.rint(part), 0, 255)
    return found


def _range(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return the least and the largest finite value; infinite if there is none."""
    least, largest = np.inf, -np.inf
    for rows in _blocks(values):
        part = values[rows]
        finite = part[np.isfinite(part)] if part.dtype.kind == "f" else part
        if finite.size:
            least, largest = min(least, float(finite.min())), max(largest, float(finite.max()))
    return least, largest


def _scaled(words: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """Return uint16 values of the given depth as uint8, through a table of all values."""
    table = np.clip(np.rint(np.arange(2**16) * (255.0 / (2**bits - 1))), 0, 255).astype(np.uint8)
    found: NDArray[np.uint8] = table[words]
    return found


def _bits(largest: float, name: str, image: Image.Image | None) -> int:
    if image is not None and (stated := _stated(image)):
        return stated
    for bits in DEPTHS:
        if largest < 2**bits:
            return bits
    raise DataError(f"{name}: values up to {largest:g} have more than 16 bits; save it with 8 or 16 bits.")


def _stated(image: Image.Image) -> int:
    """Return the depth that the file states, or 0; 16 in a TIFF or PNG is the size of the word and states nothing."""
    if image.format in WHOLE:
        return 16
    tags = getattr(image, "tag_v2", None)
    bits = {*tags.get(BITS_PER_SAMPLE, ())} if tags is not None else set()
    found = bits.pop() if len(bits) == 1 else 0
    return found if found in DEPTHS[1:-1] else 0


def _blocks(values: NDArray[np.generic]) -> Iterator[slice]:
    height = max(1, BLOCK // max(values.shape[1], 1))
    for start in range(0, values.shape[0], height):
        yield slice(start, start + height)


def _wide(image: Image.Image) -> str | None:
    """Return the raw mode of a colour picture (or grey with alpha) of 16 bits, of which Pillow keeps the high bytes."""
    found = {_raw(tile.args) for tile in getattr(image, "tile", ())}
    raw = found.pop() if len(found) == 1 else ""
    name, _, order = raw.partition(";")
    known = (name in {"RGB", "RGBA"} and order in OTHER_ORDER) or raw == "LA;16B"
    return raw if known else None


def _raw(arguments: object) -> str:
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _words(image: Image.Image, content: bytes, raw: str) -> NDArray[np.uint16]:
    """Return uint16 [H, W, C] with C = 2 (grey, alpha), 3 or 4."""
    if raw == "LA;16B":
        # As four bytes a pixel, these are the high and low bytes of both channels.
        halves = _decoded(content, raw, "RGBA").astype(np.uint16)
        return np.asarray(halves[..., ::2] << 8 | halves[..., 1::2], np.uint16)
    name, _, order = raw.partition(";")
    low = _decoded(content, raw, f"{name};{OTHER_ORDER[order]}")
    image.load()
    words = np.asarray(image).astype(np.uint16)
    words <<= 8
    words |= low
    return words


def _decoded(content: bytes, raw: str, wanted: str) -> NDArray[np.uint8]:
    """Decode the file with another raw mode than its own."""
    with Image.open(io.BytesIO(content)) as image:
        image.tile = [
            tile._replace(args=(wanted, *tile.args[1:]) if isinstance(tile.args, tuple) else wanted)
            for tile in image.tile
            if _raw(tile.args) == raw
        ]
        image.load()
        return np.asarray(image)
