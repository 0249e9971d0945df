"""Protocols: parts are disjoint by frame and subject, and every mistake is one line."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from padkit.data.presentation import Presentation
from padkit.data.protocols.protocol import leave_one_out, sources_among
from padkit.data.table.columns import encode
from padkit.errors import DataError, PadkitError, SettingsError


class Rows:
    """A table without images: rows of (domain, split, subject, label)."""

    def __init__(self, rows) -> None:
        rows = list(rows)
        values = list(zip(*rows, strict=True)) if rows else [[]] * 4
        self.columns = {
            name: np.array(list(column), dtype=np.int64 if name == "label" else object)
            for name, column in zip(("domain", "split", "subject", "label"), values, strict=True)
        }
        # Every two frames alike are one presentation.
        seen: dict[object, int] = {}
        names = []
        for row in rows:
            number = seen[row] = seen.get(row, -1) + 1
            names.append(f"{'-'.join(map(str, row))}-{number // 2}")
        self.columns["presentation"] = np.array(names, dtype=object)
        self.columns["session"] = np.full(len(rows), "", dtype=object)
        texts = {name: pa.array(list(self.columns[name]), pa.string()) for name in self.columns if name != "label"}
        self.codes = {name: encode(pa.chunked_array([values])) for name, values in texts.items()}

    def column(self, name):
        return self.columns[name]

    def coded(self, name):
        return self.codes[name]


def world(domains="abc", splits=("train", "dev", "test"), subjects=5, labels=(0, 1), known=True):
    """Two frames a presentation, one presentation a label, `subjects` people a split."""
    for domain in domains:
        for split in splits:
            for person in range(subjects):
                for label in labels:
                    name = f"{domain}-{split}-{person}" if known else ""
                    yield from [(domain, split, name, label)] * 2


def refused(kind, call, *parts: str) -> None:
    with pytest.raises(kind) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text


def test_official_splits():
    table = Rows(world())
    protocol = leave_one_out(table, "b")
    assert protocol.name == "a&c->b"
    assert protocol.convention == "official"
    assert protocol.sources == ("a", "c")
    splits, domains = table.column("split"), table.column("domain")
    assert set(splits[protocol.train]) == {"train"}
    assert set(domains[protocol.train]) == {"a", "c"}
    assert len(protocol.train) == 40
    assert set(splits[protocol.dev]) == {"dev"}
    assert set(domains[protocol.test]) == {"b"}
    assert set(splits[protocol.test]) == {"test"}
    assert protocol.domain_index[domains == "c"].tolist() == [1] * 60
    assert set(protocol.domain_index[domains == "b"]) == {-1}
    assert protocol.held_out == {}
    assert protocol.warnings == ()


def test_sources_can_be_chosen_and_keep_their_order():
    protocol = leave_one_out(Rows(world("abcd")), "b", ["d", "a"])
    assert protocol.name == "d&a->b"
    table = Rows(world("abcd"))
    assert set(protocol.domain_index[table.column("domain") == "d"]) == {0}
    assert set(table.column("domain")[protocol.train]) == {"a", "d"}


def test_missing_dev_is_held_out_by_subject():
    table = Rows(world(splits=("train", "test"), subjects=10))
    protocol = leave_one_out(table, "c", seed=1)
    subjects = table.column("subject")
    held = set(subjects[protocol.dev])
    assert len(held) == 4, "a fifth of ten subjects in each of two domains"
    assert not held & set(subjects[protocol.train])
    assert set(table.column("label")[protocol.dev]) == {0, 1}
    assert "2 of 10 subjects, seed 1" in protocol.held_out["a/dev"]
    assert protocol.warnings == ()
    other = leave_one_out(table, "c", seed=2)
    assert held != set(subjects[other.dev])
    assert np.array_equal(leave_one_out(table, "c", seed=1).dev, protocol.dev)


def test_the_draw_ignores_the_order_of_rows():
    rows = list(world(splits=("train", "test"), subjects=10))
    forward, backward = Rows(rows), Rows(rows[::-1])
    one, two = leave_one_out(forward, "c"), leave_one_out(backward, "c")
    assert set(forward.column("subject")[one.dev]) == set(backward.column("subject")[two.dev])


def test_subjects_with_one_class_each_give_both_classes_to_dev():
    rows = [(d, "train", f"{d}{n}", int(n < 2)) for d in "ab" for n in range(12) for _ in range(2)]
    table = Rows([*rows, *world("c", ("test",))])
    protocol = leave_one_out(table, "c")
    for domain in "ab":
        here = protocol.dev[table.column("domain")[protocol.dev] == domain]
        assert set(table.column("label")[here]) == {0, 1}


def test_unknown_subjects_are_held_out_by_presentation_with_a_warning():
    table = Rows(world(splits=("train", "test"), known=False))
    protocol = leave_one_out(table, "c")
    assert not set(table.column("presentation")[protocol.dev]) & set(table.column("presentation")[protocol.train])
    assert len(protocol.warnings) == 2
    assert "subjects are unknown" in protocol.warnings[0]


def test_domains_without_splits_are_used_whole():
    table = Rows(world(splits=("",), subjects=10))
    protocol = leave_one_out(table, "c")
    assert protocol.convention == "all"
    assert len(protocol.test) == 40
    assert len(protocol.train) + len(protocol.dev) == 80
    mixed = leave_one_out(Rows([*world("ab"), *world("c", ("",))]), "c")
    assert mixed.convention == "mixed"


def test_one_domain_with_splits():
    table = Rows(world("a"))
    protocol = leave_one_out(table)
    assert protocol.name == "intra:a"
    assert protocol.target == "a"
    assert protocol.sources == ("a",)
    for part, rows in protocol.parts().items():
        assert set(table.column("split")[rows]) == {part}


@pytest.mark.parametrize("known", [True, False])
def test_one_domain_without_splits_is_divided_60_20_20(known):
    table = Rows(world("a", ("",), subjects=20, known=known))
    protocol = leave_one_out(table, None)
    group = table.column("subject" if known else "presentation")
    people = {part: set(group[rows]) for part, rows in protocol.parts().items()}
    total = len(set(group))
    assert [len(people[part]) / total for part in ("train", "dev", "test")] == [0.6, 0.2, 0.2]
    assert not people["train"] & people["dev"]
    assert not people["train"] & people["test"]
    assert not people["dev"] & people["test"]
    assert bool(protocol.warnings) != known


def test_one_domain_without_dev():
    table = Rows(world("a", ("train", "test"), subjects=10))
    protocol = leave_one_out(table, "")
    assert len(set(table.column("subject")[protocol.dev])) == 2
    assert set(table.column("split")[protocol.dev]) == {"train"}


def test_a_chosen_source_alone_is_an_intra_protocol():
    assert leave_one_out(Rows(world()), None, ["b"]).name == "intra:b"


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("splits", [("train", "dev", "test"), ("train", "test"), ("",)])
def test_a_target_as_its_own_only_source_is_the_intra_protocol(splits, seed):
    table = Rows(world(splits=splits, subjects=10))
    named, alone = leave_one_out(table, "b", ["b"], seed=seed), leave_one_out(table, None, ["b"], seed=seed)
    only = leave_one_out(Rows(world("b", splits, subjects=10)), seed=seed)
    assert named.name == alone.name == only.name == "intra:b"
    assert (named.target, named.sources, named.convention) == ("b", ("b",), only.convention)
    assert named.summary(table) == alone.summary(table)
    for part, rows in named.parts().items():
        assert np.array_equal(rows, alone.parts()[part])
        assert set(table.column("domain")[rows]) == {"b"}
        # Rows of the table of one domain are those of the whole, counted from the domain's first.
        assert np.array_equal(rows - np.flatnonzero(table.column("domain") == "b")[0], only.parts()[part])


def with_a_domain_for_testing(*splits: str) -> Rows:
    return Rows([*world("abc"), *world("t", splits)])


@pytest.mark.parametrize("splits", [("test",), ("dev", "test")])
def test_a_domain_without_a_train_split_is_a_target_only(splits):
    table = with_a_domain_for_testing(*splits)
    protocol = leave_one_out(table, "b")
    assert protocol.sources == ("a", "c"), "no default source"
    assert "t" not in set(table.column("domain")[np.concatenate(list(protocol.parts().values()))])
    assert set(protocol.domain_index[table.column("domain") == "t"]) == {-1}
    held_out = leave_one_out(table, "t")
    assert held_out.name == "a&b&c->t"
    assert set(table.column("domain")[held_out.test]) == {"t"}
    assert set(table.column("split")[held_out.test]) == {"test"}
    assert len(held_out.test) == 20
    assert leave_one_out(table, "t", ["a"]).name == "a->t"


def test_a_domain_without_a_train_split_named_as_a_source_is_one_clear_line():
    table = with_a_domain_for_testing("test")
    words = "Domain 't' has no train split", "test (20 frames)"
    refused(DataError, lambda: leave_one_out(table, "b", ["a", "t"]), *words)
    refused(DataError, lambda: leave_one_out(table, "t", ["t"]), *words)
    refused(DataError, lambda: leave_one_out(table, None, ["t"]), *words)


def test_without_any_other_source_the_missing_train_split_is_named():
    table = Rows([*world("a"), *world("t", ("test",))])
    refused(DataError, lambda: leave_one_out(table, "a"), "'t' has no train split")


def test_domains_without_any_split_stay_default_sources():
    table = Rows([*world("a", ("",), subjects=10), *world("b"), *world("t", ("test",))])
    assert leave_one_out(table, "b").sources == ("a",)


def test_frames_without_a_split_beside_splits_are_named():
    table = Rows([*world(), *world("a", ("",))])
    protocol = leave_one_out(table, "c")
    assert "20 frames without a split" in protocol.warnings[0]
    assert len(protocol.train) == 40


def test_summary_is_json():
    table = Rows(world())
    summary = json.loads(json.dumps(leave_one_out(table, "c").summary(table)))
    assert summary["parts"]["test"] == {
        "frames": 20,
        "bona_fide_frames": 10,
        "attack_frames": 10,
        "presentations": 10,
        "subjects": 5,
    }


def test_settings_errors():
    table = Rows(world(["office", "phone", "hall"]))
    refused(SettingsError, lambda: leave_one_out(table, "hal"), "'hal'", "Did you mean 'hall'?", "office, phone")
    refused(SettingsError, lambda: leave_one_out(table, "hall", ["ofice"]), "Did you mean 'office'?")
    refused(SettingsError, lambda: leave_one_out(table, "hall", ["office", "hall"]), "also among the sources")
    refused(SettingsError, lambda: leave_one_out(table, "hall", []), "one or more")
    refused(SettingsError, lambda: leave_one_out(table, "hall", ["phone", "phone"]), "each once")
    refused(SettingsError, lambda: leave_one_out(table), "Name the target", "hall, office, phone")
    refused(SettingsError, lambda: leave_one_out(table, None, ["ofice"]), "Did you mean 'office'?")
    refused(SettingsError, lambda: leave_one_out(Rows(world("a")), "a"), "only domain", "Drop the target")


def test_data_errors():
    refused(DataError, lambda: leave_one_out(Rows([]), "a"), "no frames")
    one = [*world("ab"), *world("c", labels=(1,))]
    refused(DataError, lambda: leave_one_out(Rows(one), "a"), "Source domain 'c'", "no attack frames")
    refused(DataError, lambda: leave_one_out(Rows(one), "c"), "target domain 'c'", "no attack frames")
    live = [*world("ab"), *world("c", labels=(0,))]
    refused(DataError, lambda: leave_one_out(Rows(live), "a"), "no bona fide frames")
    short = [*world("ab"), *world("c", ("dev", "test"))]
    named = "'c' has no train split", "dev (20 frames), test"
    refused(DataError, lambda: leave_one_out(Rows(short), "a", ["b", "c"]), *named)
    short = [*world("ab"), *world("c", ("train",))]
    refused(DataError, lambda: leave_one_out(Rows(short), "c"), "'c' has no test split")
    lonely = Rows(world(splits=("",), subjects=1))
    refused(DataError, lambda: leave_one_out(lonely, "c"), "dev", "no frames", "add subjects")
    refused(DataError, lambda: leave_one_out(Rows(world("a", ("",), subjects=1))), "no frames")


def test_leaks_name_five_subjects():
    rows = [(domain, split, f"s{n}", label) for domain, split, n, label in (
        (d, s, n, label) for d in "ab" for s in ("train", "dev", "test") for n in range(7) for label in (0, 1)
    )]  # fmt: skip
    refused(DataError, lambda: leave_one_out(Rows(rows), "b"), "s0 (train and dev and test)", "s4", "and 2 more")
    shared = [*world(), ("c", "test", "a-train-0", 1)]
    refused(DataError, lambda: leave_one_out(Rows(shared), "c"), "a-train-0 (train and test)")


@st.composite
def worlds(draw):
    """Rows of one to three domains, each with its own splits, people, classes per person and unknown subjects."""
    rows = []
    domains = "abc"[: draw(st.integers(1, 3))]
    for domain in domains:
        whole = ("train", "dev", "test")
        splits = draw(
            st.sampled_from(
                [whole, ("train", "test"), ("",), whole, ("train", "test"), ("",), ("", *whole), ("train", "dev")]
            )
        )
        known = draw(st.sampled_from([True, True, False]))
        for split in splits:
            for person in range(draw(st.integers(2, 8))):
                labels = draw(st.sampled_from([(0, 1)] * 6 + [(0,), (1,)]))
                # Once in a while the same name comes up in two splits or domains.
                name = f"{domain}{split}{person}" if draw(st.integers(0, 120)) else "wanderer"
                rows += [(domain, split, name if known else "", label) for label in labels for _ in range(2)]
    target = draw(st.sampled_from([*domains, *domains, None, "b"])) if len(domains) > 1 else None
    return draw(st.permutations(rows)), target


def test_parts_are_disjoint_or_the_protocol_is_refused():
    outcomes = {"drawn": 0, "refused": 0}

    @settings(max_examples=300)
    @given(worlds(), st.integers(0, 9))
    def check(case, seed):
        rows, target = case
        table = Rows(rows)
        try:
            protocol = leave_one_out(table, target, seed=seed)
        except PadkitError as error:
            assert "\n" not in str(error)  # noqa: PT017 -- refusing is one of the two right outcomes
            outcomes["refused"] += 1
            return
        outcomes["drawn"] += 1
        parts = list(protocol.parts().values())
        together = np.concatenate(parts)
        assert len(set(together.tolist())) == len(together)
        for rows_of_part in parts:
            assert set(table.column("label")[rows_of_part]) == {0, 1}
        for known, unit in ((True, "subject"), (False, "presentation")):
            groups = [set(table.column(unit)[part][(table.column("subject")[part] != "") == known]) for part in parts]
            assert not groups[0] & groups[1]
            assert not groups[0] & groups[2]
            assert not groups[1] & groups[2]
        assert (protocol.domain_index[protocol.train] >= 0).all()
        if target:
            assert target not in set(table.column("domain")[np.concatenate(parts[:2])])

    check()
    # A property that is nearly always dodged by a refusal proves nothing.
    assert outcomes["drawn"] > 60, outcomes
    assert outcomes["refused"] > 30, outcomes


def test_a_person_in_two_source_domains_is_held_out_of_both():
    """The layout of NUAA: the same people in two sessions, others in the third."""
    people = [(domain, "", f"{person:04}", label) for domain in "ab" for person in range(9) for label in (0, 1)]
    table = Rows([*people, *world("c", ("",))])
    protocol = leave_one_out(table, "c")
    subjects, domains = table.column("subject"), table.column("domain")
    held = {domain: set(subjects[protocol.dev[domains[protocol.dev] == domain]]) for domain in "ab"}
    assert held["a"] == held["b"]
    assert len(held["a"]) == 2
    assert not set(subjects[protocol.train]) & set(subjects[protocol.dev])
    assert protocol.held_out == {"a/dev": "2 of 9 subjects, seed 0", "b/dev": "2 of 9 subjects, seed 0"}


def test_a_domain_with_few_people_is_drawn_first():
    rows = [("a", "", str(person), label) for person in range(40) for label in (0, 1)]
    rows += [("b", "", str(person), label) for person in (3, 4, 5) for label in (0, 1)]
    table = Rows([*rows, *world("c", ("",))])
    for seed in range(5):
        protocol = leave_one_out(table, "c", seed=seed)
        assert protocol.held_out == {
            "a/dev": f"8 of 40 subjects, seed {seed}",
            "b/dev": f"1 of 3 subjects, seed {seed}",
        }


def test_a_person_of_another_sources_own_splits_stays_there():
    official = [("a", split, f"{split}{n}", label) for split in ("train", "dev") for n in range(5) for label in (0, 1)]
    other = [("b", "", f"{split}{n}", label) for split in ("train", "dev", "new") for n in range(5) for label in (0, 1)]
    table = Rows([*official, *other, *world("c", ("",))])
    protocol = leave_one_out(table, "c")
    subjects, domains = table.column("subject"), table.column("domain")
    held = set(subjects[protocol.dev[domains[protocol.dev] == "b"]])
    assert {f"dev{n}" for n in range(5)} <= held
    assert not any(name.startswith("train") for name in held)


def test_a_domain_whose_people_are_all_held_out_elsewhere_is_one_line():
    rows = [("a", split, split, label) for split in ("train", "dev") for label in (0, 1)]
    rows += [("b", "", "dev", label) for label in (0, 1)]
    table = Rows([*rows, *world("c", ("",))])
    refused(DataError, lambda: leave_one_out(table, "c"), "Source domain 'b'", "held out of other domains")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 7), st.integers(0, 1)), min_size=1), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_no_draw_divides_a_person(people, seed):
    rows = [(domain, "", str(person), label) for domain, person, label in people]
    # Enough people of each class who are in one domain alone.
    rows += [(domain, "", f"{domain}{n}", label) for domain in "abc" for n in range(4) for label in (0, 1)]
    table = Rows([*rows, *world("d", ("",))])
    protocol = leave_one_out(table, "d", seed=seed)
    subjects = table.column("subject")
    assert not set(subjects[protocol.train]) & set(subjects[protocol.dev])
    assert len(protocol.train) + len(protocol.dev) == len(rows)


RECORDS = [Presentation(dataset="toy", domain=domain, id=domain, label=1) for domain in ("hall", "office", "phone")]


class Reader:
    def __init__(self, default_target: str = "") -> None:
        self.default_target = default_target


@pytest.mark.parametrize(
    ("asked", "sources"),
    [
        ({"target": "hall"}, ("office", "phone")),
        ({"target": "hall", "sources": ["phone"]}, ("phone",)),
        ({"target": "hall", "sources": ["hall"]}, ("hall",)),
        ({"protocol": "hall&phone->office"}, ("hall", "phone")),
        ({"protocol": "intra:office"}, ("office",)),
        ({"protocol": "oulu-npu:3.2"}, ()),
    ],
)
def test_the_sources_are_known_before_any_frame_is_prepared(asked, sources):
    assert sources_among(RECORDS, Reader(), **asked) == sources


def test_the_default_target_is_the_reader_s():
    assert sources_among(RECORDS, Reader("phone")) == ("hall", "office")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"target": "hal"}, "Target 'hal' is not a domain of this data. Did you mean 'hall'?"),
        (
            {"target": "hall", "sources": ["offise"]},
            "Source 'offise' is not a domain of this data. Did you mean 'office'",
        ),
        ({"sources": ["phon"]}, "Source 'phon' is not a domain"),
        ({"target": "hall", "sources": ["hall", "phone"]}, "also among the sources"),
        ({}, "Name the target"),
        ({"protocol": "hall&fone->office"}, "'fone' is not a domain of this data. Did you mean 'phone'"),
        ({"protocol": "intra:offic"}, "'offic' is not a domain"),
        ({"protocol": "hall->office", "target": "phone"}, "drop --target"),
        ({"protocol": "hall->"}, "->"),
    ],
)
def test_a_wrong_name_is_found_before_any_frame_is_prepared(asked, told):
    refused(SettingsError, lambda: sources_among(RECORDS, Reader(), **asked), told)
