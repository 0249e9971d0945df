"""The world is frozen: other parameters or other frames are another version."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import frozen_world
import pytest

from padkit_synthetic.world import DOMAINS, WORLD_VERSION


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return frozen_world.present()


@pytest.fixture(scope="module")
def frozen() -> dict[str, Any]:
    assert frozen_world.FILE.is_file(), f"no {frozen_world.FILE.name}: {frozen_world.CHANGED}"
    return json.loads(frozen_world.FILE.read_text())


def test_the_world_is_the_frozen_one(now, frozen):
    assert WORLD_VERSION == 3
    different = frozen_world.differences(now, frozen)
    assert not different, "\n".join([frozen_world.CHANGED, *different])


def test_every_domain_and_species_is_frozen(frozen):
    kinds = {f"{d.name}/{name}" for d in DOMAINS for name in ("live", *(i.species for i in d.instruments))}
    assert frozen["frames"].keys() == kinds | {"portrait"}
    for entry in frozen["frames"].values():
        assert len(entry["blocks"]) == 8 * 8 * 3
        assert len(set(entry["blocks"])) > 20


def test_another_number_in_a_domain_is_noticed(monkeypatch):
    before = frozen_world.parameters()
    changed = replace(DOMAINS[0].cameras[0], vignetting=DOMAINS[0].cameras[0].vignetting + 1e-9)
    other = (replace(DOMAINS[0], cameras=(changed,)), *DOMAINS[1:])
    monkeypatch.setattr(frozen_world, "DOMAINS", other)
    assert frozen_world.parameters() != before


def test_another_frame_is_noticed_and_rounding_forgiven_on_another_processor(frozen):
    name = next(iter(frozen["frames"]))
    other = copy.deepcopy(frozen)
    other["frames"][name]["sha256"] = "x"
    other["frames"][name]["blocks"][5] += 1
    assert frozen_world.differences(other, frozen) == [f"frame of {name}: other bytes"]
    other["arithmetic"] = "another processor's"
    assert frozen_world.differences(other, frozen) == []
    other["frames"][name]["blocks"][5] += 1
    assert frozen_world.differences(other, frozen) == [f"frame of {name}: a block is off by 2 grey levels"]
    del other["frames"][name]
    assert frozen_world.differences(other, frozen) == [f"frame of {name}: not in both"]
