"""`padkit evaluate`: runs and foreign files, what they say and do not say, pairs, seeds, and every output."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from padkit.commands.evaluate import main
from padkit.errors import DataError, PadkitError, SettingsError
from padkit.evaluation.metrics import auc, equal_error, error_rates
from padkit.evaluation.results import ProtocolSummary, evaluate, write_results
from padkit.evaluation.scores import Scores, presentation_scores, write_scores
from padkit.runs.candidates import read_candidate

OCIM = ProtocolSummary(name="O&C&I->M", convention="ssdg", sources=("O", "C", "I"), target="M", simulated=False)


def scores(seed: int, count: int = 120, domain: str = "M", shift: float = 0.0) -> Scores:
    """The same presentations for every seed, scored differently."""
    fixed, random = np.random.default_rng(7), np.random.default_rng(seed)
    label = (np.arange(count) % 3 == 0).astype(int)
    frames = {
        "presentation": [f"{domain}{number}" for number in range(count)],
        "label": label,
        "dataset": [domain.lower()] * count,
        "domain": [domain] * count,
        "subject": [f"{domain}-s{number % 24}" for number in range(count)],
        "species": np.where(label == 1, "", np.array(["paper", "screen"])[np.arange(count) % 2]),
        "device": np.array(["cam1", "cam2"])[fixed.integers(0, 2, count)],
    }
    return presentation_scores(frames, np.clip(random.normal(0.35 + shift + 0.3 * label, 0.15), 0, 1))


def run(folder: Path, seed: int, protocol: ProtocolSummary = OCIM, **settings: object) -> Path:
    target, dev = scores(seed, shift=0.05), scores(seed + 100, domain="O")
    found = evaluate(target, source_dev=dev, protocol=protocol, seed=seed)
    write_scores(target, folder / "scores.parquet")
    write_scores(dev, folder / "scores_source_dev.parquet")
    write_results(found, folder / "metrics.json")
    content = {"seed": seed, "out": str(folder), "threads": seed, "aligner": "daa", "lr": 0.001} | settings
    (folder / "settings.yaml").write_text(yaml.safe_dump(content))
    return folder


def listed(
    path: Path, given: Scores, columns: tuple[str, ...] = ("presentation", "subject", "species", "device")
) -> Path:
    names = ["label", "score", *columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*(getattr(given, name).tolist() for name in names), strict=True))
    return path


def assessed(tmp_path: Path, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json", str(tmp_path / "out.json")]) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["schema"] == "padkit-evaluation/1"
    return content


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_run_is_assessed_as_it_assessed_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "a", 3)
    (method,) = assessed(tmp_path, folder)["methods"]
    own = json.loads((folder / "metrics.json").read_text())
    (one,) = method["runs"]
    assert (one["values"], one["results"], one["counts"]) == (own["values"], own["results"], own["counts"])
    assert (method["seeds"], method["checkpoint_selection"]) == ([3], "source-dev")
    text = flat(capsys.readouterr().out)
    for wanted in (
        "O&C&I->M, convention ssdg", "seed 3", "checkpoint selection source-dev (the best checkpoint",
        "Threshold source-dev: chosen on held-out source presentations", "(test set)", "(at source-dev)", "by device",
        "40 bona fide and 80 attack presentations",
    ):  # fmt: skip
        assert wanted in text
    assert "unknown" not in text
    assert assessed(tmp_path, folder / "scores.parquet")["methods"][0]["runs"][0]["results"] == own["results"]


def test_slices_by_hand(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", 3)
    (method,) = assessed(tmp_path, folder)["methods"]
    given = scores(3, shift=0.05)
    threshold = method["runs"][0]["results"][0]["threshold"]
    found = method["runs"][0]["slices"]
    assert set(found) == {"species", "device", "domain"}
    assert found["domain"] == []  # one domain only
    paper, screen = found["species"]
    assert (paper["name"], screen["name"], paper["bona_fide"]) == ("paper", "screen", 40)
    rows = (given.species == "paper") | (given.label == 1)
    assert paper["values"]["auc"] == pytest.approx(auc(given.label[rows], given.score[rows]))
    assert paper["values"]["apcer"] == pytest.approx(np.mean(given.score[given.species == "paper"] >= threshold))
    rows = given.device == "cam1"
    rates = error_rates(given.label[rows], given.score[rows], threshold, given.species[rows])
    cam = found["device"][0]
    assert (cam["name"], cam["bona_fide"] + cam["attack"]) == ("cam1", int(rows.sum()))
    assert cam["values"] == pytest.approx(
        {
            "apcer": rates.apcer, "apcer_pooled": rates.apcer_pooled, "bpcer": rates.bpcer, "hter": rates.hter,
            "auc": auc(given.label[rows], given.score[rows]),
        }
    )  # fmt: skip


def test_a_device_with_one_class_has_what_can_be_had(tmp_path: Path) -> None:
    given = presentation_scores(
        {"presentation": list("abcde"), "label": [1, 1, 0, 0, 0], "device": ["x", "x", "y", "y", ""]},
        [0.9, 0.4, 0.6, 0.1, 0.2],
    )
    path = listed(tmp_path / "a.csv", given)
    (method,) = assessed(tmp_path, path, "--policy", "fixed:0.5")["methods"]
    unknown, live, fake = method["runs"][0]["slices"]["device"]
    assert (unknown["name"], unknown["attack"]) == ("unknown", 1)
    assert live["values"] == {"apcer": None, "apcer_pooled": None, "bpcer": 0.5, "hter": None, "auc": None}
    assert fake["values"] == {"apcer": 0.5, "apcer_pooled": 0.5, "bpcer": None, "hter": None, "auc": None}


def test_what_a_foreign_file_does_not_say_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = scores(1)
    bare = listed(tmp_path / "bare.csv", given, ())
    (method,) = assessed(tmp_path, bare)["methods"]
    assert (method["protocol"], method["seeds"], method["checkpoint_selection"]) == (None, [], "")
    assert [entry["policy"] for entry in method["runs"][0]["results"]] == ["target-eer"]
    assert method["runs"][0]["results"][0]["threshold"] == equal_error(given.label, given.score).threshold
    text = flat(capsys.readouterr().out)
    for wanted in (
        "no dev part, so source-dev and dev-eer cannot be told", "subjects are unknown", "devices are unknown",
        "species and attack types are unknown", "domains are unknown", "Protocol unknown; seed unknown; checkpoint",
    ):  # fmt: skip
        assert wanted in text
    with pytest.raises(DataError, match=r"bare\.csv: threshold policy 'source-dev' needs scores"):
        main([str(bare), "--policy", "source-dev"])
    turned = listed(tmp_path / "turned.csv", scores(1, shift=0), ())
    main([str(turned), "--attack-scores"])
    assert "AUC below 50 %" in flat(capsys.readouterr().out)


def test_a_user_says_what_files_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [listed(tmp_path / f"{seed}.csv", scores(seed)) for seed in (4, 5)]
    told = ["--seeds", "4,5", "--selection", "last", "--protocol", "O & C&I -> M"]
    (method,) = assessed(tmp_path, *paths, *told)["methods"]
    assert (method["seeds"], method["checkpoint_selection"], method["protocol"]["name"]) == ([4, 5], "last", "O&C&I->M")
    hter = next(row for row in method["figures"] if (row["policy"], row["metric"]) == ("target-eer", "hter"))
    single = [run["results"][0]["values"]["hter"] for run in method["runs"]]
    assert (hter["mean"], hter["deviation"], hter["n"]) == (
        pytest.approx(np.mean(single)),
        pytest.approx(np.std(single, ddof=1)),
        2,
    )
    text = flat(capsys.readouterr().out)
    assert "seeds 4, 5" in text
    assert "n = 2 seeds" in text
    assert "MADDG 2019" in text
    assert len(assessed(tmp_path, *paths)["methods"]) == 2  # without seeds they are two methods


@pytest.mark.parametrize(
    ("domains", "parts", "policies"),
    [
        (["O", "M"], ["dev", "test"], ["source-dev", "target-eer"]),
        (["M", "M"], ["val", "test"], ["dev-eer", "target-eer"]),
        (["M", "M"], ["source-dev", "test"], ["source-dev", "target-eer"]),
        (["", ""], ["dev", "test"], ["source-dev", "target-eer"]),
    ],
)
def test_a_dev_part_serves_the_policy_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], domains: list[str], parts: list[str], policies: list[str]
) -> None:
    lines = ["label,score,presentation,domain,part"]
    chosen = {}
    for number, (domain, part) in enumerate(zip(domains, parts, strict=True)):
        given = scores(number, domain=f"{domain}{number}", shift=0.1 * number)
        chosen[part] = equal_error(given.label, given.score).threshold
        lines += [
            f"{label},{score!r},{name},{domain},{part}"
            for label, score, name in zip(given.label, given.score.tolist(), given.presentation, strict=True)
        ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    (method,) = assessed(tmp_path, tmp_path / "a.csv")["methods"]
    results = method["runs"][0]["results"]
    assert [entry["policy"] for entry in results] == policies
    assert results[0]["threshold"] == chosen[parts[0]]
    assert (
        "it is unknown whether the dev part belongs to the sources or to the target" in flat(capsys.readouterr().out)
    ) == (not domains[0])


def test_intervals_enclose_and_depend_on_their_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "a", 3)
    first = assessed(tmp_path, folder, "--bootstrap", 300)
    text = flat(capsys.readouterr().out)
    assert "300 resamples (seed 0) of 24 subjects, stratified by class" in text
    assert assessed(tmp_path, folder, "--bootstrap", 300) == first
    other = assessed(tmp_path, folder, "--bootstrap", 300, "--bootstrap-seed", 1)
    assert other["bootstrap"] == {"resamples": 300, "seed": 1, "level": 0.95}
    one = first["methods"][0]["runs"][0]
    assert one["resampled"] == {"kind": "subjects", "count": 24}
    ends = {(row["policy"], row["metric"]): (row["low"], row["high"]) for row in one["intervals"]}
    figures = {(row["policy"], row["metric"]): row["mean"] for row in first["methods"][0]["figures"]}
    assert set(ends) == {key for key in figures if key[1] != "threshold"}
    for key in (("", "auc"), ("source-dev", "hter"), ("source-dev", "apcer:paper"), ("target-eer", "hter")):
        assert ends[key][0] < figures[key] < ends[key][1]
    assert other["methods"][0]["runs"][0]["intervals"] != one["intervals"]


def test_runs_of_one_method_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [run(tmp_path / "daa" / f"seed{seed}", seed) for seed in (0, 1, 2)]
    other = run(tmp_path / "dat", 0, aligner="dat")
    content = assessed(tmp_path, *folders, other, "--csv", tmp_path / "out.csv")
    daa, dat = content["methods"]
    assert (daa["seeds"], dat["seeds"]) == ([0, 1, 2], [0])
    assert daa["name"] == str(tmp_path / "daa" / "seed") + "*"
    for row in daa["figures"]:
        assert row["n"] == 3
        assert (row["deviation"] is not None) == (dat["figures"][0]["deviation"] is None)
    text = flat(capsys.readouterr().out)
    assert "mean ± sample standard deviation over n = 3 seeds" in text
    assert "its runs, threshold policy source-dev" in text
    assert "│ seed1 │ 1 │" in text
    assert re.search(r"All methods \(%\) .* 0, 1, 2 │ source-dev │", text)
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = [row for row in rows if (row["n"], row["metric"], row["policy"]) == ("3", "hter", "source-dev")]
    assert [row["slice"] for row in mean] == ["", "species", "species", "device", "device"]
    assert float(mean[0]["value"]) == pytest.approx(
        next(row["mean"] for row in daa["figures"] if (row["policy"], row["metric"]) == ("source-dev", "hter"))
    )
    assert (mean[0]["seeds"], mean[0]["checkpoint_selection"], mean[0]["test_set_choice"]) == (
        "0 1 2",
        "source-dev",
        "False",
    )
    for folder in folders:
        (folder / "settings.yaml").rename(folder / "lost.yaml")
    assert len(assessed(tmp_path, *folders)["methods"]) == 3  # nobody can tell that they are of one method
    for folder in folders:
        (folder / "lost.yaml").rename(folder / "settings.yaml")
    twin = run(tmp_path / "twin", 1)
    with pytest.raises(SettingsError, match="runs of one method with the same seed"):
        main([*map(str, folders), str(twin)])


def test_the_literature_stands_beside_the_four_protocols_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = assessed(tmp_path, run(tmp_path / "real", 0))
    text = flat(capsys.readouterr().out)
    assert len(content["methods"][0]["published"]) == 8
    assert "threshold chosen on the target test set, as published" in text
    assert re.search(r"DTDA 2024 │ not measured │", text)
    figure = next(f for f in content["methods"][0]["figures"] if (f["policy"], f["metric"]) == ("target-eer", "hter"))
    assert re.search(rf"this │ {100 * figure['mean']:.2f} │", text)
    simulated = ProtocolSummary(name="O&C&I->M", convention="x", sources=("O", "C", "I"), target="M", simulated=True)
    content = assessed(tmp_path, run(tmp_path / "simulated", 0, simulated))
    text = flat(capsys.readouterr().out)
    assert content["methods"][0]["published"] == []
    assert "MADDG" not in text
    assert "Simulated data" in text


def test_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """B is A with more noise; rows in another order and another file type change nothing."""
    first = run(tmp_path / "a", 3)
    given = read_candidate(str(first)).target
    noisy = np.clip(given.score + np.random.default_rng(0).normal(0, 0.25, len(given)), 0, 1)
    order = np.random.default_rng(1).permutation(len(given))
    frames = {name: getattr(given, name)[order] for name in ("presentation", "label")}
    second = listed(tmp_path / "b.csv", presentation_scores(frames, noisy[order]), ("presentation",))
    found = assessed(tmp_path, first, "--against", second, "--bootstrap", 400)["comparison"]
    assert (found["presentations"], found["second"]) == (120, str(second))
    difference = auc(given.label, given.score) - auc(given.label, noisy)
    assert found["delong"]["difference"] == pytest.approx(difference)
    assert found["delong"]["p"] < 0.01
    area, hter = found["differences"]
    assert (area["metric"], hter["metric"], hter["policy"]) == ("auc", "hter", "target-eer")  # what both can tell
    assert area["difference"] == pytest.approx(difference)
    assert 0 < area["low"] < difference < area["high"]
    assert area["p"] < 0.02
    own = [error_rates(given.label, s, equal_error(given.label, s).threshold).hter for s in (given.score, noisy)]
    assert hter["difference"] == pytest.approx(own[0] - own[1])
    assert hter["low"] < hter["difference"] < hter["high"]
    assert "24 subjects" in flat(capsys.readouterr().out)  # the file's unknown subjects are known to the run
    same = assessed(tmp_path, first, "--against", first, "--bootstrap", 100)["comparison"]
    assert same["delong"]["p"] == 1
    assert {(row["difference"], row["p"]) for row in same["differences"]} == {(0, 1)}


def test_what_cannot_be_paired_is_named(tmp_path: Path) -> None:
    given = scores(0)
    whole = listed(tmp_path / "a.csv", given)
    part = listed(tmp_path / "b.csv", given.select(np.arange(120) >= 7))
    with pytest.raises(DataError, match=r"7 \(M0, M1, M2, M3, M4, \.\.\.\) in the first only, none in the second only"):
        main([str(whole), "--against", str(part)])
    with pytest.raises(DataError, match=r"none in the first only, 7 \(M0"):
        main([str(part), "--against", str(whole)])
    nameless = listed(tmp_path / "c.csv", given, ())
    with pytest.raises(DataError, match=r"c\.csv: has no column that names presentations"):
        main([str(whole), "--against", str(nameless)])
    frames = {"presentation": given.presentation, "label": np.where(np.arange(120) == 5, 1, given.label)}
    wrong = listed(tmp_path / "d.csv", presentation_scores(frames, given.score))
    with pytest.raises(DataError, match=r"disagree on the label of 1 \(M5\)"):
        main([str(whole), "--against", str(wrong)])


def test_every_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, other = run(tmp_path / "a_1", 3), run(tmp_path / "b", 4, lr=0.1)
    line = [str(folder), "--against", str(other), "--bootstrap", "100"]
    for name in ("markdown", "latex", "csv", "json"):
        line += [f"--{name}", str(tmp_path / "new" / f"out.{name}")]
    assert main(line) == 0
    printed = capsys.readouterr().out
    text, tex, table = ((tmp_path / "new" / f"out.{name}").read_text() for name in ("markdown", "latex", "csv"))
    content = json.loads((tmp_path / "new" / "out.json").read_text())
    figure = next(f for f in content["methods"][0]["figures"] if (f["policy"], f["metric"]) == ("source-dev", "hter"))
    assert f"{100 * figure['mean']:.2f}" in printed
    shown = f"{100 * figure['mean']:.2f} ["
    assert f"| HTER | {shown}" in text
    assert f"HTER & {shown}" in tex
    rules = re.findall(r"^\| --- ", text, re.MULTILINE)
    assert tex.count(r"\begin{table}") == len(rules) == tex.count(r"\end{table}") == 7
    assert r"a\_1" in tex
    assert "Made by: `padkit evaluate " in text
    assert max(map(len, printed.splitlines())) <= 80
    rows = list(csv.DictReader(table.splitlines()))
    row = next(r for r in rows if (r["policy"], r["metric"], r["slice"]) == ("source-dev", "hter", ""))
    assert (float(row["value"]), row["deviation"], row["seeds"]) == (figure["mean"], "", "3")
    assert float(row["low"]) < figure["mean"] < float(row["high"])
    assert {r["slice"] for r in rows} == {"", "species", "device", "difference"}
    assert all(r["p"] for r in rows if r["slice"] == "difference")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["none"], "none: does not exist; give a run folder or a file of scores"),
        (["."], "no scores.parquet there"),
        (["a.csv", "--policy", "source_dev"], "Did you mean 'source-dev'"),
        (["a.csv", "--bootstrap", "10"], "takes 100 resamples or more"),
        (["a.csv", "--bootstrap", "many"], "expected int >= 0, got 'many'"),
        (["a.csv", "--bootstrap-seed", "-1"], "expected int in .0, 4294967295., got '-1'"),
        (["a.csv", "a.csv", "--against", "a.csv"], "compares two; 2 were given"),
        (["a.csv", "--column", "score"], "write --column score=NAME"),
        (["a.csv", "--column", "scor=x"], "Did you mean 'score'"),
        (["a.csv", "--seeds", "1,2"], "names 2 for 1 files"),
        (["a.csv", "--seeds", "one"], "no whole number"),
        (["a.csv", "--protocol", "O&C"], "write the training domains"),
        (["a.csv", "--selection", "best"], "invalid choice"),
        (["a.csv", "--jsn", "x"], "unrecognized arguments"),
        (["live.csv"], r"live\.csv: .*no attack presentation"),
        (["train.csv"], "has no part `test`"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], match: str) -> None:
    monkeypatch.chdir(tmp_path)
    listed(Path("a.csv"), scores(0))
    Path("live.csv").write_text("label,score\nlive,0.5\n")
    Path("train.csv").write_text("label,score,split\nlive,0.5,train\n")
    with pytest.raises(PadkitError, match=match) as caught:
        main(words)
    assert "\n" not in str(caught.value)


def test_run_folders_that_lack_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "a", 3)
    (folder / "scores_source_dev.parquet").unlink()
    main([str(folder)])
    text = flat(capsys.readouterr().out)
    assert "source-dev cannot be told, its scores are not in the folder" in text
    assert "Threshold source-dev" not in text
    (folder / "metrics.json").unlink()
    main([str(folder)])
    assert "no metrics.json, so protocol, seed and checkpoint selection are unknown" in flat(capsys.readouterr().out)


def test_nothing_imports_torch(tmp_path: Path) -> None:
    path = listed(tmp_path / "a.csv", scores(0))
    code = "import sys; from padkit.cli import run; run(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "evaluate", str(path)], capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0
    assert b"AUC" in done.stdout


def test_the_polarity_of_a_file_is_stated_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, turned = tmp_path / "right.csv", tmp_path / "turned.csv"
    rows = [(number % 2, round(0.3 + 0.4 * (number % 2) + 0.02 * (number % 7), 3)) for number in range(40)]
    right.write_text("label,score\n" + "".join(f"{label},{score}\n" for label, score in rows))
    turned.write_text("label,score\n" + "".join(f"{1 - label},{score}\n" for label, score in rows))
    line = ["--policy", "fixed:0.4", "--bootstrap", "0"]

    def values(path: Path, *words: str) -> object:
        main([str(path), *line, "--json", str(tmp_path / "out.json"), *words])
        return json.loads((tmp_path / "out.json").read_text())["methods"][0]["runs"][0]["results"]

    wanted = values(right)
    assert "if 1 means attack, add --bona-fide 0." in flat(capsys.readouterr().out)
    assert values(turned) != wanted
    text = flat(capsys.readouterr().out)
    assert "AUC below 50 %: either the scores are P(attack) (add --attack-scores), or label 1 means an attack" in text
    assert values(turned, "--attack-scores") != wanted
    assert values(turned, "--bona-fide", "0") == wanted
    assert "as --bona-fide 0 states." in flat(capsys.readouterr().out)
    with pytest.raises(SettingsError, match="this word means an attack"):
        main([str(right), "--bona-fide", "spoof"])


def test_runs_that_measured_their_stability_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [run(tmp_path / name, seed) for name, seed in (("a", 3), ("b", 4))]
    for share, folder in zip((0.0125, 0.25), folders, strict=True):
        held = {
            "faces": 40, "boxes_changed_in": "stored crops", "policy": "source-dev", "threshold": 0.5,
            "flipped_verdicts": share, "faces_with_a_flip": 2 * share, "by_change": {"box 10 % smaller": share},
            "by_face_side": [{"side": 24, "bona_fide": 9, "attack": 8, "apcer_pooled": 0.125, "bpcer": 1 / 3}],
        }  # fmt: skip
        parts = {"parts": {"train": {}, "test": {}}}
        facts = {"dataset": "m", "key": "k", "image_size": 16}
        content = {"division": parts, "preparation": facts, "tables": [], "stability": held}
        (folder / "data.json").write_text(json.dumps(content))
    main([str(folders[0]), "--bootstrap", "0"])
    printed = flat(capsys.readouterr().out.replace("│", " "))
    assert "1.25 % of all these verdicts flip; 2.50 % of 40 faces flip at least once." in printed
    assert "24 pixels 9 8 12.50 33.33" in printed
    main([*map(str, folders), "--bootstrap", "0"])
    printed = flat(capsys.readouterr().out.replace("│", " "))
    assert "Stability: flips if the box changes, in %" in printed
    assert "25.00 50.00" in printed
    assert "24 pixels" not in printed
