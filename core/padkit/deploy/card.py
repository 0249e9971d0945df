"""The model card of a bundle, `README.md`, as model hubs show it. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.networks.views import views_told

THRESHOLDS = "## Thresholds"
HEAD = {
    "library_name": "padkit",
    "pipeline_tag": "image-classification",
    "tags": ["face-anti-spoofing", "presentation-attack-detection", "liveness"],
}


def model_card(bundle: Bundle, more: Mapping[str, Any] | None = None) -> str:
    """Return the card as Markdown with the YAML head that hubs read.

    Args:
        bundle: The bundle.
        more: Further entries of the head, such as `license`.
    """
    head = yaml.safe_dump({**HEAD, **(more or {})}, sort_keys=False)
    return "\n".join([f"---\n{head}---\n", *_lines(bundle)]) + "\n"


def with_section(card: str, heading: str, body: str) -> str:
    """Return a card with a section of the second level at its end, in place of one with the same heading.

    Args:
        card: The card, Markdown.
        heading: The section's heading, without its marks.
        body: Its text, Markdown.
    """
    before, found, after = card.partition(f"\n## {heading}\n")
    rest = after[after.index("\n## ") :] if found and "\n## " in after else ""
    return f"{before.rstrip()}\n{rest.rstrip()}".rstrip() + f"\n\n## {heading}\n\n{body.strip()}\n"


def _lines(bundle: Bundle) -> list[str]:
    division = bundle.provenance.get("protocol", {})
    name = division.get("name", "") if isinstance(division, Mapping) else ""
    lines = [f"# Presentation attack detector {name}".rstrip(), ""]
    if bundle.simulated:
        trained, real = (
            ("real faces and simulated attacks", "attacks")
            if bundle.real_faces
            else ("simulated faces", "faces and attacks")
        )
        lines += [f"**Trained on {trained}.** Its figures say nothing about real {real}.", ""]
    lines += [
        "Judges a face in a photograph: score = P(bona fide), bona fide iff score >= threshold (ISO/IEC 30107-3).",
        "",
        "```",
        "pip install padkit",
        "padkit predict FOLDER_OF_THIS_FILE photograph.jpg",
        "```",
        "",
        f"- Student: `{bundle.student}`, {', '.join(f'{k} {v}' for k, v in bundle.settings.items() if v is not None)}",
        f"- Input: RGB face crop, {bundle.image_size} x {bundle.image_size} pixels; {_crop(bundle)}",
        *([f"- Judged by {told}"] if (told := views_told(bundle.views)) else []),
        f"- Checkpoint: {bundle.provenance.get('checkpoint_selection', 'not recorded')}",
        f"- Weights: SHA-256 `{bundle.sha256 or 'not recorded'}`",
        "",
        THRESHOLDS,
        *_thresholds(bundle),
        "",
        "## It must not be used for",
        "",
        *(f"- {line}" for line in bundle.excluded),
        "",
        "Nobody has certified this model. Test it on your own camera, with your own attacks, before you rely on it.",
    ]
    return lines


def recarded(card: str, bundle: Bundle) -> str:
    """Return a card with the thresholds of a bundle in place of its own; all else in it is kept.

    Args:
        card: The card; a new one is written if it has no section of thresholds.
        bundle: The bundle.
    """
    before, found, after = card.partition(f"\n{THRESHOLDS}\n")
    if not found:
        return model_card(bundle)
    rest = after[after.index("\n## ") :] if "\n## " in after else "\n"
    return "\n".join([before, THRESHOLDS, *_thresholds(bundle), ""]) + rest


def _thresholds(bundle: Bundle) -> list[str]:
    where = "the domain that training left out"
    if bundle.provenance.get("adaptations"):
        where = "the held-out part of the data that it was adapted to, on which the threshold was chosen as well"
    told = f"Rates in % with exact 95 % intervals (Clopper-Pearson), measured on {where}"
    own = ", or on the calibration sample that the threshold was chosen on." if calibrated(bundle) else "."
    scale = [f"Scores are calibrated: their log-odds are divided by {bundle.temperature:.4g}.", ""]
    return [
        "",
        "| policy | threshold | chosen on | measured on | APCER, worst species | BPCER |",
        "| --- | ---: | --- | --- | ---: | ---: |",
        *(_row(threshold) for threshold in bundle.thresholds),
        "",
        *(scale if bundle.temperature != 1 else []),
        told + own,
        *_stability(bundle),
    ]


def _stability(bundle: Bundle) -> list[str]:
    """Return what the last calibration, or training, measured of stability, if it did."""
    told = bundle.provenance["calibrations"][-1] if calibrated(bundle) else bundle.provenance
    found = told.get("stability")
    if not found:
        return []
    curve = [
        f"| {'as they are' if row['side'] is None else row['side']} | {row['bona_fide']} | {row['attack']} | "
        f"{100 * row['apcer_pooled']:.1f} | {100 * row['bpcer']:.1f} |"
        for row in found["by_face_side"]
    ]
    share, faces = 100 * found["flipped_verdicts"], 100 * found["faces_with_a_flip"]
    said = f"Stability: {share:.1f} % of verdicts flip if the box is scaled by 10 % or shifted by 5 % of its side, "
    said += f"{faces:.1f} % of {found['faces']} faces at least once (boxes changed in {found['boxes_changed_in']})."
    head = ["side of the face, pixels", "bona fide", "attacks", "APCER in %, all attacks", "BPCER in %"]
    table = ["", f"| {' | '.join(head)} |", "| --- | ---: | ---: | ---: | ---: |", *curve]
    return ["", said, *(table if curve else [])]


def calibrated(bundle: Bundle) -> bool:
    """Return whether a bundle has been calibrated by `padkit calibrate`."""
    return bool(bundle.provenance.get("calibrations"))


def _crop(bundle: Bundle) -> str:
    crop = bundle.crop
    if not crop.known:
        return "how its training images were cropped is not recorded"
    aligned = ", aligned by the eyes" if crop.align else ""
    return f"the face's box enlarged by {crop.margin:g} of its side on each side{aligned}"


def _row(threshold: BundleThreshold) -> str:
    tried = f"{threshold.bona_fide} bona fide, {threshold.attack} attacks" if threshold.bona_fide else "not recorded"
    chosen = threshold.chosen_on + (" (a choice on the test set)" if threshold.test_set_choice else "")
    rates = [_rate(threshold, name) for name in ("apcer", "bpcer")]
    return (
        f"| {threshold.policy} | {threshold.value:.4f} | {chosen or 'not recorded'} | {tried} | {' | '.join(rates)} |"
    )


def _rate(threshold: BundleThreshold, name: str) -> str:
    if name not in threshold.rates:
        return "-"
    low, high = threshold.intervals.get(name, (0.0, 1.0))
    return f"{100 * threshold.rates[name]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
