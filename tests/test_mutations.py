"""The first hundred mutated inputs, over all commands: no traceback, no silent change of a label or a count.

`make mutations COUNT=1000` runs more; `python -m mutations 1 --first N --seed 0` one of them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mutations.cases import Ground, case_of, own_folder
from mutations.judging import judge

COUNT, SEED = 100, 0


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("mutations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PADKIT_CACHE", str(folder / "cache"))
        yield Ground(folder)


@pytest.mark.parametrize("number", range(COUNT))
def test_a_mutated_input_is_judged_or_refused_in_one_line(number: int, ground: Ground) -> None:
    with own_folder(ground) as folder:
        outcome = judge(case_of(number, SEED, ground, Path(folder)))
    assert not outcome.faults, f"{outcome.case.mutation}: {outcome.faults}\n{outcome.case.shown}\n{outcome.err[-500:]}"
