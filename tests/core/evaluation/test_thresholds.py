"""Threshold policies choose on the scores they say and on no others."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import equal_error
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.thresholds import POLICIES, check_policy, choose, policies


def scores(seed: int, labels: tuple[int, ...] = (0, 1)) -> Scores:
    label = np.array([labels[i % len(labels)] for i in range(60)])
    values = np.clip(np.random.default_rng(seed).normal(0.3 + 0.02 * seed + 0.3 * label, 0.15), 0, 1)
    return presentation_scores({"presentation": [f"p{i}" for i in range(60)], "label": label}, values)


@pytest.mark.parametrize(
    ("policy", "own", "on_test"), [("source-dev", 0, False), ("target-eer", 1, True), ("dev-eer", 2, False)]
)
def test_a_policy_takes_the_eer_threshold_of_its_own_scores(policy: str, own: int, on_test: bool) -> None:
    sets = [scores(0), scores(5), scores(9)]
    values = [equal_error(s.label, s.score).threshold for s in sets]
    assert len(set(values)) == 3  # else the test could not tell them apart
    found = choose(policy, source_dev=sets[0], target=sets[1], target_dev=sets[2])
    assert (found.policy, found.value, found.test_set_choice) == (policy, values[own], on_test)
    assert ("test set" in found.chosen_on) == on_test


def test_a_fixed_threshold_is_the_one_given() -> None:
    found = choose("fixed:0.25")
    assert (found.policy, found.value, found.test_set_choice) == ("fixed:0.25", 0.25, False)


def test_unknown_policies_show_the_closest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'source-dev'") as caught:
        check_policy("source_dev")
    assert all(policy in str(caught.value) for policy in POLICIES)
    assert POLICIES


@pytest.mark.parametrize("policy", ["fixed:", "fixed:half", "fixed:nan", "fixed:1.5", "fixed:-0.1", "fixed:inf"])
def test_fixed_needs_a_number_between_0_and_1(policy: str) -> None:
    with pytest.raises(SettingsError, match="not a number in"):
        check_policy(policy)


@pytest.mark.parametrize("policy", ["source-dev", "target-eer", "dev-eer"])
def test_missing_or_one_class_scores_name_the_policy(policy: str) -> None:
    with pytest.raises(DataError, match=f"'{policy}' needs scores"):
        choose(policy)
    one_class = scores(0, labels=(1,))
    with pytest.raises(DataError, match=f"'{policy}'.*no attack"):
        choose(policy, source_dev=one_class, target=one_class, target_dev=one_class)


@pytest.mark.parametrize(
    ("asked", "official", "expected"),
    [
        (None, False, ["source-dev", "target-eer"]),
        (None, True, ["dev-eer", "target-eer"]),
        ("dev-eer", False, ["dev-eer", "source-dev", "target-eer"]),
        ("fixed:0.5", True, ["fixed:0.5", "dev-eer", "target-eer"]),
        ("target-eer", False, ["target-eer", "source-dev"]),
    ],
)
def test_the_policies_of_a_run(asked: str | None, official: bool, expected: list[str]) -> None:
    assert policies(asked, target_dev=True, official=official) == expected


def test_dev_eer_needs_a_dev_split() -> None:
    with pytest.raises(SettingsError, match="no dev split that the test leaves aside"):
        policies("dev-eer", target_dev=False, official=False)
    with pytest.raises(SettingsError, match="Did you mean 'dev-eer'"):
        policies("dev-err", target_dev=True, official=False)
