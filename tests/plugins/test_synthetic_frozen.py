"""Both worlds are frozen: other parameters or other frames are another version."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import frozen_world
import pytest

from padkit_synthetic.staging.displays import Display
from padkit_synthetic.world import DOMAINS, LISTED, WORLDS, World, domains_of


def frozen_file(world: World) -> dict[str, Any]:
    file = frozen_world.file_of(world)
    assert file.is_file(), f"no {file.name}: {frozen_world.CHANGED}"
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def frozen() -> dict[str, Any]:
    return frozen_file(LISTED)


@pytest.mark.parametrize("world", WORLDS)
def test_the_world_is_the_frozen_one(world):
    different = frozen_world.differences(frozen_world.present(world), frozen_file(world))
    assert not different, "\n".join([frozen_world.CHANGED, *different])


@pytest.mark.parametrize("world", WORLDS)
def test_every_domain_and_species_is_frozen(world):
    frozen = frozen_file(world)
    kinds = {f"{d.name}/{name}" for d in domains_of(world) for name in ("live", *(i.species for i in d.instruments))}
    assert frozen["frames"].keys() == (kinds | {"portrait"} if world == LISTED else kinds)
    for entry in frozen["frames"].values():
        assert len(entry["blocks"]) == 8 * 8 * 3
        assert len(set(entry["blocks"])) > 20


def test_another_number_in_a_domain_is_noticed(monkeypatch):
    before = frozen_world.parameters(LISTED)
    changed = replace(DOMAINS[0].cameras[0], vignetting=DOMAINS[0].cameras[0].vignetting + 1e-9)
    other = (replace(DOMAINS[0], cameras=(changed,)), *DOMAINS[1:])
    monkeypatch.setitem(frozen_world.WORLDS, LISTED, other)
    assert frozen_world.parameters(LISTED) != before


def test_a_later_field_counts_where_it_is_set():
    display = Display(species="x")
    assert frozen_world.described(display).endswith("saturation=(0.9, 1.1))")
    assert "glow=0.1" in frozen_world.described(replace(display, glow=0.1))
    assert frozen_world.described((display,)).endswith(",)")
    assert frozen_world.described({"a": (1, "b")}) == repr({"a": (1, "b")})


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
