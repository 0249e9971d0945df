"""The data of an adaptation: who is held out, what is old, and that nobody is on both sides."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from padkit.data.table.columns import encode
from padkit.errors import DataError
from padkit.runs import adaptation
from padkit.runs.adaptation import AdaptationPart, old_parts, own_part, run_parts, without_own


class Toy:
    """Columns of rows (subject, label, split, domain), one frame each; a row's image is its `image` or its number."""

    def __init__(self, rows, images=None):
        names = ("subject", "label", "split", "domain")
        self.columns = {name: np.array([row[at] for row in rows]) for at, name in enumerate(names)}
        self.columns["session"] = np.full(len(rows), "", dtype="U9")
        self.columns["presentation"] = np.array([f"p{number}" for number in range(len(rows))])
        self.images = images or [f"{id(self)}/{number}" for number in range(len(rows))]

    def __len__(self):
        return len(self.images)

    def column(self, name):
        return self.columns[name]

    def coded(self, name):
        return encode(pa.chunked_array([pa.array(self.columns[name].tolist())]))

    def encoded(self, row):
        return self.images[row].encode()

    @property
    def all(self):
        return np.arange(len(self))


def people(count, each=2, split="", domain="desk"):
    return [(f"s{person}", label, split, domain) for person in range(count) for label in (0, 1) for _ in range(each)]


def subjects(table, rows):
    return {*table.column("subject")[rows].tolist()}


def test_people_of_own_data_are_held_out_whole():
    table = Toy(people(10))
    part, warnings = own_part(table, table.all, 0.3, 0)
    assert warnings == []
    assert len(subjects(table, part.check)) == 3
    assert subjects(table, part.check).isdisjoint(subjects(table, part.train))
    assert sorted([*part.train, *part.check]) == [*table.all]
    assert part.presentations == (28, 12)
    assert own_part(table, table.all, 0.3, 1)[0].check.tolist() != part.check.tolist(), "the seed draws"


@pytest.mark.parametrize("name", ["me", ""])
def test_captures_of_one_person_or_of_nobody_are_divided_by_presentation_and_that_is_told(name):
    table = Toy([(name, label, "", "desk") for label in (0, 1) for _ in range(10)])
    part, warnings = own_part(table, table.all, 0.3, 0)
    assert part.presentations == (14, 6)
    assert {*table.column("label")[part.check].tolist()} == {0, 1}
    assert any("flatters the figures" in line for line in warnings)


def test_own_data_without_a_class_are_refused():
    table = Toy([("me", 1, "", "desk")] * 10)
    with pytest.raises(DataError, match=r"no attack presentation to learn from; give at least two"):
        own_part(table, table.all, 0.3, 0)


def test_splits_of_old_data_are_kept_and_people_of_both_sides_are_not_measured_on():
    table = Toy([*people(4, split="train"), *people(2, split="test"), *people(6, domain="hall")])
    table.columns["subject"][16:24] = ["s0"] * 4 + ["s9"] * 4
    desk, hall = old_parts(table, "set", 0.5, 0)
    assert (desk.name, hall.name) == ("set: desk", "set: hall")
    assert desk.train.tolist() == [*range(16)]
    assert subjects(table, desk.check) == {"s9"}
    assert len(subjects(table, hall.check)) == len(subjects(table, hall.train)) == 3, "no splits: by person"


def test_old_data_with_a_test_split_alone_are_measured_on_and_not_learned_from():
    table = Toy(people(3, split="test"))
    (part,) = old_parts(table, "set", 0.5, 0)
    assert (len(part.train), part.check.tolist()) == (0, [*table.all])


@pytest.mark.parametrize("split", ["", "test"])
def test_pictures_without_faces_are_not_measured_on(split):
    table = Toy(people(6, split=split))
    table.columns["session"][:12] = ["content", "content-a"] * 6
    (part,) = old_parts(table, "set", 0.5, 0)
    assert len(part.check)
    assert {*table.column("session")[part.check]} == {""}


def test_what_is_among_the_own_data_is_no_old_data():
    own_table = Toy(people(4))
    own, _ = own_part(own_table, own_table.all, 0.5, 0)
    images = [*own_table.images[:6], *(f"new{number}" for number in range(10))]
    table = Toy(people(4), images)
    learned = AdaptationPart(name="a", own=False, table=table, train=np.arange(2, 9), check=np.arange(9, 12))
    repeated = AdaptationPart(name="b", own=False, table=table, train=np.arange(10, 12), check=np.arange(3))
    gone = AdaptationPart(name="c", own=False, table=table, train=np.arange(0), check=np.arange(3))
    kept, notes = without_own([learned, repeated, gone], own)
    assert [one.name for one in kept] == ["a", "b"], "of c nothing is left"
    assert kept[0].train.tolist() == [6, 7, 8]
    assert kept[0].check.tolist() == [9, 10, 11]
    assert len(kept[1].check) == 0
    told = " ".join(notes)
    assert "a: 4 presentations are among the own data" in told
    assert "b: nothing is left to measure on" in told
    assert "c: nothing is left to measure on" in told


def test_a_run_gives_its_sources_as_it_divided_them_and_its_target_to_measure_on(monkeypatch):
    table = Toy([*people(2, domain="hall"), *people(2, domain="office"), *people(2, domain="webcam")])
    domains = table.column("domain")
    protocol = SimpleNamespace(sources=("hall", "office"), target="webcam")
    run = SimpleNamespace(results=SimpleNamespace(protocol=protocol), source_dev="dev", target="test")
    rows = {"dev": np.array([0, 1, 8]), "test": np.flatnonzero(domains == "webcam")}
    monkeypatch.setattr(adaptation, "training_rows", lambda *_: np.array([4, 5, 12, 13]))
    monkeypatch.setattr(adaptation, "frames_of", lambda table, scores, run: rows[scores])
    hall, office, webcam = run_parts(run, SimpleNamespace(table=lambda _: table))
    assert (hall.train.tolist(), hall.check.tolist()) == ([4, 5], [0, 1])
    assert (office.train.tolist(), office.check.tolist()) == ([12, 13], [8])
    assert (len(webcam.train), webcam.check.tolist(), webcam.threshold) == (0, rows["test"].tolist(), False)
