"""Finished runs as lines of text: nothing that a table shows is lost, and nothing that does not fit is taken."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from kept_runs import independent_figures, kept_run, write_kept

from padkit.ablation.kept import append, keep, read_all, read_kept
from padkit.ablation.plan import Cell
from padkit.ablation.records import record_run
from padkit.ablation.runs import Run
from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import auc
from padkit.evaluation.results import ProtocolSummary, evaluate, write_results
from padkit.evaluation.scores import Scores, write_scores

PROTOCOL = ProtocolSummary(name="a&b->hall", convention="official", sources=("a", "b"), target="hall", simulated=True)


def scores(seed: int, count: int = 60) -> Scores:
    """Scores as a trained detector gives them: most are within rounding of 0 or 1."""
    generator = np.random.default_rng(seed)
    label = np.arange(count) % 2
    logits = generator.normal(12 * (2 * label - 1), 8).astype(np.float32)
    blank = np.full(count, "")
    return Scores(
        presentation=np.arange(count).astype(str), dataset=blank, domain=np.full(count, "hall"), split=blank,
        subject=blank, label=label, attack_type=np.where(label == 1, "", "print"),
        species=np.where(label == 1, "", np.where(np.arange(count) % 3, "laser", "inkjet")), device=blank,
        score=1 / (1 + np.exp(-logits)), frames=np.full(count, 2),
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run folder as training leaves it."""
    settings = {"lr": 0.1, "target": "hall", "seed": 3, "aligner": {"name": "daa", "epsilon": 0.5}, "threads": 2}
    found = Run(
        cell=Cell("DAA", {"aligner": "daa"}), target="hall", seed=3, folder=tmp_path / "DAA" / "seed3",
        settings={**settings, "out": None, "threads": None}, facts={"data": "key", "precision": "no", "launch": ""},
        options=[],
    )  # fmt: skip
    files = found.files
    files.path.mkdir(parents=True)
    files.settings.write_text(yaml.safe_dump(settings))
    target, held_out = scores(0), scores(1)
    write_results(evaluate(target, source_dev=held_out, protocol=PROTOCOL, seed=3), files.metrics)
    write_scores(target, files.scores)
    write_scores(held_out, files.source_dev_scores)
    for record in (
        {"step": 1, "source_dev/auc": 0.5},
        {"step": 2, "live": 0.1},
        {"step": 2, "source_dev/fresh_domain_accuracy_attacked": 1 / 3, "distillation/fr/explained_by_constant": 0.25},
    ):
        files.log(record)
    return found


def test_a_kept_run_tells_what_the_folder_tells(run: Run, tmp_path: Path) -> None:
    kept = keep(run, 12.34)
    path = write_kept(tmp_path / "runs.jsonl", kept)
    assert path.stat().st_size < 5000
    (read,) = read_kept(path).values()
    assert asdict(read) == asdict(kept) | {"protocol": asdict(PROTOCOL)}
    assert read.protocol == PROTOCOL
    told, from_folder = read.record(), record_run(run, "", tmp_path)
    assert asdict(told) | {"folder": from_folder.folder} == asdict(from_folder)  # to the last bit
    assert read.evidence == {
        "source_dev/fresh_domain_accuracy_attacked": 0.333333,
        "distillation/fr/explained_by_constant": 0.25,
    }
    assert (read.seconds, read.settings["aligner.epsilon"], read.facts["data"]) == (12.3, 0.5, "key")
    assert "threads" not in read.settings
    found = independent_figures(json.loads(path.read_text()))
    assert (found["AUC"], found["HTER"]) == (pytest.approx(100 * told.auc), pytest.approx(100 * told.hter))
    assert found["HTER, target-eer"] == pytest.approx(100 * told.hter_target_eer)


def test_figures_that_are_not_those_of_the_scores_cannot_be_kept(run: Run) -> None:
    write_results(evaluate(scores(5), source_dev=scores(1), protocol=PROTOCOL, seed=3), run.metrics)
    with pytest.raises(
        DataError, match=r"auc is 0\.9\d+ by its results and 0\.9\d+ by its scores \(checkpoint selection"
    ):
        keep(run, None)


def test_several_targets_are_kept_one_by_one_and_pooled(run: Run) -> None:
    target = scores(0)
    domain = np.where(np.arange(60) < 24, "hall", "phone")
    target = replace(target, domain=domain)
    protocol = replace(PROTOCOL, target="hall&phone")
    results = evaluate(target, source_dev=scores(1), protocol=protocol, seed=3, targets=["hall", "phone"])
    write_results(results, run.metrics)
    write_scores(target, run.files.scores)
    kept = keep(run, None)
    assert set(kept.scores) == {"target/hall", "target/phone", "source_dev"}
    assert kept.record().auc == results.values["auc"]
    for one in results.targets:
        alone = kept.scores_of(f"target/{one.target}")
        assert auc(alone.label, alone.score) == one.values["auc"]


def test_a_run_of_other_settings_or_data_is_refused_by_the_first_difference(run: Run) -> None:
    kept = keep(run, None)
    kept.check(run, Path("F"))
    other = replace(run, settings={**run.settings, "lr": 0.2, "zeal": 1})
    with pytest.raises(SettingsError, match=r"^F holds 'DAA, hall, seed 3' with other settings \(lr 0\.1 there, 0\.2 "):
        kept.check(other, Path("F"))
    with pytest.raises(SettingsError, match="data 'key' there, 'new' asked for"):
        kept.check(replace(run, facts={**run.facts, "data": "new"}), Path("F"))


def test_settings_that_came_later_count_only_if_given(run: Run) -> None:
    kept = keep(run, None)
    later = replace(run, settings={**run.settings, "zeal": 1})
    kept.check(later, Path("F"))
    with pytest.raises(SettingsError, match="zeal None there, 1 asked for"):
        kept.check(replace(later, given=frozenset({"zeal"})), Path("F"))


def test_what_somebody_set_is_kept(run: Run, tmp_path: Path) -> None:
    """An earlier line, which does not say, is read as before."""
    kept = keep(replace(run, given=frozenset({"lr", "aligner.name", "out"})), None)
    assert kept.given == ["aligner.name", "lr"]
    (read,) = read_kept(write_kept(tmp_path / "new.jsonl", kept)).values()
    assert read.given == kept.given
    content = json.loads(kept.line())
    del content["given"]
    (tmp_path / "earlier.jsonl").write_text(json.dumps(content) + "\n")
    (read,) = read_kept(tmp_path / "earlier.jsonl").values()
    assert read.given is None


def test_equal_frames_elsewhere_are_the_same_data(run: Run, tmp_path: Path) -> None:
    here = replace(run, settings={**run.settings, "data": {"name": "manifest", "file": "/a"}}, content="frames")
    there = replace(run, settings={**run.settings, "data": {"name": "manifest", "file": "/b"}}, content="frames")
    there = replace(there, facts={**run.facts, "data": "other"})
    kept = keep(here, None)
    kept.check(there, Path("F"))
    kept.check(replace(here, content=""), Path("F"))  # its table is of an earlier version
    assert list(read_all([write_kept(tmp_path / name, keep(one, None)) for name, one in (("a", here), ("b", there))]))
    with pytest.raises(SettingsError, match=r"data\.file '/a' there, '/b' asked for"):
        kept.check(replace(there, content="other frames"), Path("F"))
    with pytest.raises(SettingsError, match="data 'key' there, 'other' asked for"):
        kept.check(replace(there, content="", settings=here.settings), Path("F"))


def test_lines_are_sorted_and_one_a_run(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.jsonl"
    for cell, seed in (("plain", 1), ("DAA", 0), ("plain", 0)):
        append(path, kept_run(cell, "hall", seed))
    append(path, replace(kept_run("DAA", "hall", 0), seconds=99.0))
    assert list(read_kept(path)) == [("DAA", "hall", 0), ("plain", "hall", 0), ("plain", "hall", 1)]
    assert read_kept(path)["DAA", "hall", 0].seconds == 99.0
    with ThreadPoolExecutor(4) as pool:  # several ablations that share a file lose nothing
        list(pool.map(lambda seed: append(path, kept_run("DAT", "hall", seed)), range(8)))
    assert len(read_kept(path)) == 11
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["runs.jsonl"]


def test_one_run_cannot_have_two_settings(tmp_path: Path) -> None:
    first, second = kept_run("DAA", "hall", 0), kept_run("DAA", "hall", 0, settings={"lr": 0.5})
    with pytest.raises(DataError, match=r"line 2: 'DAA, hall, seed 0' was there before \(lr 0\.5 there, 0\.001"):
        read_kept(write_kept(tmp_path / "both.jsonl", first, second))
    paths = [write_kept(tmp_path / "a.jsonl", first), write_kept(tmp_path / "b.jsonl", second)]
    with pytest.raises(DataError, match=r"b\.jsonl: 'DAA, hall, seed 0' is in another file with other settings"):
        read_all(paths)
    assert len(read_all([paths[0], paths[0], tmp_path / "missing.jsonl"])) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: line[: len(line) // 2], "is no kept run"),
        (lambda line: "[1]", "no JSON object"),
        (lambda line: line.replace("padkit-run/1", "padkit-run/9"), "schema 'padkit-run/9'"),
        (lambda line: line.replace('"lr": 0.001', '"lr": 0.002'), "the digest differs"),
        (lambda line: line.replace('"scores": {"target"', '"scores": {"other"'), "no scores of the target"),
        (lambda line: line.replace('"policies"', '"polices"'), "key 'policies' is missing"),
        (lambda line: line.replace('"bona fide": [0.', '"bona fide": [7.', 1), "outside \\[0, 1\\]"),
    ],
)
def test_a_damaged_line_is_one_error(tmp_path: Path, damage, message: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(damage(kept_run("DAA", "hall", 0).line()) + "\n")
    with pytest.raises(DataError, match=message) as caught:
        read_kept(path)
    assert str(caught.value).startswith(f"{path}, line 1: ")
    assert "\n" not in str(caught.value)
