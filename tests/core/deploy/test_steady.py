"""How verdicts hold on a table: within crops, or in the room that is stored around them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.card import model_card
from padkit.deploy.predictor import Predictor
from padkit.deploy.stability import OF_BOX, WITHIN
from padkit.deploy.steady import CROPS, SURROUNDINGS, room_needed, steady

SIZE = 80


class Bordered(DatasetReader):
    """Grey crops, lighter if bona fide; black lies around them, 2 pixels within the crop already."""

    image_size = SIZE
    draws_room = True

    def __init__(self, room: float) -> None:
        self.room = room

    def records(self):
        for number in range(12):
            label = number % 2
            yield Presentation(dataset="d", domain="d", id=f"p{number}", label=label, species="" if label else "print")

    def frames(self, presentation):
        side = SIZE + 2 * CropOptions(size=SIZE, room=self.room).beyond
        edge = (side - SIZE) // 2 + 2
        whole = np.zeros((side, side, 3), np.uint8)
        whole[edge:-edge, edge:-edge] = 180 if presentation.label else 150
        return [whole]


def brightness(crops: np.ndarray) -> np.ndarray:
    return (crops.mean(axis=(1, 2, 3)) / 255).astype(np.float32)


def measured(folder, room: float, margin: float = 0.0, limit: int = 100):
    """Bona fide crops have mean 162.5, more than the threshold 152; a larger box shows more black: 134."""
    table = prepare(Bordered(room), dataset_name="d", cache_dir=folder, workers=1, progress=False)
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True, crop=CropPolicy(margin=margin, known=True),
        thresholds=(BundleThreshold(policy="source-dev", value=152 / 255),),
    )  # fmt: skip
    return steady(Predictor(bundle=bundle, score=brightness), table, np.arange(len(table)), limit)


def test_room_shows_what_a_larger_box_does(tmp_path):
    found = measured(tmp_path, 0.1).record()
    assert found["boxes_changed_in"] == SURROUNDINGS
    assert found["by_change"].keys() == {change.name for change in OF_BOX}
    flipped = {name: share for name, share in found["by_change"].items() if share}
    assert flipped == {"box 10 % larger": 0.5}, "bona fide faces flip, attacks stay attacks"
    assert (found["faces"], found["policy"], found["faces_with_a_flip"]) == (12, "source-dev", 0.5)
    assert found["flipped_verdicts"] == pytest.approx(0.5 / 6)
    assert json.loads(json.dumps(found)) == found
    whole = found["by_face_side"][-1]
    assert (whole["side"], whole["bona_fide"], whole["attack"], whole["bpcer"]) == (None, 6, 6, 0)


@pytest.mark.parametrize("room", [0.0, 0.04])
def test_with_too_little_room_boxes_stay_within_the_crop(tmp_path, room):
    found = measured(tmp_path, room).record()
    assert found["boxes_changed_in"] == CROPS
    assert found["by_change"].keys() == {change.name for change in WITHIN}
    assert found["flipped_verdicts"] == 0


def test_the_room_that_changes_of_the_box_need():
    assert room_needed(0.0) == 0.05
    assert room_needed(0.5) == 0.05, "10 % of the whole crop is more than 5 % of the box"


def test_few_presentations_are_of_both_classes(tmp_path):
    found = measured(tmp_path, 0.1, limit=4)
    assert sorted(found.labels) == [0, 0, 1, 1]


def test_the_card_of_a_trained_model_says_it(tmp_path):
    held = measured(tmp_path, 0.1).record()
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True, crop=CropPolicy(),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),), provenance={"stability": held},
    )  # fmt: skip
    card = model_card(bundle)
    assert "Stability: 8.3 % of verdicts flip" in card
    assert "50.0 % of 12 faces at least once (boxes changed in stored crops with room)." in card
    assert "| as they are | 6 | 6 | 0.0 | 0.0 |" in card
    assert "| 24 | 6 | 6 | " in card
