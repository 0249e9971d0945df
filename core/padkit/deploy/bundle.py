"""What `bundle.json` says of the weights beside it: how to crop, how to score, how to judge. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from padkit.deploy import BUNDLE, WEIGHTS
from padkit.errors import SettingsError, WeightsError, closest
from padkit.files import write_json
from padkit.networks.views import VIEWS, Views

FORMAT, FORMER = "padkit-bundle/2", "padkit-bundle/1"
WHOLE = "none"  # the finder of media that are face crops already
NOT_FOR = (
    "any decision about a person without a human who can overrule it",
    "a security function without a test of your own, on your own camera, with your own attacks (padkit evaluate)",
)
NOT_FOR_SIMULATED = "real faces: it was trained on simulated ones, and nothing is known of how it does on real ones"
NOT_FOR_MEASURED = "real attacks, before it was tested on some: it was trained on simulated faces and attacks"
NOT_FOR_SIMULATED_ATTACKS = (
    "real attacks, before it was tested on some: it was trained on real live photographs and simulated attacks"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CropPolicy:
    """How the training images were cut, so that a photograph can be cut in the same way.

    Attributes:
        face: The finder (`padkit.data.preparation.finders`); `none` if the media were face crops already.
        margin: Share of the face's side added on each side.
        align: Whether the line of the eyes was made horizontal.
        drop: By how much of the crop's side the face's middle lies below the crop's middle.
        known: Whether this is recorded; otherwise padkit's defaults are assumed.
    """

    face: str = WHOLE
    margin: float = 0.15
    align: bool = False
    drop: float = 0.0
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleThreshold:
    """A threshold and what it rests on; rates are shares in [0, 1].

    Attributes:
        policy: How it was chosen (`padkit.evaluation.thresholds`).
        value: Bona fide iff score >= value.
        chosen_on: The scores it was chosen on, in words.
        test_set_choice: Whether these were the test scores themselves.
        bona_fide, attack: Presentations of each class that the rates were measured on; 0 if unknown.
        rates: Rates measured at it.
        intervals: 95 % intervals (low, high) of `rates`, for those that have one.
    """

    policy: str
    value: float
    chosen_on: str = ""
    test_set_choice: bool = False
    bona_fide: int = 0
    attack: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What `bundle.json` records.

    Attributes:
        student: Component name of the student.
        settings: Its settings.
        image_size: Side in pixels of the square RGB crops it was trained on; inputs are resized to it.
        thresholds: At least one; the first is used unless another policy is asked for.
        simulated: True if it was trained on simulated faces: not for use on real people; or on simulated attacks.
        real_faces: With `simulated`: whether its live faces were real, and only cameras and attacks were simulated.
        crop: How its training images were cut.
        views: What of a crop a score is made of (`padkit.networks.views`).
        temperature: The log-odds of a score are divided by it; 1 where the scores were not calibrated.
        not_for: What it must not be used for.
        provenance: Where it comes from: protocol, seed, selection, versions.
        notice: What is told with its verdicts in place of the usual caution: what was measured of it, in one sentence.
        sha256: Checksum of the weights, hexadecimal; "" in bundles of format 1.
    """

    student: str
    settings: Mapping[str, Any]
    image_size: int
    thresholds: tuple[BundleThreshold, ...]
    simulated: bool
    real_faces: bool = False
    crop: CropPolicy = field(default_factory=CropPolicy)
    views: Views = "one"
    temperature: float = 1.0
    not_for: tuple[str, ...] = NOT_FOR
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    notice: str = ""

    @property
    def threshold(self) -> float:
        """The threshold used by default: bona fide iff score >= threshold."""
        return self.thresholds[0].value

    @property
    def threshold_policy(self) -> str:
        """How it was chosen."""
        return self.thresholds[0].policy

    @property
    def excluded(self) -> tuple[str, ...]:
        """What it must not be used for, first because of what it was trained on."""
        trained = NOT_FOR_SIMULATED_ATTACKS if self.real_faces else NOT_FOR_SIMULATED
        trained = NOT_FOR_MEASURED if self.notice and not self.real_faces else trained
        return ((trained,) if self.simulated else ()) + self.not_for

    @property
    def caution(self) -> str:
        """What is told with its verdicts; "" if it was trained on real captures alone."""
        if self.notice:
            return self.notice
        if not self.simulated:
            return ""
        if self.real_faces:
            return (
                "this model was trained on real live photographs and simulated attacks: it says nothing reliable of "
                "real attacks until it was tested on some."
            )
        return "this model was trained on simulated faces: its verdicts on real ones mean nothing."

    def choose(self, policy: str = "") -> BundleThreshold:
        """Return the threshold of a policy, by default the first; `fixed:VALUE` is always there.

        Raises:
            SettingsError: The bundle has no such policy, or VALUE is no number in [0, 1].
        """
        if not policy:
            return self.thresholds[0]
        if policy.startswith("fixed:"):
            try:
                value = float(policy.removeprefix("fixed:"))
            except ValueError:
                value = -1.0
            if not 0 <= value <= 1:
                raise SettingsError(f"threshold policy {policy!r}: write a number in [0, 1], fixed:0.5.")
            return BundleThreshold(policy=policy, value=value, chosen_on="the command line")
        known = {threshold.policy: threshold for threshold in self.thresholds}
        if policy not in known:
            raise SettingsError(
                f"threshold policy {policy!r} is not in this bundle.{closest(policy, [*known, 'fixed:VALUE'])}"
            )
        return known[policy]


def describe(folder: Path, bundle: Bundle) -> None:
    """Write `bundle.json` into the folder, whole or not at all."""
    about = {"format": FORMAT, "output": "P(bona fide) in [0, 1]", "input": "RGB, uint8, square"}
    write_json(folder / BUNDLE, about | asdict(bundle))


def read_bundle(folder: Path) -> Bundle:
    """Read `bundle.json` of a folder, format 2 or 1.

    Raises:
        WeightsError: There is no bundle, it is damaged, or it has another format.
    """
    path = folder / BUNDLE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}; give the model/ folder of a run.") from error
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON; copy the bundle again.") from error
    return parse_bundle(text, path)


def parse_bundle(text: str, path: Path | str) -> Bundle:
    """Read the text of a `bundle.json`, format 2 or 1.

    Args:
        text: The text.
        path: Where it is from, for errors.

    Raises:
        WeightsError: It is damaged, or has another format.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON; copy the bundle again.") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found not in (FORMAT, FORMER):
        raise WeightsError(f"{path} has format {found!r}; this padkit reads {FORMAT!r} and {FORMER!r}.")
    if found == FORMER:
        content = _from_former(content)
    required = ("student", "settings", "image_size", "thresholds", "simulated", "crop", "provenance")
    absent = [name for name in required if name not in content]
    if absent:
        raise WeightsError(f"{path} lacks {', '.join(absent)}; copy the bundle again.")
    if (views := content.get("views", "one")) not in [*VIEWS]:
        known = " and ".join(map(repr, VIEWS))
        raise WeightsError(f"{path} has views {views!r}; this padkit knows {known}: use the padkit that wrote it.")
    try:
        return _bundle(content)
    except (TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} does not fit {FORMAT} ({error}); copy the bundle again.") from error


def check_weights(folder: Path, bundle: Bundle) -> Path:
    """Return the weights file if its checksum is the recorded one; bundles of format 1 record none.

    Raises:
        WeightsError: It is missing, or has been changed.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; copy the whole bundle again.")
    if bundle.sha256 and sha256_of(path) != bundle.sha256:
        raise WeightsError(f"{path} is damaged: it is not the file that {BUNDLE} was written for; copy both again.")
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_folder(path: Path) -> Path:
    """Return the bundle's folder: `path` itself, or `path/model` if `path` is a run.

    Raises:
        WeightsError: Neither holds a bundle.
    """
    for folder in (path, path / "model"):
        if (folder / BUNDLE).is_file():
            return folder
    if (path / "checkpoints").is_dir():
        raise WeightsError(f"{path} is a run that has not finished, so it has no model; continue it with --resume.")
    raise WeightsError(f"{path}: no {BUNDLE} there; give a run's folder, or its model/ folder.")


def _from_former(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of format 1 as those of format 2."""
    crop: dict[str, Any] = {}
    kept = {name: value for name, value in content.items() if name not in ("threshold", "threshold_policy")}
    if {"threshold", "threshold_policy"} <= content.keys():
        kept["thresholds"] = [{"policy": content["threshold_policy"], "value": content["threshold"]}]
    return {**kept, "crop": crop}


def _bundle(content: Mapping[str, Any]) -> Bundle:
    names = {item.name for item in fields(Bundle)}
    if not isinstance(content["settings"], dict):
        raise TypeError("settings are no mapping")
    thresholds = tuple(BundleThreshold(**_known(BundleThreshold, entry)) for entry in content["thresholds"])
    if not thresholds or not all(0 <= threshold.value <= 1 for threshold in thresholds):
        raise ValueError("thresholds are no numbers in [0, 1]")
    kept = {name: value for name, value in content.items() if name in names}
    kept |= {"thresholds": thresholds, "crop": CropPolicy(**_known(CropPolicy, content["crop"]))}
    kept["not_for"] = tuple(content.get("not_for", NOT_FOR))
    return Bundle(**kept)


def _known(kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: content[item.name] for item in fields(kind) if item.name in content}
