"""Pictures of more than 8 bits, and of floats, become 8 bits by the right factor."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import decode_image, read_image
from padkit.errors import DataError

KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG colour types by channels (ISO/IEC 15948)


def png(words: NDArray[np.uint16], orientation: int = 0) -> bytes:
    """Return uint16 [H, W, C] as a PNG of 16 bits, with the filter `Sub`, which looks one pixel to the left."""
    height, width, channels = words.shape
    rows = words.astype(">u2").reshape(height, -1).view(np.uint8)
    left = np.zeros_like(rows)
    left[:, 2 * channels :] = rows[:, : -2 * channels]
    data = zlib.compress(np.insert(rows - left, 0, 1, axis=1).tobytes())
    exif = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, 0)), (b"IDAT", data)]
    chunks += [(b"eXIf", exif)] * bool(orientation) + [(b"IEND", b"")]
    parts = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    data: bytes, width: int, height: int, bits: int, channels: int, order: str = "<", deflate: bool = False
) -> bytes:
    """Return a TIFF of one strip (TIFF 6.0, section 2)."""
    data = zlib.compress(data) if deflate else data
    many = 8 + len(data)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, bits), (259, 3, 1, 8 if deflate else 1)]
    tags += [(262, 3, 1, 2 if channels == 3 else 1), (273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(data))]
    place = many + 2 + 12 * len(tags) + 4
    found = struct.pack(order + "H", len(tags))
    for tag, kind, count, value in tags:
        if count == 3:
            found += struct.pack(order + "HHII", tag, kind, count, place)
        elif kind == 3:
            found += struct.pack(order + "HHIHH", tag, kind, count, value, 0)
        else:
            found += struct.pack(order + "HHII", tag, kind, count, value)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, many)
    return head + data + found + b"\0\0\0\0" + struct.pack(order + "HHH", bits, bits, bits)


def ramp(bits: int, channels: int = 1) -> NDArray[np.uint16]:
    """Return [6, 8, C] from 0 to the largest value of a depth."""
    return np.linspace(0, 2**bits - 1, 48 * channels).round().astype(np.uint16).reshape(6, 8, channels)


def wanted(words: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    eight = np.rint(words * (255 / (2**bits - 1))).astype(np.uint8)
    return eight.repeat(3, 2) if words.shape[2] == 1 else eight


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_is_scaled_by_the_depth_of_its_values(bits, channels):
    words = ramp(bits, channels)
    assert np.array_equal(decode_image(png(words), "x"), wanted(words, bits))


def test_eight_bits_in_words_of_sixteen_stay_as_they_are():
    words = ramp(8)
    assert np.array_equal(decode_image(png(words), "x"), wanted(words, 8))


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_deep_pictures_lies_over_white(bits, channels):
    words = ramp(bits, channels)
    words[..., -1] = 2**bits - 1
    words[0, ..., -1] = 0
    found = decode_image(png(words), "x")
    colours = words[..., :-1]
    assert (found[0] == 255).all()
    assert np.abs(found[1:].astype(int) - wanted(colours, bits)[1:]).max() <= 1


def test_a_deep_picture_is_turned_upright():
    words = ramp(12, 3)
    assert np.array_equal(decode_image(png(words, orientation=6), "x"), np.rot90(wanted(words, 12), -1))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize(("bits", "channels"), [(10, 1), (12, 1), (12, 3), (16, 1), (16, 3)])
def test_a_tiff_is_scaled_by_the_depth_of_its_values(order, deflate, bits, channels):
    words = ramp(bits, channels)
    content = tiff(words.astype(order + "u2").tobytes(), 8, 6, 16, channels, order, deflate=deflate)
    assert np.array_equal(decode_image(content, "x"), wanted(words, bits))


def test_a_tiff_that_states_twelve_bits_is_believed_when_it_is_dark():
    words = (ramp(12) // 64).astype(np.uint16)
    assert words.max() < 256
    pairs = words.reshape(-1, 2).astype(int)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
    content = tiff(packed.astype(np.uint8).tobytes(), 8, 6, 12, 1)
    assert np.array_equal(decode_image(content, "x"), wanted(words, 12))


def test_a_pgm_is_scaled_by_the_largest_value_that_it_states():
    words = ramp(12)
    content = b"P5 8 6 4095\n" + (words // 2).astype(">u2").tobytes()
    assert np.abs(decode_image(content, "x").astype(int) - wanted(words // 2, 12)).max() <= 1


def float_tiff(path: Path, values: NDArray[np.float64]) -> Path:
    Image.fromarray(values.astype(np.float32)).save(path)
    return path


@pytest.mark.parametrize("largest", [1.0, 1.3, 255.0, 4095.0, 65535.0])
@pytest.mark.parametrize("odd", [None, np.nan, np.inf, -np.inf])
def test_one_odd_value_leaves_the_rest_of_a_float_picture(tmp_path, largest, odd):
    values = np.linspace(0, largest, 48).reshape(6, 8)
    if odd is not None:
        values[3, 3] = odd
    found = read_image(float_tiff(tmp_path / "x.tif", values))[..., 0]
    scale = 255 if largest > 8 else largest * 255
    due = np.clip(np.rint(np.linspace(0, scale, 48)), 0, 255).reshape(6, 8)
    other = np.isfinite(values)
    assert np.abs(found[other].astype(int) - due[other]).max() <= 1
    if odd is not None:
        assert found[3, 3] == (255 if odd == np.inf else 0)


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        (np.full((4, 4), np.nan), "none of its values is a number"),
        (np.linspace(-1, 1, 16).reshape(4, 4), "values from -1 to 1"),
        (np.full((4, 4), 1e6), "more than 16 bits"),
    ],
)
def test_values_without_a_known_depth_are_refused(tmp_path, values, cause):
    with pytest.raises(DataError, match=cause) as error:
        read_image(float_tiff(tmp_path / "x.tif", values))
    assert "x.tif" in str(error.value)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_any_deep_png_keeps_its_order_of_brightness(number, width, height, channels, seed):
    bits = (8, 10, 12, 14, 16)[number]
    words = np.random.default_rng(seed).integers(0, 2**bits, (height, width, channels), dtype=np.uint16)
    words[0, 0, 0] = 2**bits - 1
    found = decode_image(png(words), "x")
    assert np.array_equal(found, wanted(words, bits))


def test_damage_in_a_deep_picture_is_one_line():
    content = png(ramp(12, 3))
    with pytest.raises(DataError, match="damaged"):
        decode_image(content[: len(content) // 2], "x")


def test_a_bomb_is_refused_before_it_is_decoded():
    small = png(ramp(12, 3))
    wide = struct.pack(">II", 40000, 40000) + small[24:29]
    content = small[:16] + wide + struct.pack(">I", zlib.crc32(b"IHDR" + wide)) + small[33:]
    with pytest.raises(DataError, match="too many pixels"):
        decode_image(content, "x")
