"""Every native dataset from its own layout to a trained detector: reader, preparation, protocol, an epoch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trees_ocim as four
import trees_public as others
from toy_run import FAST, steps

from padkit.commands.prepare import main as prepare
from padkit.data.preparation.prepare import open_table

Run = Callable[[list[str]], int]
CHOICES = ["--face", "none", "--size", "32", "--frames", "first:2", "--workers", "1"]

FOUR = {
    "O": ("oulu-npu", lambda root: four.write_oulu(root, subjects=(1, 2, 21, 22, 36, 37))),
    "C": ("casia-fasd", lambda root: four.write_casia(root, subjects=(1, 2, 3))),
    "I": ("replay-attack", lambda root: four.write_replay(root, subjects=(1, 2, 16, 17, 31, 32))),
    "M": ("msu-mfsd", lambda root: four.write_msu(root)),
}
OTHERS = {
    "siw": others.write_siw,
    "siw-mv2": others.write_siw_mv2,
    "celeba-spoof": others.write_celeba_spoof,
    "casia-surf": others.write_casia_surf,
    "cefa": others.write_cefa_release,
    "hifimask": others.write_hifimask,
    "wmca": others.write_wmca,
    "nuaa": lambda root: others.write_nuaa(root) / "raw",
}


def prepared(dataset: str, tree: Path, out: Path) -> Path:
    assert prepare([dataset, "--root", str(tree), "--out", str(out), *CHOICES]) == 0
    return out


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The four datasets of leave-one-out, prepared, by their letters."""
    home = tmp_path_factory.mktemp("native")
    found = {}
    for letter, (dataset, write) in FOUR.items():
        write(home / f"{letter}-tree")
        found[letter] = prepared(dataset, home / f"{letter}-tree", home / letter)
    return found


def epoch(dtda: Run, folders: list[Path], protocol: str, out: Path, *more: str) -> dict:
    options = ["--data", "prepared", "--data.folders", ",".join(map(str, folders)), "--protocol", protocol]
    dtda([*options, "--epochs", "1", "--out", str(out), *more, *FAST])
    assert steps(out)
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.parametrize(
    "protocol", ["O&C&I->M", "O&M&I->C", "O&C&M->I", "I&C&M->O", "M&I->C", "M&I->O", "O->C&I&M", "oulu-npu:1"]
)
def test_the_protocols_of_the_field_run(dtda: Run, tables: dict[str, Path], tmp_path: Path, protocol: str) -> None:
    official = ":" in protocol
    more = ["--aligner", "none"] if official or protocol.startswith("O->") else []
    more += [] if official else ["--convention", "ssdg"]
    metrics = epoch(dtda, list(tables.values()), protocol, tmp_path / "run", *more)
    assert metrics["protocol"]["name"] == protocol
    assert metrics["protocol"]["convention"] == ("official" if official else "ssdg")
    assert not metrics["protocol"]["simulated"]
    assert metrics["results"][0]["policy"] == ("dev-eer" if official else "source-dev")


@pytest.mark.parametrize("dataset", OTHERS)
def test_every_other_dataset_trains(dtda: Run, tables: dict[str, Path], tmp_path: Path, dataset: str) -> None:
    table = prepared(dataset, OTHERS[dataset](tmp_path / "tree"), tmp_path / "table")
    domain = str(open_table(table).column("domain")[0])
    folders = [tables["O"], tables["C"], table]
    protocol = f"O&{domain}->C"
    metrics = epoch(dtda, folders, protocol, tmp_path / "run", "--convention", "all", "--aligner", "dat")
    assert metrics["protocol"]["name"] == protocol
