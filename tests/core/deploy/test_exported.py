"""What is exported computes what the detector computes, and cuts in the graph what preparation cuts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from padkit.data.preparation.squares import Square, cut, face_square
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import CropPolicy
from padkit.deploy.exported import OfCrops, OfPhotograph
from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.testing.toys import SIZE, ToyStudent
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)
BOXES = {
    "inside": (60, 50, 70, 70),
    "parts of pixels": (60.3, 50.7, 33.3, 41.1),
    "over the left upper corner": (-10, -5, 90, 60),
    "over the right lower corner": (150, 100, 60, 60),
    "nearly everything": (10, 10, 160, 120),
    "enlarged": (60, 50, 12, 10),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize(("margin", "drop", "size"), [(0.0, 0.0, 32), (0.28, 0.1, 48)])
def test_the_graph_cuts_what_preparation_cuts(box, margin, drop, size):
    photograph = np.random.default_rng(0).integers(0, 256, (140, 180, 3), dtype=np.uint8)
    module = OfPhotograph(torch.nn.Identity(), size, CropPolicy(margin=margin, drop=drop, known=True))
    found = module.cut(torch.from_numpy(photograph).float(), torch.tensor(box, dtype=torch.float32)).numpy()
    square = face_square(FaceHint(box=box), margin=margin, align=False, width=180, height=140)
    square = Square(square.x, square.y - drop * square.side, square.side)
    expected = cut(Image.fromarray(photograph), square, size).astype(np.float32)
    assert np.array_equal(found, expected)


def test_uint8_crops_give_the_scores_of_the_detector():
    torch.manual_seed(0)
    detector = Detector(TimmStudent(model="test_resnet")).eval()
    crops = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = detector(crops.permute(0, 3, 1, 2).float() / 255)
        assert torch.allclose(OfCrops(detector)(crops), expected, atol=1e-6)
        softer = OfCrops(detector, temperature=3.0)(crops)
    odds = torch.log(expected / (1 - expected)) / 3
    assert torch.allclose(softer, torch.sigmoid(odds), atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_five_views_of_crops_and_of_a_photograph_give_the_scores_of_the_detector(temperature):
    torch.manual_seed(0)
    detector = Detector(ToyStudent(), "five").eval()
    photograph = torch.randint(0, 256, (SIZE, SIZE, 3), dtype=torch.uint8)
    whole = torch.tensor([0.0, 0.0, SIZE, SIZE])
    with torch.no_grad():
        expected = detector(photograph.permute(2, 0, 1)[None].float() / 255)
        expected = torch.sigmoid(torch.logit(expected) / temperature)
        found = OfCrops(detector, temperature)(photograph[None])
        boxed = OfPhotograph(detector, SIZE, CropPolicy(margin=0.0), temperature)(photograph, whole)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(boxed, expected, atol=1e-6)


def test_crops_aligned_by_eyes_are_refused():
    with pytest.raises(SettingsError, match="aligned"):
        OfPhotograph(torch.nn.Identity(), 32, CropPolicy(align=True))
