"""A real grid on the toy set: runs, tables, what a second start leaves alone, and errors before the first run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import skimage
from kept_runs import kept_run, write_kept
from PIL import Image
from recipe_modules import recipe_module
from toy_run import FAST, ROOT

from padkit.ablation.kept import digest, read_kept
from padkit.ablation.plan import read_plan
from padkit.ablation.runs import Run
from padkit.errors import PadkitError, SettingsError
from padkit_synthetic.drawn.instruments import FAMILIES

CELLS = ["--cell", "plain: aligner=none", "--cell", "DAT: aligner=dat"]
Ablate = Callable[[list[str]], int]


@pytest.fixture
def options(toy: Path) -> list[str]:
    data = ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32"]
    threads = FAST.index("--threads")
    return ["--", *data, *FAST[:threads], *FAST[threads + 2 :], "--max_steps", "2"]


@pytest.fixture
def ablate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ablate]:
    """Run the recipe's `main` in this process; its runs are processes of their own."""
    with recipe_module("ablation") as module:
        monkeypatch.setattr(module.signal, "signal", lambda *_: None)

        def run(argv: list[str]) -> int:
            monkeypatch.setattr(sys, "argv", ["ablation.py", *argv])
            return int(module.main())

        yield run


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_grid_runs_resumes_and_records_failures(
    ablate: Ablate, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = [*CELLS, "--targets", "c", "--seeds", "7,", "--threads", "1", "--out", str(out)]
    assert ablate([*line, *options]) == 0
    plain, dat = (out / cell / "c" / "seed7" / "metrics.json" for cell in ("plain", "DAT"))
    found = rows(out)
    assert [(row["cell"], row["target"], row["seed"], row["status"]) for row in found] == [
        ("plain", "c", "7", "finished"),
        ("DAT", "c", "7", "finished"),
    ]
    results = json.loads(dat.read_text())
    assert float(found[1]["hter"]) == results["results"][0]["values"]["hter"]
    assert float(found[1]["auc"]) == results["values"]["auc"]
    kept = read_kept(out / "runs.jsonl")["DAT", "c", 7]
    assert (str(kept.record().hter), str(kept.record().auc)) == (found[1]["hter"], found[1]["auc"])
    assert kept.seconds > 0
    table = (out / "table.md").read_text()
    assert f"| DAT | {100 * float(found[1]['hter']):.2f} |" in table
    assert "Simulated" not in table
    assert "--cell 'DAT: aligner=dat'" in table
    assert r"\toprule" in (out / "table.tex").read_text()
    assert "minus that of plain" in capsys.readouterr().out

    before = (plain.stat().st_mtime_ns, dat.read_text())
    dat.unlink()
    bad = ["--cell", "bad: aligner=none tracker=tensorbord"]
    assert ablate([*line, *bad, *options]) == 1
    assert (plain.stat().st_mtime_ns, dat.read_text()) == before  # one untouched, one finished from its checkpoint
    failed = rows(out)[-1]
    assert (failed["cell"], failed["status"], failed["hter"]) == ("bad", "failed", "")
    assert failed["error"].startswith("tracker 'tensorbord' is unknown. Did you mean 'tensorboard'?")
    assert "2 of 3 runs finished. 1 run failed" in (out / "table.md").read_text()

    with pytest.raises(SettingsError, match=r"holds a run with other settings.*lr 0\.001 there, 0\.5 asked for"):
        ablate([*line, *options, "--lr", "0.5"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([*CELLS, "--cell", "typo: aligner.epsilom=1"], "cell 'typo': unknown setting.*'aligner.epsilon'"),
        ([*CELLS, "--grid", "aligner=daa+mixstyle,daa+mixstile"], "daa[+]mixstile': --aligner: unknown .*'mixstyle'"),
        ([*CELLS, "--grid", "aligner=dax"], "cell 'aligner=dax': --aligner: unknown aligner 'dax'"),
        ([*CELLS, "--targets", "d"], "'d' is not a domain.*a, b, c"),
        ([*CELLS, "--targets", "c", "--cell", "self: sources=[b,c]"], "cell 'self', target 'c': Target 'c' is also"),
        ([*CELLS, "--targets", "c", "--cell", "one: sources=[a] aligner=daa"], "needs two source domains"),
        ([*CELLS, "--tragets", "c"], "unknown option '--tragets'.*Did you mean '--targets'"),
        ([*CELLS, "--jobs", "0"], "--jobs"),
        ([*CELLS, "--jobs", "many"], "--jobs: expected int in .*, got 'many'"),
        (["--config", "trail"], "Did you mean 'trial'"),
        ([*CELLS, "--only", "plane"], "--only 'plane' is no cell.*Did you mean 'plain'"),
        ([*CELLS, "--cell", "r: recipe=random_feature"], "recipe 'random_feature' is none.*'random_features'"),
        ([*CELLS, "--cell", "r: recipe=random_features lr=1"], "cell 'r': unknown setting 'lr'"),
        ([*CELLS, "--cell", "w: lr=1", "--seeded", "lr"], "cell 'w' cannot set 'lr': it takes the seed of the run"),
        ([*CELLS, "--cell", "big: data.image_size=48"], "cell 'big', target 'a': its data are tested on other frames"),
        ([*CELLS, "--seeded", "batch_size"], "--batch_size cannot be given after --: it takes the seed of the run"),
        ([], "no cells"),
    ],
)
def test_mistakes_are_told_before_the_first_run(
    ablate: Ablate, options: list[str], tmp_path: Path, line: list[str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        ablate([*line, "--out", str(tmp_path / "out"), *options])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_misspelt_name_is_found_before_the_preparation(
    ablate: Ablate, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("padkit.data.preparation.prepare.write_all", None)
    for line, message in {
        "--targets d": "Target 'd' is not a domain of this data",
        "--targets a,d": "Target 'd' is not a domain of this data",
        "--protocols a&d->c": "'d' is not a domain of this data",
    }.items():
        with pytest.raises(SettingsError, match=message):
            ablate([*CELLS, *line.split(), "--out", str(tmp_path / "out"), *options])
    with pytest.raises(PadkitError, match="/proc cannot be written"):
        ablate([*CELLS, "--targets", "c", "--out", "/proc/none/out", *options])


def test_options_that_the_ablation_owns(ablate: Ablate, options: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--seed cannot be given after --"):
        ablate([*CELLS, "--out", str(tmp_path / "out"), *options, "--seed", "3"])


class Interrupted:
    """Stops at the first run and remembers what was to be run."""

    runs: Sequence[Run] = ()

    def __init__(self, *_: object) -> None: ...

    def outcomes(self, runs: Sequence[Run]) -> Iterator[object]:
        Interrupted.runs = runs
        raise KeyboardInterrupt
        yield


@pytest.fixture
def interrupted(ablate: Ablate, monkeypatch: pytest.MonkeyPatch) -> type[Interrupted]:
    monkeypatch.setattr("padkit.ablation.execution.Workers", Interrupted)
    return Interrupted


SHIPPED = {
    "aligners": "9 cells x 5 targets x 5 seeds = 225 runs",
    "paper": "11 cells x 5 targets x 5 seeds = 275 runs",
    "rivals": "4 cells x 5 targets x 5 seeds = 100 runs",
    "large": "2 cells x 4 targets x 3 seeds = 24 runs",
    "limited": "5 cells x 2 targets x 5 seeds = 50 runs",
    # A world for each seed: one is enough here.
    "trial": "10 cells x 4 targets x 1 seeds = 40 runs",
    "trial_scratch": "5 cells x 4 targets x 1 seeds = 20 runs",
    "source_choice": "11 cells x 6 protocols x 1 seeds = 66 runs",
    "orl": "3 cells x 4 targets x 5 seeds = 60 runs",
    "photographs_trial": "13 cells x 4 targets x 1 seeds = 52 runs",
    "families": "2 cells x 1 targets x 1 seeds = 2 runs",  # a table for each: two are enough here
}


def test_every_shipped_plan_is_expected_below() -> None:
    settings_of_dtda = {"ocim", "photographs", "style"}
    found = {path.stem for path in (ROOT / "recipes" / "configs").glob("*.yaml")}
    assert found - settings_of_dtda == SHIPPED.keys()


def test_each_family_of_instruments_is_left_out_in_turn() -> None:
    cells = read_plan(ROOT / "recipes" / "configs" / "families.yaml").cells
    assert [cell.settings.get("data.without", "") for cell in cells.values()] == ["", *(f.species for f in FAMILIES)]


def listed(folder: Path) -> Path:
    """Return a list like that of `padkit simulate`, of grey squares: six people before each of four cameras."""
    lines = ["path,label,domain,split,subject"]
    for number in range(2 * 24):
        Image.new("RGB", (64, 64), (5 * number,) * 3).save(folder / f"{number}.png")
        label, person = ("live", "spoof")[number % 2], number // 2
        camera, split = ("office", "phone", "webcam", "hall")[person % 4], ("train", "dev", "test")[person // 4 % 3]
        lines.append(f"{number}.png,{label},{camera},{split},p{person}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def photographs(folder: Path) -> list[str]:
    """Return options for live photographs of six "people", and make pictures without faces in THINGS beside them."""
    face = Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").crop((120, 0, 340, 220))
    for place in ("faces", "THINGS"):
        (folder / place).mkdir()
    for number in range(6):
        face.rotate(number, expand=False).save(folder / "faces" / f"{number}.png")
        Image.new("RGB", (80, 80), (40 * number,) * 3).save(folder / "THINGS" / f"{number}.png")
    return ["--data.root", str(folder / "faces")]


@pytest.mark.parametrize(("name", "told"), SHIPPED.items())
def test_ctrl_c_in_a_shipped_plan(
    ablate: Ablate,
    interrupted: type[Interrupted],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    told: str,
) -> None:
    """Every cell of a shipped plan is one that dtda.py takes; Ctrl-C is no failure and writes no table."""
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    one = ["--seeds", "0,"] if "x 1 seeds" in told else []
    data = ["--data.file", str(listed(tmp_path))] if name == "orl" else ["--data.size", "tiny"]
    if name == "photographs_trial":
        data = photographs(tmp_path)
    data += ["--data.image_size", "64"]
    one += ["--only", "all families,no laser"] if name == "families" else []
    assert ablate(["--config", name, *one, "--out", str(out), "--", *data]) == 130
    assert told in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
    if name in ("families", "photographs_trial"):
        keys = {run.cell.name: run.facts["data"] for run in interrupted.runs}
        own = {run.cell.name for run in interrupted.runs if run.cell.own_data}
        assert len(set(keys.values())) == 1 + len(own), "each has its own training frames"
        assert own
    if name == "limited":
        assert {tuple(run.settings["sources"]) for run in interrupted.runs} == {("office", "phone")}


def test_a_seed_is_a_world_and_another_recipe_gets_its_own_options(
    ablate: Ablate, interrupted: type[Interrupted], tmp_path: Path
) -> None:
    line = ["--cell", "plain: aligner=none", "--cell", "random: recipe=random_features level=2", "--targets", "hall"]
    line += ["--seeds", "0,1", "--seeded", "data.seed", "--threads", "1", "--out", str(tmp_path / "out")]
    assert ablate([*line, "--", "--data.size", "tiny", "--data.image_size", "64", "--lr", "0.5", "--strict"]) == 130
    runs = {(run.cell.name, run.seed): run for run in interrupted.runs}
    assert [run.settings["data"]["seed"] for run in runs.values()] == [0, 0, 1, 1]
    keys = {seed: {run.facts["data"] for run in runs.values() if run.seed == seed} for seed in (0, 1)}
    assert [len(found) for found in keys.values()] == [1, 1]
    assert keys[0] != keys[1]
    plain, random = runs["plain", 1], runs["random", 1]
    assert plain.options[2:4] == ["--stability", "0"], "no table tells it, and nobody asked for it"
    assert plain.options[-2:] == ["--strict", "--data.seed=1"]
    own = ["--data.size=tiny", "--data.image_size=64", "--strict=true", "--data.seed=1"]
    assert random.options == ["--threads", "1", *own]
    assert (random.settings["level"], "lr" in random.settings) == (2, False)
    assert (Path(plain.script).name, Path(random.script).name) == ("dtda.py", "random_features.py")
    assert (random.facts["recipe"], "recipe" in plain.facts) == ("random_features", False)


def test_kept_runs_need_no_folder(
    ablate: Ablate, interrupted: type[Interrupted], options: list[str], tmp_path: Path
) -> None:
    line = [*CELLS, "--targets", "c", "--seeds", "0,", "--threads", "1", "--out", str(tmp_path / "out")]
    assert ablate([*line, *options]) == 130
    run = next(run for run in interrupted.runs if run.cell.name == "plain")
    facts = {key: str(value) for key, value in run.facts.items()}
    settings = {key: value for key, value in run.wanted.items() if key not in facts}
    made = {"digest": digest(settings, facts), "settings": settings, "facts": facts, "cell_settings": run.cell.settings}
    file = write_kept(tmp_path / "kept.jsonl", replace(kept_run("plain", "c", 0), **made))
    first = file.read_text()
    assert ablate([*line, "--resume-from", str(file), *options]) == 130
    assert [run.cell.name for run in interrupted.runs] == ["DAT"]
    assert file.read_text() == first
    with pytest.raises(SettingsError, match=r"kept\.jsonl holds 'plain, c, seed 0' .*\(lr 0\.001 there, 0\.5 asked"):
        ablate([*line, "--resume-from", str(file), *options, "--lr", "0.5"])


def test_the_grid_of_all_aligners_and_teachers(
    ablate: Ablate, interrupted: type[Interrupted], options: list[str], tmp_path: Path
) -> None:
    grid = ["--grid", "aligner=none,dat,daa", "--grid", "teachers=none,fr,fe,fr+fe", "--targets", "all", "--seeds", "5"]
    assert ablate([*grid, "--out", str(tmp_path / "out"), *options]) == 130
    runs = interrupted.runs
    assert {run.target for run in runs} == {"a", "b", "c"}
    assert [run.seed for run in runs] == [seed for seed in range(5) for _ in range(36)]
    chosen = {run.cell.name: (run.settings["aligner"], run.settings["teachers"]) for run in runs}
    assert len(chosen) == 12
    for name, (aligner, teachers) in chosen.items():
        used = "+".join(key for key, teacher in teachers.items() if component(teacher) != "none") or "none"
        assert name == f"aligner={component(aligner)} teachers={used}"


def component(settings: dict[str, str] | str) -> str:
    return settings if isinstance(settings, str) else settings["name"]
