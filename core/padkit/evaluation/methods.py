"""Methods: runs that differ only in their seed, reported as mean and standard deviation of each figure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from padkit.errors import SettingsError
from padkit.evaluation.assessment import NO_POLICY, Assessment
from padkit.evaluation.candidates import Provenance
from padkit.evaluation.rates import PolicyResult
from padkit.evaluation.slices import Slice
from padkit.evaluation.statistics.bootstrap import Interval
from padkit.evaluation.statistics.paired import Spread, spread


@dataclass(frozen=True, slots=True)
class Method:
    """One method's assessments, one per seed; it may be a single one."""

    assessments: tuple[Assessment, ...]

    @property
    def first(self) -> Assessment:
        """The first assessment, for facts that all of them share."""
        return self.assessments[0]

    @property
    def name(self) -> str:
        """The name of the single run, or the common beginning of the names."""
        names = [assessment.about.name for assessment in self.assessments]
        beginning = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter: seed0 and seed1 become seed*
        return names[0] if len(names) == 1 else f"{beginning}*"

    def short_name(self, run: Assessment) -> str:
        """Return the name of one of the runs without the common beginning that ends in a folder."""
        names = [assessment.about.name for assessment in self.assessments]
        beginning = os.path.commonprefix(names)  # noqa: RUF071
        return run.about.name[beginning.rfind("/") + 1 :]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs, as far as known."""
        return tuple(run.about.seed for run in self.assessments if run.about.seed is not None)

    @property
    def intervals(self) -> Mapping[tuple[str, str], Interval]:
        """Intervals of a single run, as in `Assessment`; none for several runs, whose spread says more."""
        return self.first.intervals if len(self.assessments) == 1 else {}

    @property
    def source_dev(self) -> Method | None:
        """The method on held-out source presentations; None unless every run has them at the same policy."""
        found = [run.source_dev for run in self.assessments if run.source_dev is not None]
        return Method(tuple(found)) if len(found) == len(self.assessments) else None

    @property
    def targets(self) -> list[Method]:
        """The method on each of several targets alone."""
        of_runs = [{one.about.name: one for one in run.targets} for run in self.assessments]
        shared = [one.about.name for one in self.first.targets if all(one.about.name in each for each in of_runs)]
        return [Method(tuple(each[name] for each in of_runs)) for name in shared]

    def figures(self) -> Iterator[tuple[str, str, Spread]]:
        """Yield (policy, metric, spread over the runs), policy "" for figures without a threshold."""
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


def methods_of(assessments: Sequence[Assessment]) -> list[Method]:
    """Group runs by method, in the order of each method's first run.

    Raises:
        SettingsError: A method has two runs with the same seed.
    """
    members: dict[Any, list[Assessment]] = {}
    for number, assessment in enumerate(assessments):
        about, policies = assessment.about, tuple(entry.policy for entry in assessment.results)
        alone = about.method is None
        members.setdefault((number if alone else about.method, policies), []).append(assessment)
    for runs in members.values():
        _refuse_twins([assessment.about for assessment in runs])
    return [Method(tuple(runs)) for runs in members.values()]


def _refuse_twins(candidates: Sequence[Provenance]) -> None:
    seen: dict[int | None, str] = {}
    for candidate in candidates:
        twin = seen.setdefault(candidate.seed, candidate.name)
        if twin != candidate.name or sum(each.name == twin for each in candidates) > 1:
            cause = f"{twin} and {candidate.name} are runs of one method with the same seed ({candidate.seed})"
            raise SettingsError(f"{cause}; give each seed once.")
