"""Conventions and named protocols: which splits count, what is held out, what official lists make of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from listed import Listed, ocim, presentations

from padkit.data.presentation import CONTENT, Division
from padkit.data.protocols.names import parse
from padkit.data.protocols.protocol import divide, leave_one_out
from padkit.errors import DataError, PadkitError, SettingsError


@pytest.fixture(scope="module")
def four() -> Listed:
    return Listed(ocim())


def drawn(table: Listed, text: str, **options):
    return divide(table, parse(text), **options)


def counts(live: int, attack: int) -> dict[str, int]:
    return {"bona_fide": live, "attack": attack}


def test_ssdg_counts_are_the_published_ones(four: Listed) -> None:
    """C 150/450, M 70/210, I 140/700, O 720/2880; dev splits are source-dev, C holds out a fifth of its people."""
    protocol = drawn(four, "O&C&I->M", convention="ssdg")
    summary = json.loads(json.dumps(protocol.summary(four)))
    assert (protocol.convention, protocol.sources, protocol.target) == ("ssdg", ("O", "C", "I"), "M")
    assert summary["domains"] == {
        "O": {"gives": counts(720, 2880), "train": counts(720, 2880), "dev": counts(270, 1080)},
        "C": {"gives": counts(150, 450), "train": counts(120, 360), "dev": counts(30, 90)},
        "I": {"gives": counts(140, 700), "train": counts(140, 700), "dev": counts(60, 300)},
        "M": {"test": counts(70, 210)},
    }
    assert summary["held_out"] == {"C/dev": "10 of 50 subjects, seed 0"}
    lines = protocol.lines(four)
    assert lines[1] == (
        "C (bona fide + attack presentations): 150 + 450, of which 10 of 50 subjects, seed 0 are held out: "
        "train 120 + 360, dev 30 + 90"
    )
    assert lines[0] == "O (bona fide + attack presentations): train 720 + 2880, dev 270 + 1080"
    assert not len(protocol.target_dev), "M has no dev split"


@pytest.mark.parametrize(("target", "live", "attack"), [("C", 150, 450), ("I", 140, 700), ("O", 720, 2880)])
def test_ssdg_tests_on_train_and_test(four: Listed, target: str, live: int, attack: int) -> None:
    protocol = leave_one_out(four, target, convention="ssdg")
    assert protocol.summary(four)["domains"][target] == {"test": counts(live, attack)}
    assert set(four.column("split")[protocol.test]) == {"train", "test"}
    assert bool(len(protocol.target_dev)) == (target != "C")
    assert set(four.column("split")[protocol.target_dev]) <= {"dev"}


def test_official_takes_the_train_and_the_test_split(four: Listed) -> None:
    named, inferred = (drawn(four, "M&I->C", convention=convention) for convention in ("official", None))
    assert named.summary(four) == inferred.summary(four)
    assert named.summary(four)["domains"] == {
        "M": {"gives": counts(30, 90), "train": counts(24, 72), "dev": counts(6, 18)},
        "I": {"gives": counts(60, 300), "train": counts(60, 300), "dev": counts(60, 300)},
        "C": {"test": counts(90, 270)},
    }


def test_all_takes_everything(four: Listed) -> None:
    protocol = drawn(four, "O->I", convention="all")
    assert protocol.convention == "all"
    domains = protocol.summary(four)["domains"]
    assert domains["O"] == {"gives": counts(990, 3960), "train": counts(792, 3168), "dev": counts(198, 792)}
    assert domains["I"] == {"test": counts(200, 1000)}
    assert not len(protocol.target_dev), "its dev split is tested on"


def test_default_sources_follow_the_convention() -> None:
    table = Listed([*presentations("a", {"train": 5, "dev": 2, "test": 5}), *presentations("b", {"test": 9})] * 1)
    assert leave_one_out(table, "a", convention="all").sources == ("b",)
    assert leave_one_out(table, "a", convention="ssdg").sources == ("b",)
    with pytest.raises(DataError, match="'b' has no train split"):
        leave_one_out(table, "a", convention="official")


def test_domains_without_splits_under_a_named_convention() -> None:
    table = Listed([*presentations("a", {"": 10}), *presentations("b", {"train": 5, "test": 5})])
    with pytest.raises(DataError, match="'a' names no splits for the convention official"):
        drawn(table, "a->b", convention="official")
    whole = drawn(table, "a->b", convention="ssdg")
    assert whole.convention == "ssdg"
    assert "'a' names no splits: convention ssdg takes all of it" in whole.warnings[0]
    assert drawn(table, "a->b").convention == "mixed"


def test_content_without_faces_is_trained_on_and_never_tested_on(four: Listed) -> None:
    """It goes with its domain's training part, whatever split it names, and is held out of nothing."""
    content = [
        replace(record, id=f"content/{record.id}", subject="", session=CONTENT if record.label else "content-mug.0")
        for record in four.records
        if record.domain in ("C", "M") and record.id.endswith(("000/live00", "000/attack00"))
    ]
    table = Listed([*four.records, *content])
    for convention in ("ssdg", "all", None):
        usual, mixed = (drawn(each, "O&C&I->M", convention=convention) for each in (four, table))
        assert table.ids(mixed.test) == four.ids(usual.test)
        assert table.ids(mixed.dev) == four.ids(usual.dev)
        added = table.ids(mixed.train) - four.ids(usual.train)
        assert added == {record.id for record in content if record.domain == "C"}
        assert four.ids(usual.train) <= table.ids(mixed.train)
        left = "Target domain 'M': 4 frames of content, which shows no face, are left out of the test."
        assert left in mixed.warnings
        assert left not in usual.warnings
    within = drawn(table, "intra:M")
    assert {one for one in table.ids(within.train) if one.startswith("content")} == {
        record.id for record in content if record.domain == "M"
    }
    assert not any(one.startswith("content") for one in table.ids(within.test) | table.ids(within.dev))


def test_within_a_domain() -> None:
    table = Listed(presentations("a", {"train": 10, "dev": 5, "test": 10}))
    official = drawn(table, "intra:a")
    assert official.name == "intra:a"
    assert np.array_equal(official.target_dev, official.dev)
    assert len(drawn(table, "intra:a", convention="all").test) == 10, "a fifth of 25 people"
    with pytest.raises(SettingsError, match="ssdg is about protocols across"):
        drawn(table, "intra:a", convention="ssdg")


def test_one_to_many(four: Listed) -> None:
    protocol = drawn(four, "O->C&I&M", convention="ssdg")
    assert (protocol.targets, protocol.target, protocol.sources) == (("C", "I", "M"), "C&I&M", ("O",))
    domains = four.column("domain")
    assert set(domains[protocol.test]) == {"C", "I", "M"}
    assert set(domains[protocol.train]) == {"O"}
    assert not len(protocol.target_dev), "not each of them has a dev split"
    assert len(drawn(four, "C->O&I").target_dev) == 15 * 90 + 15 * 24


def test_one_of_several_targets_lacks_a_class() -> None:
    table = Listed([*presentations("a", {"": 10}), *presentations("b", {"": 4}), *presentations("c", {"": 4}, (1, 0))])
    with pytest.raises(DataError, match="target domain 'c' has one class only"):
        drawn(table, "a->b&c")


def test_a_leak_names_the_subjects() -> None:
    records = [*presentations("a", {"train": 9, "dev": 2}), *presentations("b", {"train": 3, "test": 5})]
    wanderer = next(presentations("a", {"train": 1}))
    moved = [*records, *(replace(wanderer, domain="b", split="test", id=f"w{n}", label=n) for n in (0, 1))]
    for convention in ("official", "ssdg", "all"):
        with pytest.raises(DataError, match=r"Subjects appear in more than one part: a/train/0 \(train and test\)"):
            drawn(Listed(moved), "a->b", convention=convention, seed=4)


def test_a_dev_split_that_knows_the_tested_people_is_warned_of() -> None:
    records = [*presentations("a", {"": 9}), *presentations("b", {"dev": 3, "test": 5})]
    assert not drawn(Listed(records), "a->b").warnings
    moved = [replace(r, subject=r.subject.replace("dev/2", "test/1")) for r in records]
    warned = drawn(Listed(moved), "a->b")
    assert "dev split shares 1 subjects with its test part" in warned.warnings[0]
    assert len(warned.target_dev) == 6


def test_unknown_domains_show_the_closest(four: Listed) -> None:
    table = Listed([*presentations("office", {"": 5}), *presentations("hall", {"": 5})])
    with pytest.raises(SettingsError, match=r"Protocol ofice->hall: 'ofice' is not a domain.*Did you mean 'office'"):
        drawn(table, "ofice->hall")
    with pytest.raises(SettingsError, match=r"'hal' is not a domain.*Did you mean 'hall'"):
        drawn(table, "intra:hal")
    with pytest.raises(SettingsError, match="Convention 'offical' is none of official, ssdg, all"):
        drawn(four, "O->M", convention="offical")


# ---- official divisions


def division(table: Listed, dataset: str, **parts: str) -> Division:
    """Take whole splits of a dataset: `train="train"`."""
    ids = {
        part: tuple(r.id for r in table.records if r.dataset == dataset and r.split == split)
        for part, split in parts.items()
    }
    return Division(**{part: ids.get(part, ()) for part in ("train", "dev", "test")})


def test_an_official_division_takes_its_lists_and_no_other_dataset(four: Listed) -> None:
    """Ids such as `train/000/live00` are those of all four datasets here."""
    known = {"oulu-npu:1": division(four, "oulu-npu", train="train", dev="dev", test="test")}
    protocol = drawn(four, "oulu-npu:1", divisions=known)
    assert set(four.column("dataset")[np.concatenate(list(protocol.parts().values()))]) == {"oulu-npu"}
    assert (protocol.name, protocol.sources, protocol.targets) == ("oulu-npu:1", ("O",), ("O",))
    assert (protocol.official_dev, protocol.convention, protocol.held_out) == (True, "official", {})
    assert np.array_equal(protocol.target_dev, protocol.dev)
    domains = protocol.summary(four)["domains"]["O"]
    assert domains == {
        "gives": counts(360, 1440), "train": counts(360, 1440), "dev": counts(270, 1080), "test": counts(360, 1440)
    }  # fmt: skip


def test_without_an_official_dev_split_subjects_are_held_out(four: Listed) -> None:
    known = {"casia-fasd:1": division(four, "casia-fasd", train="train", test="test")}
    protocol = drawn(four, "casia-fasd:1", divisions=known)
    assert (protocol.official_dev, len(protocol.target_dev)) == (False, 0)
    assert protocol.held_out == {"C/dev": "4 of 20 subjects, seed 0"}


def test_listed_presentations_that_are_not_there_are_counted(four: Listed) -> None:
    whole = division(four, "oulu-npu", train="train", dev="dev", test="test")
    more = Division(train=(*whole.train, "gone/1", "gone/2"), dev=whole.dev, test=whole.test)
    protocol = drawn(four, "oulu-npu:1", divisions={"oulu-npu:1": more})
    assert f"2 of {len(whole.train) + 2} train presentations are not in the table" in protocol.warnings[0]
    none = Division(train=whole.train, dev=whole.dev, test=("gone",))
    with pytest.raises(DataError, match="none of its 1 test presentations"):
        drawn(four, "oulu-npu:1", divisions={"oulu-npu:1": none})
    twice = Division(train=whole.train, dev=whole.dev, test=(*whole.test, whole.train[0]))
    with pytest.raises(DataError, match=f"lists presentation '{whole.train[0]}' in two parts"):
        drawn(four, "oulu-npu:1", divisions={"oulu-npu:1": twice})


def test_names_that_are_no_division(four: Listed) -> None:
    one = division(four, "oulu-npu", train="train", dev="dev", test="test")
    known = {"oulu-npu:1": one, **{f"oulu-npu:3.{fold}": one for fold in range(1, 7)}}
    with pytest.raises(SettingsError, match=r"oulu-npu:3 has 6 folds: name one, oulu-npu:3\.1, or run all") as caught:
        drawn(four, "oulu-npu:3", divisions=known)
    assert "recipes/ablation.py --cell 'DTDA:' --protocols oulu-npu:3 --" in str(caught.value)
    with pytest.raises(SettingsError, match="Did you mean 'oulu-npu:1'"):
        drawn(four, "oulu:1", divisions=known)
    with pytest.raises(SettingsError, match="bring no official protocols"):
        drawn(four, "oulu-npu:1")
    with pytest.raises(SettingsError, match="drop the convention 'ssdg'"):
        drawn(four, "oulu-npu:1", divisions=known, convention="ssdg")
    assert drawn(four, "oulu-npu:1", divisions=known, convention="official").convention == "official"


def test_errors_are_one_line(four: Listed) -> None:
    for text in ("X->M", "oulu-npu:9", "intra:X"):
        with pytest.raises(PadkitError) as caught:
            drawn(four, text)
        assert "\n" not in str(caught.value)
