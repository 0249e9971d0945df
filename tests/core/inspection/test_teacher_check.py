"""What teachers know is measured: toys that know one thing by construction, and one that knows nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from padkit.inspection.teacher_check import check, choose_crops, features, identity_auc, live_auc
from padkit.roles import Features, Teacher


class Painted:
    """A table whose pixels tell: red the person, green bona fide, blue the domain; all with noise between images."""

    def __init__(
        self, people: int = 6, presentations: int = 3, frames: int = 2, domains: str = "abc", known: bool = True
    ) -> None:
        self.preparation = {"dataset": "painted", "simulated": True}
        rows = [
            (domain, f"p{person}" if known else "", f"{domain}{person}{label}{number}", label, person, index)
            for index, domain in enumerate(domains)
            for person in range(people)
            for label in (0, 1)
            for number in range(presentations)
            for _ in range(frames)
        ]
        names = ("domain", "subject", "presentation", "label", "person", "index")
        self.columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
        for name in ("domain", "subject", "presentation"):
            self.columns[name] = self.columns[name].astype(object)

    def __len__(self) -> int:
        return len(self.columns["label"])

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]

    def image(self, row: int) -> np.ndarray:
        colour = [40 * self.columns["person"][row], 200 * self.columns["label"][row], 100 * self.columns["index"][row]]
        noise = np.random.default_rng(row).integers(0, 20, (3, 8, 8))
        return (np.array(colour).reshape(3, 1, 1) + noise).astype(np.uint8)


class Knows(Teacher):
    """Its embedding tells one colour, its map nothing."""

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self, colour: int | None, *, step: float = 40.0) -> None:
        super().__init__()
        self.colour, self.step = colour, step
        self.scale = nn.Linear(1, 1)  # something to draw at random

    def extract(self, inputs: Tensor) -> Features:
        blank = inputs.new_ones(len(inputs), 2, 1, 1)
        if self.colour is None:
            return Features((blank,), inputs.new_full((len(inputs), 8), 0.1))
        code = (255 * inputs[:, self.colour].mean(dim=(1, 2)) / self.step).floor().long()
        return Features((blank,), nn.functional.one_hot(code, 8).float())


def asked(teacher: Teacher, table: Any, limit: int = 1000) -> dict[str, Any]:
    counts: list[int] = []
    crops = choose_crops(table, limit, seed=0)
    found = check(teacher, crops, seed=0, batch_size=50, counted=counts.append)
    assert sum(counts) == 2 * len(crops.rows)
    return found


@pytest.mark.parametrize(
    ("colour", "step", "figure"), [(0, 40.0, "identity"), (1, 100.0, "live"), (2, 100.0, "domain")]
)
def test_what_is_known_by_construction_is_found_and_nothing_else(colour, step, figure):
    known = asked(Knows(colour, step=step), Painted())["embedding"].trained
    assert getattr(known, figure) > 0.99
    others = {"identity": 0.5, "live": 0.5, "domain": 1 / 3}
    del others[figure]
    for name, chance in others.items():
        assert getattr(known, name) < chance + 0.17, name


def test_a_constant_knows_nothing():
    found = asked(Knows(None), Painted())
    assert found.keys() == {"map 1", "embedding"}
    for each in found.values():
        for known in (each.trained, each.random):
            assert (known.identity, known.live) == (0.5, 0.5)
            assert known.domain == pytest.approx(1 / 3, abs=0.01)


def test_figures_that_the_crops_do_not_allow_are_none():
    teacher = Knows(0)
    assert asked(teacher, Painted(domains="a"))["embedding"].trained.domain is None
    assert asked(teacher, Painted(known=False))["embedding"].trained.identity is None
    assert asked(teacher, Painted(people=1))["embedding"].trained.identity is None
    assert asked(teacher, Painted(presentations=1))["embedding"].trained.identity is None
    lonely = Painted(people=1, domains="a")
    assert asked(teacher, lonely)["embedding"].trained.live is None


def test_frames_of_one_presentation_and_people_of_two_domains_are_no_pairs():
    table = Painted(people=2, presentations=2, frames=3, domains="ab")
    crops = choose_crops(table, 1000, 0)
    rng = np.random.default_rng(0)
    names = sorted({*crops.presentations.tolist()})
    of_presentation = {name: rng.normal(size=16) for name in names}
    alike = np.stack([of_presentation[name] for name in crops.presentations]).astype(np.float32)
    # Frames of one presentation are equal, and yet nothing is known of the people.
    assert identity_auc(alike, crops) < 0.9
    # The domain alone would part most pairs of two people, if pairs were made across domains.
    of_domain = (crops.domains == "b").astype(np.float32)[:, None] * np.ones(4, np.float32)
    assert identity_auc(of_domain, crops) == 0.5


def test_the_probes_never_see_a_person_twice():
    """Features that name the person, who is either alive or an attack, tell nothing of the next person."""
    table = Painted(people=20, presentations=1, frames=4, domains="a")
    keep = table.columns["label"] == table.columns["person"] % 2
    table.columns = {name: values[keep] for name, values in table.columns.items()}

    crops = choose_crops(table, 1000, 0)
    people = np.unique(crops.subjects, return_inverse=True)[1]
    codes = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)[people]
    assert live_auc(codes, crops, 0) < 0.8
    apart = dataclasses.replace(crops, subjects=np.array([f"s{row}" for row in crops.rows]))
    assert live_auc(codes, apart, 0) > 0.95, "the toy is not hard, so the test proved nothing"


def test_crops_are_chosen_in_equal_shares_with_pairs_of_one_person_and_by_seed_alone():
    table = Painted(people=50, presentations=4, frames=2)
    crops = choose_crops(table, 96, 0)
    cells = list(zip(crops.domains.tolist(), crops.labels.tolist(), strict=True))
    assert {cells.count(cell) for cell in set(cells)} == {16}
    for cell in set(cells):
        people = [crops.subjects[i] for i, found in enumerate(cells) if found == cell]
        assert {people.count(person) for person in people} == {4}
    assert len({*crops.presentations.tolist()}) == 96
    assert np.array_equal(crops.rows, choose_crops(table, 96, 0).rows)
    assert not np.array_equal(crops.rows, choose_crops(table, 96, 1).rows)
    assert len(choose_crops(table, 10**6, 0).rows) == len(table)


def test_chance_is_the_share_of_the_largest_domain():
    table = Painted(domains="aab")
    table.columns["presentation"] = np.array([f"{i}" for i in range(len(table))], dtype=object)
    assert choose_crops(table, 10**6, 0).chance == pytest.approx(2 / 3)


def test_maps_are_averaged_over_positions():
    class Seen(Teacher):
        def extract(self, inputs: Tensor) -> Features:
            return Features((inputs,), None)

    crops = choose_crops(Painted(), 20, 0)
    found = features(Seen(), crops, 8, lambda _: None)
    assert found.keys() == {"map 1"}
    pixels = np.stack([crops.table.image(row) for row in crops.rows]) / 255
    np.testing.assert_allclose(found["map 1"], pixels.mean(axis=(2, 3)) * 2 - 1, atol=1e-5)
    assert all(each.random is None for each in asked(Seen(), Painted()).values()), "it has no weights to draw"
