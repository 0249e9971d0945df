"""What a run tells its bundle: how its training images were cut, and what its thresholds rest on. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.finders import RECORDED
from padkit.data.preparation.prepare import FrameTable
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import WHOLE, BundleThreshold, CropPolicy
from padkit.deploy.cutting import crop_of
from padkit.evaluation.rates import Counts
from padkit.evaluation.results import Results
from padkit.evaluation.statistics.binomial import exact_interval


def crop_policy(reader: DatasetReader, table: FrameTable) -> CropPolicy:
    """Return how the frames of a table were cut; not known if its parts were cut differently or came as crops."""
    facts = table.preparation
    parts: Sequence[Mapping[str, Any]] = facts.get("tables") or [facts]
    if any(part.get("choices") is not None for part in parts):
        return _common(parts)
    options = Cropper(reader).options
    if options.face not in (WHOLE, RECORDED):
        return CropPolicy(face=options.face, margin=options.margin, align=options.align, known=True)
    if reader.framing is not None:
        return CropPolicy(face=reader.framed_by, margin=reader.framing[0], drop=reader.framing[1], known=True)
    return CropPolicy()


def _common(parts: Sequence[Mapping[str, Any]]) -> CropPolicy:
    """Return the policy of tables, by the finder of those that were cut; not known if they show faces otherwise.

    Of the two cascades, `lbp-tight` finds what `lbp` finds, and is taken if one of the tables was cut by it.
    """
    policies = [(crop_of(part) or CropPolicy(), "framing" in part) for part in parts]
    first = next((policy for policy, framed in policies if not framed), policies[0][0])
    alike = all(one == (replace(first, face=one.face) if framed else first) for one, framed in policies)
    if first.face == "lbp" and any(one.face == "lbp-tight" for one, _ in policies):
        first = replace(first, face="lbp-tight")
    return first if alike else CropPolicy()


def bundle_thresholds(results: Results) -> tuple[BundleThreshold, ...]:
    """Return the thresholds of a run's results with the target's rates and their exact 95 % intervals."""
    counts = results.counts
    return tuple(
        BundleThreshold(
            policy=entry.policy,
            value=entry.threshold,
            chosen_on=entry.chosen_on,
            test_set_choice=entry.test_set_choice,
            bona_fide=counts.bona_fide,
            attack=counts.attack,
            rates={name: entry.values[name] for name in ("apcer", "bpcer", "hter")},
            intervals={
                "apcer": _of_worst(entry.apcer_by_species, counts),
                "bpcer": exact_interval(round(entry.values["bpcer"] * counts.bona_fide), counts.bona_fide),
            },
        )
        for entry in results.results
    )


def _of_worst(by_species: Mapping[str, float], counts: Counts) -> tuple[float, float]:
    if not by_species:
        return 0.0, 1.0
    name = max(by_species, key=lambda species: by_species[species])
    tried = counts.species.get(name, counts.attack)
    return exact_interval(round(by_species[name] * tried), tried)
