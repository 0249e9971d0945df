"""Stills of every kind become uint8 RGB; what cannot be decoded is one line."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from padkit.data.media import pictures as media
from padkit.errors import DataError

GRADIENT = np.arange(48 * 32 * 3, dtype=np.uint32).reshape(48, 32, 3).astype(np.uint8)


def refused(call, *parts: str) -> None:
    with pytest.raises(DataError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_png_round_trip_is_exact():
    noise = np.random.default_rng(1).integers(0, 256, (33, 17, 3), dtype=np.uint8)
    for frame in (GRADIENT, noise, noise[:1], noise[:, :1], np.ascontiguousarray(noise[:1, :1]), noise[:, ::2]):
        for deflate in (True, False):
            assert np.array_equal(media.decode_image(media.encode_png(frame, deflate=deflate), "x"), frame)


def test_what_is_not_deflated_stands_in_the_file_as_it_is():
    noise = np.random.default_rng(1).integers(0, 256, (33, 17, 3), dtype=np.uint8)
    stored = media.encode_png(noise, deflate=False)
    assert all(row.tobytes() in stored for row in noise)
    assert not any(row.tobytes() in media.encode_png(noise) for row in noise)


def test_exif_orientation_is_honoured(tmp_path):
    image = Image.fromarray(GRADIENT)
    exif = image.getexif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to be upright
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(media.read_image(tmp_path / "turned.png"), np.rot90(GRADIENT, -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "RGBA", "LA"])
def test_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("x.jpg" if mode in {"CMYK", "YCbCr"} else "x.png")
    stored = Image.new("RGB", (9, 7), (200, 200, 200)).convert(mode)
    stored.save(path)
    frame = media.read_image(path).astype(int)
    assert frame.shape == (7, 9, 3)
    # Pillow dithers into few colours, so one bit and palette are compared with what was stored, pixel by pixel.
    wanted = np.asarray(stored.convert("RGB")).astype(int) if mode in {"1", "P"} else 200
    assert np.abs(frame - wanted).max() <= (0 if mode in {"1", "P"} else 3)


def test_transparency_lies_over_white(tmp_path):
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert (media.read_image(tmp_path / "clear.png") == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert (media.read_image(tmp_path / "palette.png") == 255).all()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    frame = media.read_image(tmp_path / "deep.png")
    assert np.array_equal(frame[..., 0], np.rint(grey / 257).astype(np.uint8))


def test_damage_is_one_line_that_names_the_file(tmp_path):
    content = media.encode_png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    for name, data, cause in [
        ("empty.png", b"", "empty"),
        ("cut.png", content[: len(content) // 2], "truncated"),
        ("text.jpg", b"no image at all", "not an image"),
    ]:
        (tmp_path / name).write_bytes(data)
        refused(lambda name=name: media.read_image(tmp_path / name), name, cause)
    buffer = io.BytesIO()
    Image.fromarray(GRADIENT).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-200])
    refused(lambda: media.read_image(tmp_path / "cut.jpg"), "cut.jpg", "truncated")
    refused(lambda: media.read_image(tmp_path / "none.png"), "none.png", "No such file")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    refused(lambda: media.read_image(tmp_path / "clip.mp4"), "a video, where a still image is due")


def test_huge_images_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (13, 13)).save(tmp_path / "big.png")
    refused(lambda: media.read_image(tmp_path / "big.png"), "big.png", "too many pixels")


def test_rotation_is_clockwise():
    assert np.array_equal(media.rotate(GRADIENT, 90), np.rot90(GRADIENT, -1))
    assert np.array_equal(media.rotate(media.rotate(GRADIENT, 90), 270), GRADIENT)
    refused(lambda: media.rotate(GRADIENT, 45), "45")


def square(frame: np.ndarray, size: int) -> np.ndarray:
    return media.to_square(Image.fromarray(frame), size)


def test_square_keeps_the_aspect():
    frame = np.zeros((40, 80, 3), np.uint8)
    frame[:, 20:60] = 255  # the centred square is white
    assert (square(frame, 16) == 255).all()
    same = np.ascontiguousarray(GRADIENT[:32])
    assert np.array_equal(square(same, 32), same)


@given(width=st.integers(1, 60), height=st.integers(1, 60), size=st.integers(1, 40))
def test_squares_are_cut_before_they_are_resized(width, height, size):
    frame = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    middle = Image.fromarray(np.ascontiguousarray(frame[top : top + side, left : left + side]))
    found = square(frame, size)
    assert np.array_equal(found, np.asarray(middle.resize((size, size), Image.Resampling.BICUBIC)))
    assert found.flags.writeable


def test_square_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = square(stripes, 16).astype(int)
    assert np.abs(small - 127).max() < 40  # picking every fourth column would give 0 or 255


def test_what_is_no_frame_is_refused():
    refused(lambda: media.check_frame(np.zeros((4, 4), np.uint8), "a"), "a", "[H, W, 3]")
    refused(lambda: media.check_frame(np.zeros((4, 4, 3), np.float32), "a"), "float32")  # type: ignore[arg-type]
