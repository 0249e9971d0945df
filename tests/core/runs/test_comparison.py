"""What made a run against what is asked for: which differences are refused, and in what words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.errors import SettingsError
from padkit.runs.comparison import (
    CHANGEABLE,
    SETTINGS,
    check_facts,
    check_settings,
    check_untouched,
    digest_of,
    facts_of,
    first_difference,
)
from padkit.runs.folder import BOOKKEEPING, RunFolder

THERE: dict[str, Any] = {
    "target": "webcam",
    "sources": ["hall", "office"],
    "seed": 0,
    "epochs": 3,
    "max_steps": None,
    "batch_size": 48,
    "optimizer": "adamw",
    "lr": 1e-3,
    "out": "r1",
    "resume": None,
    "tracker": "tensorboard",
    "threads": None,
    "workers": None,
    "checkpoint_every": 100,
    "stability": 200,
    "thumbnails": True,
    "compile": False,
    "data": {"name": "folder", "root": "f", "image_size": 64},
    "aligner": {"name": "daa", "epsilon": 4 / 255, "steps": 1},
    "teachers": {"fr": {"name": "arcface", "weight": 0.3}, "fe": "none"},
}
NONE = "none"


@pytest.mark.parametrize(
    ("change", "told", "option"),
    [
        ({"target": "phone"}, "target 'webcam' there, 'phone' asked for", "--target"),
        ({"sources": ["office", "hall"]}, r"sources \['hall', 'office'\] there", "--sources"),
        ({"sources": None}, "None asked for", "--sources"),
        ({"lr": 0.5}, "lr 0.001 there, 0.5 asked for", "--lr"),
        ({"batch_size": 24}, "batch_size 48 there, 24 asked for", "--batch_size"),
        ({"seed": 1}, "seed 0 there, 1 asked for", "--seed"),
        ({"optimizer": "sgd"}, "optimizer 'adamw' there, 'sgd' asked for", "--optimizer"),
        ({"data": {**THERE["data"], "root": "g"}}, "data.root 'f' there, 'g' asked for", "--data.root"),
        ({"data": {**THERE["data"], "image_size": 96}}, "data.image_size 64 there, 96", "--data.image_size"),
        ({"aligner": {"name": "dat", "weight": 1.0}}, "aligner 'daa' there, 'dat' asked for", "--aligner"),
        ({"aligner": NONE}, "aligner 'daa' there, 'none' asked for", "--aligner"),
        ({"aligner": {**THERE["aligner"], "epsilon": 0.1}}, "aligner.epsilon 0.0156", "--aligner.epsilon"),
        ({"teachers": {**THERE["teachers"], "fe": {"name": "stargan"}}}, "teachers.fe 'none' there, 'stargan'", ""),
        ({"teachers": {"fr": {"name": "arcface", "weight": 1}, "fe": NONE}}, "teachers.fr.weight 0.3 there, 1", ""),
    ],
)
def test_a_run_is_not_continued_with_other_settings(change: dict[str, Any], told: str, option: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        check_settings(RunFolder("r1"), THERE, {**THERE, **change})
    text = str(caught.value)
    assert text.startswith("--resume r1: ")
    assert f"drop {option}" in text
    assert "new run with another --out" in text
    assert "\n" not in text


def test_what_may_change_may_change() -> None:
    changed = {"epochs": 9, "max_steps": 700, "threads": 2, "workers": 3, "tracker": "none", "checkpoint_every": 5}
    changed |= {"stability": 0, "thumbnails": False, "out": "elsewhere", "resume": "r1", "compile": True}
    changed |= {"checkpoints_kept": 5}
    assert changed.keys() == CHANGEABLE
    check_settings(RunFolder("r1"), THERE, {**THERE, **changed})
    assert first_difference(THERE, {**THERE, "epochs": 9}, BOOKKEEPING) is not None  # for an ablation, another run


def test_a_switch_that_an_earlier_run_did_not_have_is_off() -> None:
    assert first_difference(THERE, {**THERE, "sync_batchnorm": False, "clip_norm": None}) is None
    assert first_difference(THERE, {**THERE, "sync_batchnorm": True}) is not None


def test_an_earlier_run_that_says_nothing_of_views_had_one() -> None:
    assert first_difference(THERE, {**THERE, "views": "one"}) is None
    check_settings(RunFolder("r1"), {**THERE, "views": "one"}, THERE)
    with pytest.raises(SettingsError, match="views None there, 'five' asked for; drop --views"):
        check_settings(RunFolder("r1"), THERE, {**THERE, "views": "five"})


@given(st.data())
def test_any_other_setting_is_found_and_named(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(THERE.keys() - CHANGEABLE)))
    value = data.draw(st.one_of(st.integers(), st.text(max_size=5), st.none(), st.lists(st.integers(), max_size=2)))
    asked = {**THERE, name: value}
    found = first_difference(THERE, asked, CHANGEABLE)
    if value == THERE[name]:
        assert found is None
    else:
        assert found is not None
        assert found.name.partition(".")[0] == name


def test_values_that_yaml_writes_alike_are_alike() -> None:
    assert first_difference({"a": [1, 2], "b": {}, "c": 1.0}, {"c": 1.0, "b": {}, "a": [1, 2]}) is None


def made(folder: Path, **facts: Any) -> RunFolder:
    return RunFolder.create(folder / "run", {}, {"begun_with": facts_of(PREPARATION, "no") | facts})


PREPARATION = {"records": 12, "frames": 24, "key": "abc", "content": "fed", "simulated": False}


@pytest.mark.parametrize(
    ("preparation", "precision", "told"),
    [
        ({"records": 14, "frames": 28, "key": "def"}, "no", "data: records 12 there, 14 asked for; restore them"),
        ({"frames": 23, "key": "def"}, "no", "data: frames 24 there, 23 asked for"),
        ({"key": "def"}, "no", "the data are as many and not the same: .*; restore them"),
        ({"content": "cba"}, "no", "the frames, made anew, hold other pixels: .*; restore it .*environment.json"),
        ({}, "bf16", "precision 'no' there, 'bf16' asked for; launch it with --mixed_precision no"),
    ],
)
def test_other_data_or_another_precision_are_refused(
    tmp_path: Path, preparation: dict[str, Any], precision: str, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        check_facts(made(tmp_path), facts_of({**PREPARATION, **preparation}, precision))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "lr: 0.001",
            "lr: 0.5",
            "settings.yaml is not as the run wrote it; restore it, or .* --config .*settings.yaml",
        ),
        ("target: webcam", "target: phone", "is not as the run wrote it"),
        ("  epsilon: 0.02", "", "is not as the run wrote it"),
        ("target: webcam", "target: webcam\nadded: 1", "is not as the run wrote it"),
        (None, "", "settings.yaml is empty"),
        ("epochs: 3", "epochs: 5", None),
        ("lr: 0.001", "lr: 1.0e-3  # as it was", None),
    ],
)
def test_settings_that_were_edited_are_refused(
    tmp_path: Path, before: str | None, after: str, told: str | None
) -> None:
    tree = {"target": "webcam", "epochs": 3, "lr": 0.001, "aligner": {"name": "daa", "epsilon": 0.02}}
    run = RunFolder.create(tmp_path / "run", tree, {"begun_with": {SETTINGS: digest_of(tree)}})
    check_untouched(run)
    run.extend({**tree, "epochs": 4, "new": 1}, {"begun_with": {SETTINGS: digest_of({**tree, "new": 1})}})
    check_untouched(run)
    run.extend(tree, {"begun_with": {SETTINGS: digest_of(tree)}})
    text = run.settings.read_text()
    assert before is None or before in text
    run.settings.write_text(after if before is None else text.replace(before, after))
    if told is None:
        check_untouched(run)
    else:
        with pytest.raises(SettingsError, match=told):
            check_untouched(run)


def test_the_same_data_and_a_record_without_them_are_taken(tmp_path: Path) -> None:
    run = made(tmp_path, **{SETTINGS: "abc"})
    check_facts(run, facts_of(PREPARATION, "no"))
    check_facts(run, facts_of({**PREPARATION, "content": ""}, "no"))  # a table of an earlier version
    run.environment.write_text("{")
    check_facts(run, facts_of(PREPARATION, "bf16"))
