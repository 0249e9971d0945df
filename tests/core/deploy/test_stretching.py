"""Stretched crops: the box's own shape, the same pixels as cutting where it is square, the picture's border."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import FaceHint
from padkit.deploy.cutting import PolicyCropper
from padkit.deploy.stretching import StretchedCropper, stretched
from padkit_folder.tree import FolderReader

OPTIONS = CropOptions(frames="all", face="lbp", margin=0.1, size=32)


def picture(width: int = 200, height: int = 160) -> Image.Image:
    down, across = np.mgrid[:height, :width]
    pixels = np.stack([across, down, (across + down) // 2], -1).astype(np.uint8)
    return Image.fromarray(pixels)


def write(root, image: Image.Image) -> FolderReader:
    (root / "live").mkdir()
    image.save(root / "live" / "a.png")
    return FolderReader(root=str(root))


def only(cropper: Cropper) -> np.ndarray:
    (record,) = cropper.records()
    ((_, found),) = cropper.crops(record, Tally())
    return found


def see(monkeypatch, box):
    monkeypatch.setattr(
        "padkit.data.preparation.cropping.finder", lambda name, model: lambda picture, hint: [FaceHint(box=box)]
    )


def test_a_tall_box_fills_the_square(tmp_path, monkeypatch):
    """Columns 80 to 120 and rows 40 to 120, with a tenth on each side: 76 to 124 and 32 to 128."""
    see(monkeypatch, (80, 40, 40, 80))
    found = only(StretchedCropper(write(tmp_path, picture()), OPTIONS)).astype(float)
    step_across = np.diff(found[..., 0], axis=1).mean()
    step_down = np.diff(found[..., 1], axis=0).mean()
    assert step_across == pytest.approx(48 / 32, abs=0.05)
    assert step_down == pytest.approx(96 / 32, abs=0.05)
    assert found[..., 0].mean() == pytest.approx(99.5, abs=0.6)
    assert found[..., 1].mean() == pytest.approx(79.5, abs=0.6)


@pytest.mark.parametrize("drop", [0.0, 0.1])
@pytest.mark.parametrize("box", [(50, 40, 60, 60), (-20, 110, 70, 70)])
def test_a_square_box_gives_the_same_crop_as_cutting(tmp_path, monkeypatch, box, drop):
    see(monkeypatch, box)
    reader = write(tmp_path, picture())
    assert np.array_equal(only(StretchedCropper(reader, OPTIONS, drop)), only(PolicyCropper(reader, OPTIONS, drop)))


def test_a_whole_picture_is_stretched(tmp_path):
    reader = write(tmp_path, picture(80, 40))
    found = only(StretchedCropper(reader)).astype(float)
    assert found[0, -1, 0] - found[0, 0, 0] > 75, "the sides were cut off"
    assert only(Cropper(reader)).astype(float)[0, -1, 0] < 65


def test_beyond_the_border_edge_pixels_are_repeated():
    found = stretched(picture(50, 50), (-100, 10, -50, 20), 8)
    assert (found[..., 0] == 0).all()
    assert (np.diff(found[:, 0, 1].astype(int)) > 0).all()


def test_the_table_has_another_key(tmp_path):
    reader = write(tmp_path, picture())
    assert StretchedCropper(reader, OPTIONS).fingerprint() != PolicyCropper(reader, OPTIONS).fingerprint()
    assert StretchedCropper(reader).fingerprint() != Cropper(reader).fingerprint()
