"""The bundle of an adapted model says nothing that was measured on the old weights."""

from __future__ import annotations

import numpy as np

from padkit.deploy.adapted import adapted
from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.deploy.card import model_card
from padkit.evaluation.regression import DomainCheck, figures
from padkit.evaluation.scores import Scores

STABILITY = {
    "faces": 7, "boxes_changed_in": "photographs", "policy": "eer", "threshold": 0.5, "flipped_verdicts": 0.25,
    "faces_with_a_flip": 0.5, "by_change": {}, "by_face_side": [],
}  # fmt: skip


def scores() -> Scores:
    label, blank = np.array([1, 1, 0, 0]), np.full(4, "")
    return Scores(
        presentation=np.arange(4).astype(str), dataset=blank, domain=blank, split=blank, subject=blank, device=blank,
        label=label, attack_type=blank, species=np.where(label == 1, "", "print"), score=np.array([0.9, 0.8, 0.2, 0.1]),
        frames=np.ones(4, np.int64),
    )  # fmt: skip


def test_what_was_measured_on_old_weights_is_left_out_of_bundle_and_card() -> None:
    old = Bundle(
        student="timm", settings={}, image_size=32, thresholds=(BundleThreshold(policy="eer", value=0.6),),
        simulated=False, temperature=2.0, views="five", sha256="ab" * 32,
        provenance={"stability": STABILITY, "calibrations": [{"stability": STABILITY}], "seed": 3},
    )  # fmt: skip
    found = figures(scores(), 0.5)
    new = adapted(old, DomainCheck(name="own data", own=True, before=found, after=found), {}, made=[(False, False)])
    assert new.provenance.keys() == {"seed", "checkpoint_selection", "checkpoint_test_set_choice", "adaptations"}
    assert (new.temperature, [one.policy for one in new.thresholds]) == (1.0, ["adapted-eer"])
    assert new.views == "five"
    assert "Stability: 25.0 %" in model_card(old)
    assert "Stability" not in model_card(new)
