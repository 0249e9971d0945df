"""Assesses a candidate: rates under each threshold policy, their intervals, and rates by species, device and domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from padkit.errors import DataError
from padkit.evaluation.candidates import Candidate, Provenance
from padkit.evaluation.metrics import Floats
from padkit.evaluation.rates import Counts, PolicyResult, chosen_on_source, count, rates_at, threshold_free
from padkit.evaluation.results import Results
from padkit.evaluation.scores import Scores
from padkit.evaluation.slices import Slice, all_slices
from padkit.evaluation.statistics.bootstrap import Interval, Units, bootstrap, interval, units_of
from padkit.evaluation.statistics.resampling import SortedScores, WeightedScores
from padkit.evaluation.thresholds import TARGET_EER, Threshold, choose

NO_POLICY = ""  # in place of a policy: the figure needs no threshold
HELD_OUT = "held-out source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One candidate's figures, shares in [0, 1].

    Attributes:
        about: What was assessed.
        counts: Presentations by class and species.
        values: Figures without a threshold.
        results: Rates, one entry per policy; the quoted policy comes first.
        intervals: (policy, metric) -> 95 % interval; policy "" for figures without a threshold, metric `apcer:NAME` for
            a species; empty without a bootstrap.
        units: What the bootstrap drew, or None.
        slices: `species`, `device`, `domain` -> its parts; empty if nothing is known or there is only one part.
        source_dev: The same figures for held-out source presentations, at the first policy's threshold; None without
            them.
        targets: The same figures for each of several targets alone, which `about` names; without intervals.
    """

    about: Provenance
    counts: Counts
    values: Mapping[str, float]
    results: tuple[PolicyResult, ...]
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
    units: Units | None = None
    slices: Mapping[str, tuple[Slice, ...]] = field(default_factory=dict)
    source_dev: Assessment | None = None
    targets: tuple[Assessment, ...] = ()


def assess(
    candidate: Candidate,
    policies: Sequence[str] = (),
    *,
    resamples: int = 0,
    seed: int = 0,
    shown: bool = False,
) -> Assessment:
    """Assess one candidate.

    Args:
        candidate: The candidate.
        policies: Threshold policies, the quoted one first; by default the candidate's own.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Of the bootstrap.
        shown: Show a bar if the bootstrap takes long.

    Raises:
        SettingsError: A policy is unknown.
        DataError: A policy lacks its scores, or a class is missing; the error names the candidate.
    """
    try:
        thresholds = thresholds_of(candidate, policies)
        targets, notes = _each_alone(candidate, policies)
        candidate = replace(candidate, notes=(*candidate.notes, *notes))
        found = _assess(candidate, candidate.target, thresholds)
    except DataError as error:
        raise DataError(f"{candidate.name}: {error}") from error
    source_dev, held_out = candidate.source_dev, None
    if source_dev is not None and len(np.unique(source_dev.label)) == 2:
        chosen_here = chosen_on_source(thresholds[0].policy, source_dev, candidate.target_dev)
        held_out = _assess(Provenance(name=HELD_OUT), source_dev, thresholds[:1], chosen_here=chosen_here)
    found = replace(found, source_dev=held_out, targets=tuple(targets))
    return resampled(found, candidate.target, source_dev, resamples=resamples, seed=seed, shown=shown)


def assessment_of(results: Results, target: Scores | None = None, source_dev: Scores | None = None) -> Assessment:
    """Return the assessment that a run's results hold.

    Args:
        results: What `padkit.evaluation.results.evaluate` returned.
        target: The scores behind them; without them there are no slices.
        source_dev: The scores of held-out source presentations behind them; likewise.
    """
    known = results.source_dev
    held_out = None
    if known is not None:
        parts = {} if source_dev is None else all_slices(source_dev, known.result.threshold)
        held_out = Assessment(
            about=Provenance(name=HELD_OUT), counts=known.counts, values=known.values, results=(known.result,),
            slices=parts,
        )  # fmt: skip
    return Assessment(
        about=Provenance(name="", protocol=results.protocol, seed=results.seed, selection=results.checkpoint_selection),
        counts=results.counts,
        values=results.values,
        results=results.results,
        slices={} if target is None else all_slices(target, results.results[0].threshold),
        source_dev=held_out,
        targets=tuple(
            Assessment(about=Provenance(name=one.target), counts=one.counts, values=one.values, results=one.results)
            for one in results.targets
        ),
    )


def resampled(
    assessment: Assessment,
    target: Scores,
    source_dev: Scores | None = None,
    *,
    resamples: int,
    seed: int = 0,
    shown: bool = False,
) -> Assessment:
    """Return the assessment with 95 % intervals, also for held-out source if it is given; errors as in `intervals_of`.

    Args:
        assessment: Figures of the same scores.
        target: Scores of the target.
        source_dev: Scores of held-out source presentations.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Of the bootstrap.
        shown: Show a bar where it takes long.
    """
    if not resamples:
        return assessment
    thresholds = [_threshold(entry) for entry in assessment.results]
    units, intervals = intervals_of(target, thresholds, resamples=resamples, seed=seed, shown=shown)
    held_out = assessment.source_dev
    if held_out is not None and source_dev is not None:
        held_out = resampled(held_out, source_dev, resamples=resamples, seed=seed, shown=shown)
    return replace(assessment, units=units, intervals=intervals, source_dev=held_out)


def intervals_of(
    scores: Scores, thresholds: Sequence[Threshold], *, resamples: int, seed: int = 0, shown: bool = False
) -> tuple[Units, dict[tuple[str, str], Interval]]:
    """Return what the bootstrap drew, and the 95 % intervals by (policy, metric) as in `Assessment.intervals`.

    Raises:
        DataError: The scores hold one class only.
    """
    units = units_of(scores)
    ranked = SortedScores(scores.label, scores.score, scores.pai_species, units.of_row)
    found = bootstrap(
        [ranked], units, lambda one: figures(one[0], thresholds), resamples=resamples, seed=seed, shown=shown
    )
    return units, {key: interval(sample) for key, sample in found.items() if not np.all(np.isnan(sample))}


def thresholds_of(candidate: Candidate, policies: Sequence[str] = ()) -> list[Threshold]:
    """Return the threshold of each policy, by default for the candidate's own policies; errors as in `assess`."""
    sets = {"source_dev": candidate.source_dev, "target": candidate.target, "target_dev": candidate.target_dev}
    return [choose(name, **sets) for name in policies or candidate.policies]


def figures(scores: WeightedScores, thresholds: Sequence[Threshold]) -> dict[tuple[str, str], Floats]:
    """Return (policy, metric) -> one value per resample."""
    found = {(NO_POLICY, name): values for name, values in scores.separation().items()}
    for threshold in thresholds:
        found |= {(threshold.policy, name): values for name, values in resampled_rates(scores, threshold).items()}
    return found


def resampled_rates(scores: WeightedScores, threshold: Threshold) -> dict[str, Floats]:
    """Return metric -> one value per resample.

    A threshold that was chosen on the test set itself is chosen again in every resample; any other stays fixed, as
    does the test set's own where the scores are held-out source.
    """
    chosen_here = threshold.policy == TARGET_EER and threshold.test_set_choice
    return scores.error_rates(scores.equal_vertices() if chosen_here else scores.vertices_of(threshold.value))


def _assess(
    about: Provenance, scores: Scores, thresholds: Sequence[Threshold], *, chosen_here: bool | None = None
) -> Assessment:
    return Assessment(
        about=about,
        counts=count(scores),
        values=threshold_free(scores),
        results=tuple(rates_at(scores, threshold, chosen_here=chosen_here) for threshold in thresholds),
        slices=all_slices(scores, thresholds[0].value),
    )


def _each_alone(candidate: Candidate, policies: Sequence[str]) -> tuple[list[Assessment], list[str]]:
    """Assess each of several targets alone; return also why one of them cannot be."""
    found, notes = [], []
    for name in candidate.targets:
        try:
            found.append(_alone(candidate, name, policies))
        except DataError as error:
            notes.append(f"{candidate.name}: {name} is not assessed alone: {error}")
    return found, notes


def _alone(candidate: Candidate, name: str, policies: Sequence[str]) -> Assessment:
    """Assess one of several targets as if it were the only one."""
    target, dev = candidate.target, candidate.target_dev
    scores = target.select(target.domain == name)
    own_dev = None if dev is None else dev.select(dev.domain == name)
    thresholds = thresholds_of(replace(candidate, target=scores, target_dev=own_dev), policies)
    return _assess(Provenance(name=name), scores, thresholds)


def _threshold(entry: PolicyResult) -> Threshold:
    return Threshold(entry.policy, entry.threshold, entry.chosen_on, entry.test_set_choice)
