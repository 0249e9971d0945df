"""`padkit figures` on finished toy runs: what is drawn is what the runs hold, twice the same, and honest where not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from toy_run import read_log, recipe

from padkit.catalog import Catalog
from padkit.commands.figures import main
from padkit.errors import PadkitError
from padkit.evaluation.probe import domain_probe
from padkit.evaluation.scores import read_scores
from padkit.inspection import from_models as inside
from padkit.inspection.gradcam import attention
from padkit.inspection.kinds import KINDS
from padkit.inspection.perturbation import perturb
from padkit.inspection.request import FigureRequest
from padkit.runs.finished import read_runs
from padkit.runs.folder import read_step
from padkit.runs.opened import Opener
from padkit.weights import read_weights

PER_RUN = {"scores", "training", "perturbation"}


@pytest.fixture(scope="module")
def runs(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain run and one with the attack, on the same data."""
    folder = tmp_path_factory.mktemp("runs")
    with recipe() as run:
        student = ["--student.model", "resnet18", "--thumbnails", "true"]  # with faces unless told otherwise
        for name, options in (("plain", ["--aligner", "none"]), ("daa", ["--thumbnails", "false"])):
            run([*arguments, *student, *options, "--epochs", "2", "--judge-every", "0", "--out", str(folder / name)])
    return folder


@pytest.fixture(scope="module")
def order(runs: Path) -> Iterator[FigureRequest]:
    torch.set_num_threads(1)
    return FigureRequest(runs=read_runs([str(runs / "plain"), str(runs / "daa")]), points=40, faces=2, seed=3)


def only(figures: Iterator[tuple[str, Figure]]) -> Figure:
    ((_, figure),) = list(figures)
    return figure


def test_the_report_shows_the_faces_of_all_mistakes_unless_told_otherwise(runs: Path) -> None:
    plain, daa = ((runs / name / "report" / "index.html").read_text() for name in ("plain", "daa"))
    run = read_runs([str(runs / "plain")])[0]
    wrong = (run.target.score >= run.results.results[0].threshold) != (run.target.label == 1)
    assert 0 < int(wrong.sum()) <= 12
    assert plain.count("data:image/jpeg") == int(wrong.sum())
    assert "data:image/jpeg" not in daa


def test_every_kind_is_drawn_and_twice_the_same(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [str(runs / "plain"), f"DAA={runs / 'daa'}", "--points", "40", "--faces", "2"]
    again = ["roc.png", "tsne.png", "gradcam.png", "perturbation-DAA.png"]
    assert main([*line, "--out", str(tmp_path / "one")]) == 0
    names = {f"{kind}.png" for kind in set(KINDS) - PER_RUN} | {"perturbation-DAA.png"}
    names |= {f"{kind}-{run}.png" for kind in ("scores", "training") for run in ("plain", "DAA")}
    assert {path.name for path in (tmp_path / "one").iterdir()} == names
    assert {Path(text).name for text in capsys.readouterr().out.split()} == names
    assert main([*line, "--only", "roc,tsne,gradcam,perturbation", "--out", str(tmp_path / "two")]) == 0
    assert {path.name for path in (tmp_path / "two").iterdir()} == set(again)
    for name in again:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_the_plane_holds_each_frame_once_in_both_colourings_and_the_probe_is_the_runs_own(order: FigureRequest) -> None:
    figure = only(inside.tsne(order))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "plain: by class", "plain: by domain", "daa: by class", "daa: by domain",
    ]  # fmt: skip
    for left, right in (figure.axes[:2], figure.axes[2:]):
        points = [np.concatenate([each.get_offsets() for each in axes.collections]) for axes in (left, right)]
        assert points[0].shape == (36, 2)  # 12 frames of each of the domains: fewer than asked for
        assert np.array_equal(np.sort(points[0], axis=0), np.sort(points[1], axis=0))
        assert len(np.unique(points[0], axis=0)) == 36
        counts = {each.get_label(): len(each.get_offsets()) for each in left.collections}
        assert counts == {"attack, source": 12, "attack, test": 6, "bona fide, source": 12, "bona fide, test": 6}
        assert {each.get_label(): len(each.get_offsets()) for each in right.collections} == {
            "a": 12, "b": 12, "c (test)": 12,
        }  # fmt: skip
    opened = Opener(Catalog()).open(order.chosen()[1])
    embeddings, _ = opened.score(opened.dev)
    groups = opened.table.column("presentation")[opened.dev]
    probe = domain_probe(embeddings, opened.domains(opened.dev), groups, order.seed)
    assert probe is not None
    assert f"{100 * probe:.0f} % (chance 50 %)" in figure.axes[3].get_xlabel()


def test_another_seed_draws_other_frames_and_the_same_for_every_run(order: FigureRequest, runs: Path) -> None:
    def shown(seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        figure = only(inside.gradcam(FigureRequest(runs=order.runs, faces=2, seed=seed)))
        pictures = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:12]]
        return pictures[:4], pictures[4:]

    first, overlays = shown(0)
    again, _ = shown(0)
    other, _ = shown(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert len(overlays) == 8


def test_grad_cam_shows_faces_of_the_target_with_their_scores_and_a_row_per_run(order: FigureRequest) -> None:
    figure = only(inside.gradcam(order))
    grid = np.array(figure.axes[:12], dtype=object).reshape(3, 4)
    assert [axes.get_title() for axes in grid[0]] == ["bona fide", "bona fide", "print", "print"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["image", "plain", "daa"]
    for line, run in zip(grid[1:], order.chosen(), strict=True):
        opened = Opener(Catalog()).open(run)
        images = torch.from_numpy(np.stack([np.asarray(axes.images[0].get_array()) for axes in grid[0]]))
        with torch.no_grad():
            scores = opened.detector(images.permute(0, 3, 1, 2)).tolist()
        threshold = run.results.results[0].threshold
        assert [axes.get_xlabel() for axes in line] == [
            f"{score:.2f} {'accepted' if score >= threshold else 'rejected'}" for score in scores
        ]
        bold = [axes.xaxis.label.get_weight() == "bold" for axes in line]
        assert bold == [(s >= threshold) != live for s, live in zip(scores, [1, 1, 0, 0], strict=True)]
    heat = attention(opened.detector, images.permute(0, 3, 1, 2), np.array([1, 1, 0, 0]))
    assert heat.shape == (4, 32, 32)
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_the_perturbation_is_what_the_kept_weights_make_of_held_out_source_images(
    order: FigureRequest, runs: Path
) -> None:
    figure = only(inside.perturbation(order))
    grid = np.array(figure.axes, dtype=object).reshape(3, 4)
    assert [axes.get_title() for axes in grid[0]] == ["a\nbona fide", "b\nbona fide", "a\nprint", "b\nprint"]
    clean, added, attacked = (np.stack([axes.images[0].get_array() for axes in line]) for line in grid)
    largest = np.abs(attacked - clean).max()
    assert 0 < largest <= 4 / 255 + 1e-6
    assert np.allclose(added, 0.5 + (attacked - clean) * 0.5 / largest, atol=1e-5)
    assert [axes.get_xlabel() for axes in grid[1]] == [
        f"largest {255 * each:.1f}/255" for each in np.abs(attacked - clean).max(axis=(1, 2, 3))
    ]
    step = read_step(runs / "daa" / "checkpoints" / "selected.safetensors")
    assert step in {record["step"] for record in read_log(runs / "daa")}
    title = figure.get_suptitle()
    assert f"its weights of step {step}, when the shipped detector was selected" in title
    record = next(r for r in read_log(runs / "daa") if r["step"] == step and "source_dev/auc" in r)
    assert f"clean images {100 * record['source_dev/domain_accuracy_clean']:.0f} %" in title


def test_the_kept_aligner_is_small_and_the_trained_one_of_the_selected_step(order: FigureRequest, runs: Path) -> None:
    path = runs / "daa" / "checkpoints" / "selected_aligner.safetensors"
    assert path.stat().st_size < 1_000_000
    assert not (runs / "plain" / "checkpoints" / "selected_aligner.safetensors").exists()
    kept = read_weights(path)
    saved = runs / "daa" / "checkpoints" / f"step-{read_step(path):07d}" / "model.safetensors"
    whole = {name.removeprefix("aligner."): value for name, value in read_weights(saved).items()}
    assert kept
    assert all(torch.equal(value, whole[name]) for name, value in kept.items())


def test_the_perturbation_depends_on_its_seed_alone(order: FigureRequest) -> None:
    opener = Opener(Catalog())
    opened = opener.open(order.chosen()[1])
    torch.manual_seed(5)
    one = perturb(opener, opened, opened.dev[:2], 0)
    torch.manual_seed(6)
    two = perturb(opener, opened, opened.dev[:2], 0)
    assert np.array_equal(one.attacked, two.attacked)
    assert not np.array_equal(one.attacked, perturb(opener, opened, opened.dev[:2], 1).attacked)


@pytest.mark.parametrize(
    ("remove", "kind", "message"),
    [
        ("checkpoints/selected_aligner.safetensors", "perturbation", "selected_aligner.safetensors: is missing"),
        ("model", "tsne", r"bundle\.json"),
        ("log.jsonl", "training", r"no run has a log\.jsonl"),
        ("metrics.json", "roc", "an unfinished run"),
        ("settings.yaml", "roc", r"settings\.yaml"),
    ],
)
def test_what_is_gone_is_named(runs: Path, tmp_path: Path, remove: str, kind: str, message: str) -> None:
    run = shutil.copytree(runs / "daa", tmp_path / "run", ignore=shutil.ignore_patterns("step-*", "selected.safe*"))
    (shutil.rmtree if (run / remove).is_dir() else Path.unlink)(run / remove)
    with pytest.raises(PadkitError, match=message) as caught:
        main([str(run), "--only", kind, "--out", str(tmp_path / "out")])
    assert "\n" not in str(caught.value)


def test_without_only_the_rest_is_drawn_and_what_is_not_is_told(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(runs / "plain", tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "model"))
    assert main([str(run), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert {Path(text).stem for text in told.out.split()} == {"roc", "det", "scores-run", "training-run", "alignment"}
    assert [line.partition(":")[0] for line in told.err.splitlines() if line.startswith("no ")] == [
        "no tsne", "no gradcam", "no perturbation",
    ]  # fmt: skip


def test_an_ablation_is_read_by_cell_and_failed_runs_are_passed_over(runs: Path, tmp_path: Path) -> None:
    rows = ["cell,target,seed,status,folder"]
    for cell, name, seed in (("none", "plain", 0), ("DAA + x", "daa", 0), ("DAA + x", "daa", 1)):
        folder = f"{name}/{seed}"
        shutil.copytree(runs / name, tmp_path / folder, ignore=shutil.ignore_patterns("checkpoints"))
        rows.append(f"{cell},c,{seed},finished,{folder}")
    (tmp_path / "results.csv").write_text("\n".join([*rows, "DAA + x,c,2,failed,daa/2"]) + "\n")
    found = read_runs([str(tmp_path)])
    assert [run.label for run in found] == ["none", "DAA + x", "DAA + x"]
    assert [run.path.name for run in FigureRequest(runs=found).chosen()] == ["0", "0"]
    assert main([str(tmp_path), "--only", "roc,scores", "--format", "pdf", "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"roc.pdf", "scores-none.pdf", "scores-DAA-+-x.pdf"}
    named = read_runs([f"mine={tmp_path}"])
    assert [run.label for run in named] == ["mine: none", "mine: DAA + x", "mine: DAA + x"]


def test_runs_on_other_frames_are_refused(runs: Path, order: FigureRequest, tmp_path: Path) -> None:
    other = shutil.copytree(runs / "plain", tmp_path / "other", ignore=shutil.ignore_patterns("step-*"))
    scores = read_scores(other / "scores.parquet")
    settings = (other / "settings.yaml").read_text().replace("image_size: 32", "image_size: 48")
    (other / "settings.yaml").write_text(settings)
    with pytest.raises(PadkitError, match="are on different data"):
        only(inside.tsne(FigureRequest(runs=[*order.runs, *read_runs([str(other)])], points=20)))
    (other / "settings.yaml").write_text(settings.replace("image_size: 48", "image_size: 32"))
    metrics = json.loads((other / "metrics.json").read_text())
    metrics["protocol"]["simulated"] = True
    (other / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(PadkitError, match="simulated and on real data"):
        FigureRequest(runs=[*order.runs, *read_runs([str(other)])])
    assert len(scores) == 12


def test_data_that_changed_since_are_named(runs: Path, tmp_path: Path) -> None:
    from padkit.evaluation.scores import write_scores

    run = shutil.copytree(runs / "plain", tmp_path / "run", ignore=shutil.ignore_patterns("step-*"))
    scores = read_scores(run / "scores.parquet")
    scores.presentation[0] = "gone"
    write_scores(scores, run / "scores.parquet")
    with pytest.raises(PadkitError, match="1 of 12 presentations it was judged on are not in its data, 'gone' say"):
        main([str(run), "--only", "gradcam", "--out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "rok"], "Did you mean 'roc'"),
        (["--points", "0"], "--points: expected int >= 1, got '0'"),
        (["--target", "d"], "--target d: no run is tested on it, only on c"),
        (["--format", "bmp"], "bmp"),
        (["/nowhere"], "/nowhere: holds no run"),
    ],
)
def test_bad_input_is_one_line(runs: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(PadkitError, match=message) as caught:
        main([str(runs / "plain"), *words, "--out", str(tmp_path)])
    assert "\n" not in str(caught.value)
