"""Protocols by name through the recipes, on small prepared tables; the settings that are shipped for O, C, I and M."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from listed import OCIM, prepared, presentations
from recipe_modules import recipe_module
from toy_run import FAST, ROOT

from padkit.ablation.launch import Launch
from padkit.ablation.plan import read_plan
from padkit.catalog import Catalog
from padkit.deploy.stored import load_bundle
from padkit.errors import PadkitError, SettingsError
from padkit.evaluation.assessment import assess
from padkit.evaluation.results import read_results
from padkit.evaluation.scores import read_scores
from padkit.runs.candidates import read_candidate
from padkit.settings.recipes import read_settings

PEOPLE = {"train": 6, "dev": 3, "test": 3}
Run = Callable[[list[str]], int]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> str:
    """O and I with dev splits, C without; O with the folds of an official protocol."""
    root = tmp_path_factory.mktemp("tables")
    folders = []
    for domain in "OCI":
        people = {split: number for split, number in PEOPLE.items() if split in OCIM[domain][2]}
        records = list(presentations(domain, people, (2, 2), OCIM[domain][0]))
        parts = {part: [record.id for record in records if record.split == part] for part in PEOPLE}
        protocols = {"1": parts, "3.1": parts, "3.2": parts} if domain == "O" else None
        folders.append(str(prepared(root, records, protocols, image_size=32)))
    return ",".join(folders)


@pytest.fixture
def line(tables: str, tmp_path: Path) -> list[str]:
    own = ["--data", "prepared", "--data.folders", tables, "--aligner", "none", "--max-steps", "2"]
    return [*own, *FAST, "--out", str(tmp_path / "run")]


def test_one_to_many_at_the_targets_dev_split(
    presented: Run, line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    presented([*line, "--protocol", "C->O&I", "--convention", "ssdg", "--policy", "dev-eer"])
    results = read_results(tmp_path / "run" / "metrics.json")
    assert (results.protocol.name, results.protocol.convention) == ("C->O&I", "ssdg")
    assert (results.protocol.sources, results.protocol.target) == (("C",), "O&I")
    assert [(one.target, one.counts.bona_fide, one.counts.attack) for one in results.targets] == [
        ("O", 18, 18),
        ("I", 18, 18),
    ]
    assert results.counts.bona_fide == 36
    for entries in (results.results, results.targets[0].results):
        assert [entry.policy for entry in entries] == ["dev-eer", "source-dev", "target-eer"]
    scores = read_scores(tmp_path / "run" / "scores.parquet")
    assert len(scores) == 72, "presentations of one id in two datasets were taken for one"
    assert set(scores.dataset) == {"oulu-npu", "replay-attack"}
    again = assess(read_candidate(str(tmp_path / "run")))
    assert [entry.threshold for entry in again.results] == [entry.threshold for entry in results.results]
    _, bundle = load_bundle(tmp_path / "run" / "model", Catalog())
    assert bundle.threshold_policy == "dev-eer"
    assert bundle.provenance["protocol"]["domains"]["C"]["gives"] == {"bona_fide": 18, "attack": 18}
    out = " ".join(capsys.readouterr().out.split())
    assert "C->O&I, convention ssdg" in out
    held = "C (bona fide + attack presentations): 18 + 18, of which 2 of 9 subjects, seed 0 are held out"
    assert f"{held}: train 14 + 14, dev 4 + 4" in out
    assert "each target alone (%)" in out


def test_an_official_protocol_takes_the_eer_of_its_dev_split(dtda: Run, line: list[str], tmp_path: Path) -> None:
    dtda([*line, "--protocol", "oulu-npu:3.2"])
    results = read_results(tmp_path / "run" / "metrics.json")
    assert results.protocol.name == "oulu-npu:3.2"
    assert [entry.policy for entry in results.results] == ["dev-eer", "target-eer"]
    quoted = results.results[0]
    assert (quoted.chosen_on, quoted.test_set_choice) == ("the target's dev split", False)
    assert results.source_dev is not None
    assert results.source_dev.result.test_set_choice, "the dev split itself is told as held out"
    assert (results.counts.bona_fide, results.source_dev.counts.bona_fide) == (6, 6)
    _, bundle = load_bundle(tmp_path / "run" / "model", Catalog())
    assert bundle.threshold_policy == "dev-eer"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--protocol", "O->C", "--target", "C"], "drop --target"),
        (["--protocol", "O->C", "--sources", "I"], "drop --sources"),
        (["--protocol", "O->D"], "'D' is not a domain of this data"),
        (["--protocol", "O"], "neither an arrow nor a colon"),
        (["--protocol", "oulu-npu:3"], r"has 2 folds: name one, oulu-npu:3\.1, or run all"),
        (["--protocol", "olu-npu:1"], "Did you mean 'oulu-npu:1'"),
        (["--protocol", "O->C", "--policy", "dev-eer"], "no dev split that the test leaves aside"),
        (["--protocol", "O->C", "--convention", "sdg"], "expected one of official, ssdg, all"),
        (["--protocol", "oulu-npu:1", "--convention", "all"], "drop the convention 'all'"),
        ([], "Name the target"),
    ],
)
def test_mistakes_are_told_before_training(
    dtda: Run, line: list[str], tmp_path: Path, change: list[str], message: str
) -> None:
    with pytest.raises(PadkitError, match=message) as caught:
        dtda([*line, *change])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "settings.yaml").exists()


# ---- ablation


@pytest.fixture
def plan_runs() -> Iterator[Callable[[list[str]], Any]]:
    """Read an ablation's command line and plan its runs, without running them."""
    with recipe_module("ablation") as module:

        def plan(argv: list[str]) -> Any:
            line, asked = module.read_words(argv)
            return module.plan_runs(asked, ROOT / "recipes", Launch(), out=Path(line.out))

        yield plan


def test_an_ablation_over_protocols(plan_runs: Callable[[list[str]], Any], tables: str, tmp_path: Path) -> None:
    own = ["--cell", "DTDA:", "--out", str(tmp_path / "out"), "--seeds", "2"]
    data = ["--", "--data", "prepared", "--data.folders", tables, "--teachers", "none"]
    job = plan_runs([*own, "--protocols", "O&C->I,oulu-npu:3", *data])
    assert job.trials.folds == {"oulu-npu:3": ["oulu-npu:3.1", "oulu-npu:3.2"]}
    assert [run.folder.relative_to(tmp_path).as_posix() for run in job.runs][:3] == [
        "out/DTDA/O+C-to-I/seed0",
        "out/DTDA/oulu-npu-3.1/seed0",
        "out/DTDA/oulu-npu-3.2/seed0",
    ]
    assert len(job.runs) == 6
    settings = job.runs[1].settings
    assert (settings["protocol"], settings["target"], settings["aligner"]) == ("oulu-npu:3.1", None, "none")
    assert job.runs[0].settings["aligner"] != "none"
    with pytest.raises(SettingsError, match=r"cell 'DTDA', protocol 'O->X': .*'X' is not a domain"):
        plan_runs([*own, "--protocols", "O->X", *data])
    with pytest.raises(SettingsError, match=r"cell 'some', protocol 'O->C': .*drop --sources"):
        plan_runs(["--cell", "some: sources=[I]", *own[2:], "--protocols", "O->C", *data])
    with pytest.raises(SettingsError, match="--protocol cannot be given after --"):
        plan_runs([*own, *data, "--protocol", "O->C"])


# ---- what is shipped


def test_the_shipped_settings_of_the_four(plan_runs: Callable[[list[str]], Any], tables: str) -> None:
    config = str(ROOT / "recipes" / "configs" / "ocim.yaml")
    job = plan_runs(["--cell", "DTDA:", "--protocols", "C&I->O", "--", "--config", config, "--data.folders", tables])
    assert [run.settings["convention"] for run in job.runs] == ["ssdg"]
    module = sys.modules["padkit_recipe_dtda"]
    line = ["--config", config, "--protocol", "O&C&I->M"]
    found = read_settings(module.Options, module.SLOTS, line, Catalog(), "dtda.py")
    assert (found.recipe.convention, found.recipe.policy, found.recipe.protocol) == ("ssdg", "source-dev", "O&C&I->M")
    assert len(found.one("data").settings["folders"]) == 4
    assert found.one("student").settings["pretrained"] is True
    assert found.many("teachers")["fr"].settings["weights"].endswith("backbone.pth")
    assert found.many("teachers")["fe"].settings["weights"].endswith("200000-D.ckpt")
    assert found.one("aligner").name == "daa"
    line = ["--config", "paper", "--protocols", "C&I->O", "--", "--config", config, "--data.folders", tables]
    runs = plan_runs(line).runs
    assert len(runs) == 11 * 5, "the settings lie below every cell of a plan"
    assert {run.settings["student"]["pretrained"] for run in runs} == {True}
    with pytest.raises(SettingsError, match=r"holds settings of dtda.py, no plan; write it after --"):
        read_plan(Path(config))
