"""Threshold policies: the scores on which the accept/reject threshold is chosen. Every result names its policy.

| policy | threshold | chosen on the test set |
|---|---|---|
| `source-dev` | EER threshold of held-out *source* presentations; the honest default | no |
| `dev-eer` | EER threshold of the target's dev split; the default of official protocols that name one (OULU-NPU) | no |
| `target-eer` | EER threshold of the target test set itself; usual in the literature | yes |
| `fixed:<value>` | the value given, in [0, 1] | no |
"""

from __future__ import annotations

from dataclasses import dataclass

from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.metrics import equal_error
from padkit.evaluation.scores import Scores

SOURCE_DEV = "source-dev"
DEV_EER = "dev-eer"
TARGET_EER = "target-eer"
FIXED = "fixed:"
POLICIES = (SOURCE_DEV, DEV_EER, TARGET_EER, f"{FIXED}<value>")

_CHOSEN_ON = {
    SOURCE_DEV: "held-out source presentations",
    DEV_EER: "the target's dev split",
    TARGET_EER: "the test set",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and where it comes from.

    Attributes:
        policy: One of `POLICIES`, `fixed:` with its value.
        value: Accept iff score >= value.
        chosen_on: The scores on which it was chosen, in words.
        test_set_choice: Whether it was chosen on the same scores that it is applied to; such a result is too good.
    """

    policy: str
    value: float
    chosen_on: str
    test_set_choice: bool


def check_policy(policy: str) -> None:
    """Raise SettingsError, naming the closest match, unless `policy` is one of `POLICIES`."""
    if policy.startswith(FIXED):
        _fixed_value(policy)
    elif policy not in _CHOSEN_ON:
        raise SettingsError(f"threshold policy {policy!r} is unknown.{closest(policy, POLICIES)}")


def policies(asked: str | None, *, target_dev: bool, official: bool) -> list[str]:
    """Return the policies of an assessment: the quoted one first, then the usual others.

    Args:
        asked: The policy that the user named, or None for the default.
        target_dev: Whether the target has a dev split that is not part of the test.
        official: Whether a published protocol prescribes that dev split for the threshold.

    Raises:
        SettingsError: The policy is unknown, or needs a dev split that does not exist.
    """
    usual = DEV_EER if official else SOURCE_DEV
    if asked is not None:
        check_policy(asked)
    if asked == DEV_EER and not target_dev:
        raise SettingsError(
            f"threshold policy {DEV_EER!r}: the target has no dev split that the test leaves aside; take {SOURCE_DEV}."
        )
    return list(dict.fromkeys([asked or usual, usual, TARGET_EER]))


def choose(
    policy: str, *, source_dev: Scores | None = None, target: Scores | None = None, target_dev: Scores | None = None
) -> Threshold:
    """Return the threshold that `policy` chooses.

    Args:
        policy: One of `POLICIES`; see the module's table.
        source_dev: Scores of held-out source presentations, for `source-dev`.
        target: Scores of the target test set, for `target-eer`.
        target_dev: Scores of the target dataset's dev split, for `dev-eer`.

    Raises:
        SettingsError: The policy is unknown, or the fixed value is not a number in [0, 1].
        DataError: The scores that the policy needs were not given or hold only one class.
    """
    check_policy(policy)
    if policy.startswith(FIXED):
        return Threshold(policy, _fixed_value(policy), "nothing, it was given", test_set_choice=False)
    scores = {SOURCE_DEV: source_dev, DEV_EER: target_dev, TARGET_EER: target}[policy]
    chosen_on = _CHOSEN_ON[policy]
    if scores is None:
        raise DataError(
            f"threshold policy {policy!r} needs scores of {chosen_on}; there are none, take another policy."
        )
    try:
        value = equal_error(scores.label, scores.score).threshold
    except DataError as error:
        raise DataError(f"threshold policy {policy!r}, {chosen_on}: {error}") from error
    return Threshold(policy, value, chosen_on, test_set_choice=policy == TARGET_EER)


def _fixed_value(policy: str) -> float:
    text = policy.removeprefix(FIXED)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise SettingsError(f"threshold policy {policy!r}: {text!r} is not a number in [0, 1]; write fixed:0.5, say.")
    return value
