"""Runs of one method that differ in their seed, told together: mean and standard deviation of each figure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from padkit.errors import SettingsError
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.judgement import FREE, Judgement, Slice
from padkit.evaluation.results import PolicyResult
from padkit.evaluation.statistics import Spread, spread


@dataclass(frozen=True, slots=True)
class Group:
    """One method's judgements, one per seed; a single one where nothing else is of its method."""

    judgements: tuple[Judgement, ...]

    @property
    def first(self) -> Judgement:
        """The judgement that tells what all share."""
        return self.judgements[0]

    @property
    def name(self) -> str:
        """The name of the one, or what the names begin with."""
        names = [judgement.candidate.name for judgement in self.judgements]
        beginning = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter: seed0 and seed1 become seed*
        return names[0] if len(names) == 1 else f"{beginning}*"

    def short_name(self, run: Judgement) -> str:
        """Return the name of one of them without the folder that all share."""
        names = [judgement.candidate.name for judgement in self.judgements]
        beginning = os.path.commonprefix(names)  # noqa: RUF071
        return run.candidate.name[beginning.rfind("/") + 1 :]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs, as far as they are known."""
        return tuple(run.candidate.seed for run in self.judgements if run.candidate.seed is not None)

    def figures(self) -> Iterator[tuple[str, str, Spread]]:
        """Yield (policy, metric, spread over the runs), policy "" for what needs no threshold."""
        for name in self.first.values:
            yield FREE, name, spread([run.values[name] for run in self.judgements])
        for entry in self.first.results:
            runs = [self._entry(run, entry.policy) for run in self.judgements]
            yield entry.policy, "threshold", spread([run.threshold for run in runs])
            for name in entry.values:
                yield entry.policy, name, spread([run.values[name] for run in runs])
            for name in entry.apcer_by_species:
                seen = [run.apcer_by_species[name] for run in runs if name in run.apcer_by_species]
                yield entry.policy, f"apcer:{name}", spread(seen)

    def slices(self, by: str) -> Iterator[tuple[Slice, dict[str, Spread | None]]]:
        """Yield each slice of the first run with the spread of its values over the runs that have them."""
        for part in self.first.slices.get(by, ()):
            same = [found for run in self.judgements for found in run.slices.get(by, ()) if found.name == part.name]
            told = {name: [found.values[name] for found in same] for name in part.values}
            known = {name: [value for value in values if value is not None] for name, values in told.items()}
            yield part, {name: spread(values) if values else None for name, values in known.items()}

    @staticmethod
    def _entry(judgement: Judgement, policy: str) -> PolicyResult:
        return next(entry for entry in judgement.results if entry.policy == policy)


def group(judgements: Sequence[Judgement]) -> list[Group]:
    """Put runs of one method together, in the order of their first.

    Raises:
        SettingsError: A method has two runs with the same seed.
    """
    groups: dict[Any, list[Judgement]] = {}
    for number, judgement in enumerate(judgements):
        candidate, policies = judgement.candidate, tuple(entry.policy for entry in judgement.results)
        alone = candidate.method is None
        groups.setdefault((number if alone else candidate.method, policies), []).append(judgement)
    for members in groups.values():
        _refuse_twins([judgement.candidate for judgement in members])
    return [Group(tuple(members)) for members in groups.values()]


def _refuse_twins(candidates: Sequence[Candidate]) -> None:
    seen: dict[int | None, str] = {}
    for candidate in candidates:
        twin = seen.setdefault(candidate.seed, candidate.name)
        if twin != candidate.name or sum(each.name == twin for each in candidates) > 1:
            cause = f"{twin} and {candidate.name} are runs of one method with the same seed ({candidate.seed})"
            raise SettingsError(f"{cause}; give each seed once.")
