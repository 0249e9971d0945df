"""What real files and real users do, as they were reported: nothing silently wrong, and every mistake one line.

Each test is one numbered case. The commands run in this process; one run of two tiny steps serves all that needs a run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from clips import mark_matrix, write_clip
from PIL import Image
from safetensors.torch import load_file
from toy_run import recipe

from padkit import cli
from padkit.catalog import Catalog
from padkit.data.table.frames import open_table
from padkit.errors import WeightsError, run_as_command
from padkit.evaluation.scores import read_scores

Said = tuple[int, str]
Padkit = Callable[..., Said]
LAYOUT = "{domain}/{label}/{subject}_*"
WORDS = ["--data.layout", LAYOUT, "--data.image_size", "32", "--teachers", "none", "--aligner", "none"]
WORDS += ["--student.model", "resnet10t", "--batch-size", "8", "--threads", "1", "--tracker", "none"]
RANDOM = np.random.default_rng(0)


def picture(path: Path, style: str | None = None, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 255, (32, 32, 3), dtype=np.uint8)).convert(mode).save(path, style)
    return path


def tree(root: Path, *folders: str, count: int = 2) -> Path:
    for folder in folders:
        for number in range(count):
            picture(root / folder / f"{number}.png")
    return root


@pytest.fixture
def padkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Padkit:
    """Run `padkit` in an empty folder; return its status and what it printed. An error is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "220")

    def run(*words: object) -> Said:
        status = run_as_command(lambda: cli.run([str(word) for word in words]))
        out, err = capsys.readouterr()
        if status:
            assert [line for line in err.splitlines() if line.startswith("error: ")] == err.splitlines()[-1:]
        return status, out + err

    return run


@pytest.fixture
def data(padkit: Padkit) -> Padkit:
    """`padkit data folder --root ROOT`."""
    return lambda root, *words: padkit("data", "folder", "--root", root, "--image-size", 32, *words)


@pytest.fixture
def listed(padkit: Padkit) -> Padkit:
    """`padkit data manifest` on a list of this text."""

    def run(text: str, *words: object) -> Said:
        Path("list.csv").write_text(text, encoding="utf-8")
        return padkit("data", "manifest", "--file", "list.csv", "--image-size", 32, *words)

    return run


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run, what it printed, and how to go on.

    Attributes:
        path: Its folder.
        said: What it printed.
        dtda: Runs the recipe in the folder above the data; returns the status and what was printed.
    """

    path: Path
    said: str
    dtda: Callable[..., Said]


class Stop(Exception):  # noqa: N818 -- no error
    """Ends a run where no more of it is wanted."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A run on the same people in every domain, begun with what is left of `accelerate config` for DeepSpeed."""
    place = tmp_path_factory.mktemp("cases")
    for domain in "abc":
        for label in ("live", "spoof"):
            for person in range(6):
                picture(place / "faces" / domain / label / f"{'q' if domain == 'c' else 'p'}{person}_0.png")
    patch, said = pytest.MonkeyPatch(), place / "said"
    patch.chdir(place)
    patch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with recipe() as main:

        def dtda(*words: object) -> Said:
            with said.open("w", encoding="utf-8") as file, pytest.MonkeyPatch.context() as streams:
                streams.setattr(sys, "stdout", file)
                streams.setattr(sys, "stderr", file)
                status = run_as_command(lambda: main([str(word) for word in words]))
            return status, said.read_text(encoding="utf-8")

        patch.setattr(sys.modules["recipe_dtda"], "present", lambda path: None)
        first = ["--data", "folder", "--data.root", "faces", "--target", "c", *WORDS]
        status, text = dtda(*first, "--max-steps", 2, "--checkpoint-every", 1, "--fresh-probe", 0, "--out", "r1")
        assert status == 0, text
        yield Trained(place / "r1", text, dtda)
    patch.undo()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target", "b"], "target 'c' there, 'b' asked for; drop --target"),
        (["--lr", "0.5"], "lr "),
        (["--batch-size", "16"], "batch_size 8 there, 16 asked for"),
        (["--seed", "7"], "seed 0 there, 7 asked for"),
        (["--optimizer", "sgd"], "optimizer 'adamw' there, 'sgd' asked for"),
        (["--student.drop_rate", "0.3"], "student.drop_rate 0.0 there, 0.3 asked for"),
        (["--data.root", "other"], "data.root "),
        (["--augmentation", "none"], "augmentation 'light' there, 'none' asked for"),
        (["--max-steps", "1"], "2 steps are done"),
    ],
)
def test_1_a_run_is_continued_as_it_was_begun(trained: Trained, words: list[str], told: str) -> None:
    status, said = trained.dtda("--resume", "r1", *words)
    assert status == 2
    assert said.splitlines()[-1].startswith("error: --resume r1: ")
    assert told in said


@pytest.mark.parametrize(("before", "after"), [("lr: 0.001", "lr: 0.5"), ("target: c", "target: b"), ("", None)])
def test_1_nor_with_edited_settings(trained: Trained, before: str, after: str | None) -> None:
    settings = trained.path / "settings.yaml"
    text = settings.read_text()
    assert before in text
    settings.write_text("" if after is None else text.replace(before, after))
    try:
        status, said = trained.dtda("--resume", "r1")
    finally:
        settings.write_text(text)
    assert (status, "error: --resume r1: settings.yaml is " in said) == (2, True)


def test_1_nor_on_other_data(trained: Trained) -> None:
    added = picture(trained.path.parent / "faces/a/live/p9_0.png")
    try:
        status, said = trained.dtda("--resume", "r1", "--max-steps", 3)
    finally:
        added.unlink()
    assert (status, "data: records 36 there, 37 asked for; restore them" in said) == (2, True)


@pytest.mark.parametrize("domains", [("0", "1"), ("real", "hall"), ("spoof", "hall"), ("Genuine", "Fake")])
def test_2_a_domain_called_like_a_label_turns_nothing_round(data: Padkit, tmp_path: Path, domains: tuple[str]) -> None:
    root = tree(tmp_path / "f", *(f"{domain}/{label}" for domain in domains for label in ("live", "spoof")))
    status, said = data(root)
    if status:
        assert "may both name the label; state the layout, for example --data.layout '{domain}/{label}/*'" in said
        status, said = data(root, "--data.layout", "{domain}/{label}/*")
    assert "'live' = bona fide (4), 'spoof' = attack (4)" in said


POLAR = {
    "label,score": ("1", "0", ["--bona-fide", "1"]),
    "gt,prob": ("0", "1", ["--bona-fide", "0"]),
    "is_spoof,live_score": ("0", "1", []),
    "is_attack,score": ("False", "True", []),
    "y_true,score": ("client", "imposter", ["--bona-fide", "client"]),
    "Label,Score": ("bona-fide", "-1", ["--bona-fide", "bona-fide,1"]),
}


@pytest.mark.parametrize("head", POLAR)
def test_3_what_a_label_value_means_is_stated_and_said(padkit: Padkit, tmp_path: Path, head: str) -> None:
    live, attack, stated = POLAR[head]
    rows = [f"{live},{0.4 + 0.05 * n}" for n in range(10)] + [f"{attack},{0.1 + 0.05 * n}" for n in range(9)]
    (tmp_path / "s.csv").write_text("\n".join([head, *rows, ""]))
    words = ["--policy", "fixed:0.5", "--bootstrap", 0, "--json", "s.json"]
    status, said = padkit("evaluate", "s.csv", *words, *stated)
    assert status == 0
    assert f"'{live}' = bona fide (10), '{attack}' = attack (9)" in said.replace("\n", " ")
    assert "warning" not in said
    text = json.dumps(json.loads((tmp_path / "s.json").read_text()))
    assert '"bpcer": 0.2' in text
    turned = [line for line in said.splitlines() if "BPCER  " in line or "APCER, pooled" in line]
    assert ["20.00" in line for line in turned if "BPCER" in line] == [True]
    status, said = padkit("evaluate", "s.csv", *words[:4], *stated, "--attack-scores")
    assert "AUC below 50 %" in said


def test_4_what_is_passed_over_is_counted(data: Padkit, tmp_path: Path) -> None:
    suffixes = {".jfif": "JPEG", ".jpe": "JPEG", ".jp2": "JPEG2000", ".tga": "TGA", ".mpo": "JPEG", "": "PNG"}
    for label in ("live", "spoof"):
        for suffix, style in suffixes.items():
            picture(tmp_path / "f" / label / f"x{suffix}", style)
        for name in ("a.txt", "b.docx", "c.npy", "README", ".hidden.png", "d.png.bak"):
            (tmp_path / "f" / label / name).write_bytes(b"no picture")
    picture(tmp_path / "f/live/@eaDir/x.jpg")
    status, said = data(tmp_path / "f")
    assert status == 0
    assert "12 presentations, 12 frames" in said
    assert "Skipped unread: 13 files, folders or rows" in said
    for reason in ("with suffix .txt", "with suffix .npy", "hidden", "without a suffix", "those of the system"):
        assert reason in said
    assert "Skipped: nothing." not in said


@pytest.mark.parametrize(
    ("folders", "layout"),
    [
        (("live/anna", "live/ben", "spoof/anna", "spoof/ben"), "{label}/{subject}/*"),
        (("a/live/s1", "a/live/s2", "a/spoof/s3", "a/spoof/s4"), "{domain}/{label}/{subject}/*"),
        (("train/real/007", "test/fake/7"), ""),
    ],
)
def test_5_persons_are_no_attack_types(data: Padkit, tmp_path: Path, folders: tuple[str], layout: str) -> None:
    root = tree(tmp_path / "f", *folders)
    _, said = data(root)
    assert ("warning: " in said) == bool(layout)
    if layout:
        assert f"State the layout, for example --data.layout '{layout}'" in said
        _, said = data(root, "--layout", layout)
        assert "0 subjects" not in said
        assert "warning: " not in said


def test_6_one_person_is_on_one_side_whatever_the_domain(trained: Trained) -> None:
    """The run of these tests has the same people in two sources, of which some were held out."""
    assert "in more than one part" not in trained.said
    held = subjects_of(trained.path / "scores_source_dev.parquet")
    assert 0 < len(held) < 6
    assert json.loads((trained.path / "metrics.json").read_text())


def test_7_mirrored_videos_are_shown_as_they_were_seen(data: Padkit, tmp_path: Path) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:32, :32], frame[:32, 32:], frame[32:, :32] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    for label in ("live", "spoof"):
        (tmp_path / "f" / label).mkdir(parents=True)
        write_clip(tmp_path / "f" / label / "a.mp4", [frame] * 3)
        mark_matrix(tmp_path / "f" / label / "a.mp4", -1, 0, 0, 1)
    _, said = data(tmp_path / "f", "--no-duplicates")
    image = table_of(said).image(0)
    assert [int(image[:, y, x].argmax()) for y, x in ((4, 4), (4, 27), (27, 27))] == [1, 0, 2]


def subjects_of(scores: Path) -> set[str]:
    return {*read_scores(scores).subject.tolist()}


def table_of(said: str) -> Any:
    """Return the table whose folder `padkit data` printed."""
    return open_table(Path(next(line for line in said.splitlines() if line.startswith("in "))[3:]))


def test_8_a_picture_counts_once(data: Padkit, listed: Padkit, tmp_path: Path) -> None:
    root = tree(tmp_path / "f", "live", "spoof")
    (root / "live/again").symlink_to("..")
    (root / "live/link.png").symlink_to("0.png")
    os.link(root / "spoof/0.png", root / "spoof/hard.png")
    _, said = data(root)
    assert "4 presentations, 4 frames" in said
    assert "the same file as another (a link)" in said
    rows = "".join(f"{name},{label}\n" for label in ("live", "spoof") for name in (f"f/{label}/0.png",) * 2)
    _, said = listed(f"path,label\n{rows}./f/live/0.png,live\n")
    assert "2 presentations, 2 frames" in said
    assert "3 listed again" in said
    status, said = listed(f"path,label\n{rows}f/live/0.png,spoof\n")
    assert (status, "listed as bona fide and as attack; leave out the wrong one" in said) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        "--max-steps 0", "--max-steps -1", "--epochs 0", "--epochs -3", "--warmup 2", "--warmup -0.1", "--ema 2",
        "--ema 1",
        "--lr -1", "--lr 0", "--lr nan", "--lr inf", "--seed -1", "--workers -1", "--threads 0", "--batch-size 0",
        "--checkpoint_every 0", "--weight_decay -1", "--judge_every -1", "--accumulate 0", "--fresh-probe -5",
        "--data.image_size 0", "--data.image_size -64", "--student.drop_rate 2", "--head-lr-scale -1", "--epochs 1.5",
    ],
)  # fmt: skip
def test_9_numbers_out_of_range_are_refused(trained: Trained, words: str) -> None:
    first = ["--data", "folder", "--data.root", "faces", "--target", "c", *WORDS]
    status, said = trained.dtda(*first, *words.split(), "--out", "never")
    assert (status, len(said.splitlines())) == (2, 1)
    name, _ = words.removeprefix("--").replace("-", "_", words.count("-") - 2 - words.count(" -")).split()
    assert name.replace("-", "_") in said.replace("-", "_")
    assert not (trained.path.parent / "never").exists()


@pytest.mark.parametrize("name", ["msu.parquet", "all.parquet", "data-00000.parquet"])
def test_10_a_parquet_file_named_by_no_split(padkit: Padkit, tmp_path: Path, name: str) -> None:
    from datasets import Dataset

    images = [{"bytes": picture(tmp_path / f"{n}.png").read_bytes(), "path": None} for n in range(4)]
    (tmp_path / "q").mkdir()
    Dataset.from_dict({"image": images, "label": [1, 1, 0, 0]}).to_parquet(tmp_path / "q" / name)
    status, said = padkit("data", "huggingface", "--path", "q", "--image-size", 32)
    assert status == 0, said
    assert "'1' = bona fide (2), '0' = attack (2)" in said


WRAPPED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "plain": lambda state: state,
    "module.": lambda state: {f"module.{name}": value for name, value in state.items()},
    "model": lambda state: {"model": state, "epoch": 3},
    "net": lambda state: {"net": state},
    "state_dict_backbone": lambda state: {"state_dict_backbone": state},
    "_orig_mod.": lambda state: {"model_state_dict": {f"_orig_mod.{name}": value for name, value in state.items()}},
    "backbone.": lambda state: {"state_dict": {f"module.backbone.{name}": value for name, value in state.items()}},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_11_weights_are_unwrapped_before_they_are_judged(tmp_path: Path, form: str) -> None:
    import timm

    state = timm.create_model("resnet10t").state_dict()
    torch.save(WRAPPED[form](state), tmp_path / "w.pth")
    student = Catalog().build("student", "timm", {"model": "resnet10t", "weights": str(tmp_path / "w.pth")})
    (loaded,) = [value for name, value in student.state_dict().items() if name.endswith("layer1.0.conv1.weight")]
    assert torch.equal(loaded, state["layer1.0.conv1.weight"])


@pytest.mark.parametrize("place", ["", "model", "model/model.safetensors", "checkpoints/selected.safetensors"])
def test_11_a_run_starts_from_a_run(trained: Trained, place: str) -> None:
    student = Catalog().build("student", "timm", {"model": "resnet10t", "weights": str(trained.path / place)})
    shipped = load_file(trained.path / "model" / "model.safetensors")
    for name, value in student.state_dict().items():
        assert torch.equal(shipped[f"student.{name}"], value)
    with pytest.raises(WeightsError, match=r"resnet18|do not fit"):
        Catalog().build("student", "timm", {"model": "resnet18", "weights": str(trained.path / place)})


def test_12_odd_names_and_odd_pixels(data: Padkit, tmp_path: Path) -> None:
    for label in ("live", "spoof"):
        folder = tmp_path / "f" / label
        shutil.copy(picture(folder / "0.png"), os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
        shutil.copy(picture(folder / "1.png"), folder / "[red]a\n%s.png")
        grey = RANDOM.random((32, 32))
        for depth in (10, 12, 16):
            Image.fromarray((grey * (2**depth - 1)).astype(np.uint16)).save(folder / f"{depth}.png")
        grey[3, 3] = np.nan
        Image.fromarray(grey.astype(np.float32)).save(folder / "nan.tif")
    status, said = data(tmp_path / "f")
    assert status == 0
    assert "caf\\xe9.png" in said
    assert "Skipped: nothing." in said
    table = table_of(said)
    assert len(table) == 16
    assert min(table.image(row).mean() for row in range(16)) > 100


def test_13_a_damaged_checkpoint_is_passed_over(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Stop

    monkeypatch.setattr(sys.modules["recipe_dtda"], "fit_teachers", stop)
    shutil.copytree(trained.path, trained.path.with_name("r2"))
    newest = sorted(trained.path.with_name("r2").glob("checkpoints/step-*"))
    assert len(newest) == 2
    (newest[1] / "optimizer.bin").write_bytes(b"")
    with pytest.raises(Stop):
        trained.dtda("--resume", "r2")
    said = (trained.path.with_name("said")).read_text(encoding="utf-8")
    assert "warning: damaged, and passed over" in said
    assert "step-0000002 (optimizer.bin is empty); going on from" in said
    (newest[0] / "model.safetensors").write_bytes(b"cut")
    status, said = trained.dtda("--resume", "r2")
    assert (status, "no checkpoint is whole" in said) == (2, True)


@pytest.mark.parametrize(("model", "told"), [("levit_128", "224"), ("beit_tiny", "Did you")])
def test_14_a_student_that_does_not_take_the_size_leaves_nothing(trained: Trained, model: str, told: str) -> None:
    first = ["--data", "folder", "--data.root", "faces", "--target", "c", *WORDS]
    first[first.index("resnet10t")] = model
    for _ in range(2):
        status, said = trained.dtda(*first, "--data.image_size", 48, "--max-steps", 1, "--out", "z")
        assert (status, said.splitlines()[-1][:7]) == (2, "error: ")
        assert told in said


def test_15_a_configuration_for_deepspeed_is_passed_over(trained: Trained) -> None:
    assert "note: Accelerate is configured for DeepSpeed, which padkit does not use" in trained.said


TOY = """
import sys
from padkit.errors import DataError, run_as_command
def main():
    raise DataError("the line")
sys.exit(run_as_command(main))
"""


def test_16_the_launcher_adds_nothing_to_the_line(padkit: Padkit, tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    assert padkit("train", "--cpu", "toy.py") == (2, "error: the line\n")


@pytest.mark.parametrize(
    ("words", "told", "never"),
    [
        (["bogus"], "unknown command 'bogus'", "Did you"),
        (["evalute"], "Did you mean 'evaluate'", "bogus"),
        (["evaluate", "minus.csv"], "unknown label '-1'", "Did you"),
        (["evaluate", "negative.csv"], "unknown label 'negative'", "Did you"),
        (["evaluate", "client.csv"], "unknown label 'client'", "Did you"),
        (["evaluate", "above.csv"], "is 1.0000001, outside [0, 1]", "Did you"),
        (["data", "folder", "--root", "deep"], "lies 4 levels deep", "Did you"),
    ],
)
def test_17_a_guess_is_near_or_not_made(
    padkit: Padkit, tmp_path: Path, words: list[str], told: str, never: str
) -> None:
    for name, row in (
        ("minus", "-1,0.2"),
        ("negative", "negative,0.2"),
        ("client", "client,0.2"),
        ("above", "1,1.0000001"),
    ):
        (tmp_path / f"{name}.csv").write_text(f"label,score\n{row}\n")
    tree(tmp_path / "deep", "a/b/c/live", "a/b/c/spoof")
    status, said = padkit(*words)
    assert status == 2
    assert told in said
    assert never not in said


FILES = [f"f/{label}/{number}.png" for label in ("live", "spoof") for number in range(2)]


@pytest.mark.parametrize(
    ("head", "values", "told"),
    [
        ("Image Path;Ground Truth;Person ID", ("bona-fide;anna", "ATTACK;ben"), "32 x 32, 2 subjects"),
        ("file,y_true,client", ("True,nan", "False,None"), "0 subjects"),
        ("path,is_live", ("1.0", "0.0"), "'1.0' = bona fide (2), '0.0' = attack (2)"),
        ("path,is_spoof", ("0", "1"), "'0' = bona fide (2), '1' = attack (2)"),
        ("path,label,subject", ("live,Anna", "spoof,anna"), "warning: subjects 'Anna' and 'anna' count as different"),
        ("path,is_live,is_spoof", ("1,1", "0,0"), "labels are read from column 'is_live', not from 'is_spoof'"),
        ("f/live/0.png,live", ("live", "spoof"), "has no header: its first line"),
        ("path,label,Label", ("live,spoof", "spoof,live"), "column 'label' twice"),
    ],
)  # fmt: skip
def test_18_lists(listed: Padkit, tmp_path: Path, head: str, values: tuple[str, str], told: str) -> None:
    tree(tmp_path / "f", "live", "spoof")
    between = ";" if ";" in head else ","
    rows = [f"{file}{between}{values['spoof' in file]}" for file in FILES]
    _, said = listed("\n".join([head, *rows, ""]))
    assert told in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--target", "d"], "'d'"),
        (["--sources", "a,hal"], "'hal'"),
        (["--tracker", "comet_ml"], "tracker comet_ml"),
        (["--out", "faces/a/live/p0_0.png"], "p0_0.png"),
        (["--out", "r1"], "r1 already holds a run; continue it with --resume r1"),
    ],
)
def test_18_what_is_known_at_once_is_said_at_once(
    trained: Trained, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path))
    first = ["--data", "folder", "--data.root", "faces", "--target", "c", *WORDS]
    status, said = trained.dtda(*first, *words)
    assert (status, told in said.replace("'comet_ml'", "comet_ml")) == (2, True)
    assert not any(tmp_path.rglob("*.arrow"))


def test_18_a_relative_root_is_found_from_elsewhere(trained: Trained) -> None:
    settings = yaml.safe_load((trained.path / "settings.yaml").read_text())
    assert Path(settings["data"]["root"]) == trained.path.parent / "faces"
