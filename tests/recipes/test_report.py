"""`padkit report`: a finished run's page made again from its folder alone, wherever that lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy_run import FAST, recipe, write_toy

from padkit.cli import run
from padkit.errors import DataError
from padkit.runs.finished import read_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step on toys, with its cache beside it."""
    folder = tmp_path_factory.mktemp("report")
    toy, out = write_toy(folder / "toy"), folder / "run"
    options = ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32", "--target", "c"]
    with recipe() as dtda:
        dtda(
            [
                *options,
                "--aligner",
                "none",
                "--max-steps",
                "1",
                *FAST,
                "--thumbnails",
                "true",
                "--out",
                str(out),
            ]
        )
    return out


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is drawn, which takes longer than all else: for tests of what a page says."""
    monkeypatch.setattr("padkit.report.page.page._both", lambda _draw: {"light": b"", "dark": b""})


def page(folder: Path) -> str:
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_a_copied_run_gives_the_page_that_training_ended_with(finished: Path, tmp_path: Path, capsys) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(finished, copied, ignore=shutil.ignore_patterns("report", "step-*"))
    assert run(["report", str(copied)]) == 0
    assert capsys.readouterr().out.strip() == str(copied / "report" / "index.html")
    again, first = (
        text.replace(str(copied), "RUN").replace(str(finished), "RUN") for text in map(page, (copied, finished))
    )
    assert again == first
    assert page(copied).count("data:image/jpeg") > 0, "its mistakes have faces"
    pictures = sorted(path.name for path in (copied / "report").iterdir())
    assert pictures == sorted(path.name for path in (finished / "report").iterdir())


def test_a_run_whose_data_are_gone_has_a_page_without_faces_that_says_so(finished, tmp_path, undrawn, capsys) -> None:
    copied = tmp_path / "alone"
    shutil.copytree(finished, copied)
    said = (copied / "data.json").read_text(encoding="utf-8")
    table = Path(read_run(copied).data["tables"][0])
    (copied / "data.json").write_text(said.replace(str(table), str(tmp_path / "gone")), encoding="utf-8")
    assert run(["report", str(copied)]) == 0
    assert "prepared frames are not there any more" in capsys.readouterr().err
    assert "data:image/jpeg" not in page(copied)
    assert f"Without faces: the prepared frames are not there any more ({tmp_path / 'gone'})" in page(copied)
    assert "frames of" in page(copied), "what it was trained on is still told"


def test_frames_made_anew_are_not_shown_as_those_of_the_run(finished: Path, tmp_path: Path, undrawn: None) -> None:
    copied = tmp_path / "anew"
    shutil.copytree(finished, copied)
    key = read_run(copied).data["preparation"]["key"]
    said = (copied / "data.json").read_text(encoding="utf-8")
    (copied / "data.json").write_text(said.replace(key, "0" * len(key)), encoding="utf-8")
    assert run(["report", str(copied)]) == 0
    assert "made anew since this run" in page(copied)
    assert "data:image/jpeg" not in page(copied)


def test_faces_are_left_out_on_request(finished: Path, tmp_path: Path, undrawn: None) -> None:
    copied = tmp_path / "asked"
    shutil.copytree(finished, copied)
    assert run(["report", "--no-faces", str(copied)]) == 0
    assert "data:image/jpeg" not in page(copied)


def test_a_run_of_an_earlier_version_has_a_page_too(finished: Path, tmp_path: Path, undrawn: None) -> None:
    """It has no data.json: its bundle tells the parts, and nothing where its frames are."""
    copied = tmp_path / "earlier"
    shutil.copytree(finished, copied)
    (copied / "data.json").unlink()
    assert run(["report", str(copied)]) == 0
    assert "does not say where its frames are" in page(copied)
    assert "frames of" in page(copied), "what it was trained on is still told"


@pytest.mark.parametrize(
    ("lost", "told"),
    [("metrics.json", "an unfinished run"), ("scores.parquet", "cannot be read"), ("settings.yaml", "cannot be read")],
)
def test_what_is_lost_is_named(finished: Path, tmp_path: Path, lost: str, told: str) -> None:
    copied = tmp_path / "broken"
    shutil.copytree(finished, copied)
    (copied / lost).unlink()
    with pytest.raises(DataError, match=told):
        run(["report", str(copied)])


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        run(["report", str(tmp_path)])


def test_a_damaged_data_file_is_one_line(finished: Path, tmp_path: Path) -> None:
    copied = tmp_path / "damaged"
    shutil.copytree(finished, copied)
    (copied / "data.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.json: cannot be read"):
        run(["report", str(copied)])


@pytest.mark.parametrize(
    "content", ['{"tables": 3}', "[1]", '{"tables": [], "division": {"parts": {}}, "preparation": {}}']
)
def test_a_data_file_of_another_shape_is_one_line(finished: Path, tmp_path: Path, content: str) -> None:
    copied = tmp_path / "odd"
    shutil.copytree(finished, copied)
    (copied / "data.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.json"):
        run(["report", str(copied)])
