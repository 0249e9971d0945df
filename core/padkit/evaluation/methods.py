"""Runs of one method that differ in their seed, told together: mean and standard deviation of each figure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from padkit.errors import SettingsError
from padkit.evaluation.assessment import NO_POLICY, Assessment, Slice
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.results import PolicyResult
from padkit.evaluation.statistics.paired import Spread, spread


@dataclass(frozen=True, slots=True)
class Method:
    """One method's assessments, one per seed; a single one where nothing else is of its method."""

    assessments: tuple[Assessment, ...]

    @property
    def first(self) -> Assessment:
        """The assessment that tells what all share."""
        return self.assessments[0]

    @property
    def name(self) -> str:
        """The name of the one, or what the names begin with."""
        names = [assessment.candidate.name for assessment in self.assessments]
        beginning = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter: seed0 and seed1 become seed*
        return names[0] if len(names) == 1 else f"{beginning}*"

    def short_name(self, run: Assessment) -> str:
        """Return the name of one of them without the folder that all share."""
        names = [assessment.candidate.name for assessment in self.assessments]
        beginning = os.path.commonprefix(names)  # noqa: RUF071
        return run.candidate.name[beginning.rfind("/") + 1 :]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs, as far as they are known."""
        return tuple(run.candidate.seed for run in self.assessments if run.candidate.seed is not None)

    def figures(self) -> Iterator[tuple[str, str, Spread]]:
        """Yield (policy, metric, spread over the runs), policy "" for what needs no threshold."""
        for name in self.first.values:
            yield NO_POLICY, name, spread([run.values[name] for run in self.assessments])
        for entry in self.first.results:
            runs = [self._entry(run, entry.policy) for run in self.assessments]
            yield entry.policy, "threshold", spread([run.threshold for run in runs])
            for name in entry.values:
                yield entry.policy, name, spread([run.values[name] for run in runs])
            for name in entry.apcer_by_species:
                seen = [run.apcer_by_species[name] for run in runs if name in run.apcer_by_species]
                yield entry.policy, f"apcer:{name}", spread(seen)

    def slices(self, by: str) -> Iterator[tuple[Slice, dict[str, Spread | None]]]:
        """Yield each slice of the first run with the spread of its values over the runs that have them."""
        for part in self.first.slices.get(by, ()):
            same = [found for run in self.assessments for found in run.slices.get(by, ()) if found.name == part.name]
            told = {name: [found.values[name] for found in same] for name in part.values}
            known = {name: [value for value in values if value is not None] for name, values in told.items()}
            yield part, {name: spread(values) if values else None for name, values in known.items()}

    @staticmethod
    def _entry(assessment: Assessment, policy: str) -> PolicyResult:
        return next(entry for entry in assessment.results if entry.policy == policy)


def group(assessments: Sequence[Assessment]) -> list[Method]:
    """Put runs of one method together, in the order of their first.

    Raises:
        SettingsError: A method has two runs with the same seed.
    """
    groups: dict[Any, list[Assessment]] = {}
    for number, assessment in enumerate(assessments):
        candidate, policies = assessment.candidate, tuple(entry.policy for entry in assessment.results)
        alone = candidate.method is None
        groups.setdefault((number if alone else candidate.method, policies), []).append(assessment)
    for members in groups.values():
        _refuse_twins([assessment.candidate for assessment in members])
    return [Method(tuple(members)) for members in groups.values()]


def _refuse_twins(candidates: Sequence[Candidate]) -> None:
    seen: dict[int | None, str] = {}
    for candidate in candidates:
        twin = seen.setdefault(candidate.seed, candidate.name)
        if twin != candidate.name or sum(each.name == twin for each in candidates) > 1:
            cause = f"{twin} and {candidate.name} are runs of one method with the same seed ({candidate.seed})"
            raise SettingsError(f"{cause}; give each seed once.")
