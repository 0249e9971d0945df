"""What a run tells its bundle: how its training images were cut, and what its thresholds rest on. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.finders import RECORDED
from padkit.data.preparation.prepare import FrameTable
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import WHOLE, BundleThreshold, CropPolicy
from padkit.evaluation.rates import Counts
from padkit.evaluation.results import Results
from padkit.evaluation.statistics.binomial import exact_interval


def crop_policy(reader: DatasetReader, table: FrameTable) -> CropPolicy:
    """Return how the frames of a table were cut; not known if its parts were cut differently or came as crops."""
    facts = table.preparation
    parts: Sequence[Mapping[str, Any]] = facts.get("tables") or [facts]
    choices = [part.get("choices") for part in parts]
    first = choices[0]
    if first is not None and all(_cut(other) == _cut(first) for other in choices):
        return _policy(first["face"], first["margin"], align=first["align"])
    if any(choice is not None for choice in choices):
        return CropPolicy()
    options = Cropper(reader).options
    if options.face not in (WHOLE, RECORDED):
        return _policy(options.face, options.margin, align=options.align)
    if reader.framing is not None:
        return CropPolicy(margin=reader.framing[0], drop=reader.framing[1], known=True)
    return CropPolicy()


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


def _cut(choices: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if choices is None else tuple(choices.get(name) for name in ("face", "margin", "align"))


def _policy(face: str, margin: float, *, align: bool) -> CropPolicy:
    if face in (WHOLE, RECORDED):
        return CropPolicy()
    return CropPolicy(face=face, margin=margin, align=align, known=True)
