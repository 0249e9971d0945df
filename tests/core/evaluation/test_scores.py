"""Score tables: averaging, checks, Parquet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from padkit.errors import DataError
from padkit.evaluation.scores import COLUMNS, Scores, presentation_scores, read_scores, texts, write_scores


def frames() -> dict[str, list[object]]:
    return {
        "presentation": ["b", "b", "a", "b", "a"],
        "dataset": ["d1", "d1", "d1", "d2", "d1"],
        "domain": ["x", "x", "x", "y", "x"],
        "label": [1, 1, 0, 0, 0],
        "species": ["", "", "printer1", "", "printer1"],
        "attack_type": ["", "", "print", "replay", "print"],
        "frame": [0, 1, 0, 0, 1],
    }


def test_scores_are_means_over_the_frames_of_a_presentation() -> None:
    scores = presentation_scores(frames(), [0.5, 1.0, 0.25, 0.125, 0.75])
    assert len(scores) == 3
    assert scores.presentation.tolist() == ["b", "a", "b"]  # one identifier in two datasets is two presentations
    assert scores.dataset.tolist() == ["d1", "d1", "d2"]
    assert scores.score.tolist() == [0.75, 0.5, 0.125]
    assert scores.frames.tolist() == [2, 2, 1]
    assert scores.label.tolist() == [1, 0, 0]
    assert scores.subject.tolist() == ["", "", ""]


def test_order_of_frames_does_not_change_the_means() -> None:
    order = [4, 3, 2, 1, 0]
    shuffled = {name: [values[i] for i in order] for name, values in frames().items()}
    values = [0.5, 1.0, 0.25, 0.125, 0.75]
    one = presentation_scores(frames(), values)
    two = presentation_scores(shuffled, [values[i] for i in order])
    found = [dict(zip(zip(s.dataset, s.presentation, strict=True), s.score, strict=True)) for s in (one, two)]
    assert found[0] == found[1]


def test_species_falls_back_to_the_attack_type() -> None:
    scores = presentation_scores(frames(), np.full(5, 0.5))
    assert scores.pai_species.tolist() == ["", "printer1", "replay"]
    unnamed = presentation_scores({"presentation": ["p"], "label": [0]}, [0.5])
    assert unnamed.pai_species.tolist() == ["attack"]


def test_select_takes_masks_and_row_numbers() -> None:
    scores = presentation_scores(frames(), np.full(5, 0.5))
    assert scores.select(scores.domain == "x").presentation.tolist() == ["b", "a"]
    assert scores.select([2]).dataset.tolist() == ["d2"]
    with pytest.raises(DataError, match="empty"):
        scores.select(scores.domain == "nowhere")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"score": [0.5, float("nan"), 0.5]}, "'a' is NaN"),
        ({"score": [0.5, 0.5, 1.5]}, r"1\.5, outside \[0, 1\]"),
        ({"score": [-0.1, 0.5, 0.5]}, "outside"),
        ({"score": [0.5, 0.5]}, "differ in length"),
        ({"label": [1, 0, 2]}, "2 is neither 1"),
        ({"label": [1, 0, 0.5]}, "whole number"),
        ({"label": ["live", "spoof", "spoof"]}, "not a number"),
        ({"frames": [1, 0, 1]}, "'a' has no frame"),
        ({"score": [[0.5], [0.5], [0.5]]}, "one value per row"),
        ({name: [] for name in COLUMNS}, "empty"),
    ],
)
def test_bad_columns_are_refused_in_one_line(change: dict[str, object], match: str) -> None:
    good = presentation_scores(frames(), np.full(5, 0.5))
    with pytest.raises(DataError, match=match) as caught:
        Scores(**{name: getattr(good, name) for name in COLUMNS} | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "scores", "match"),
    [
        ({}, [0.5] * 4, "but 4 scores"),
        ({}, [0.5, 0.5, float("nan"), 0.5, 0.5], "'a' is NaN"),
        ({"label": [1, 0, 0, 0, 0]}, [0.5] * 5, "'b' has frames of both labels"),
        ({name: [] for name in frames()}, [], "no frame to score"),
    ],
)
def test_bad_frame_tables_are_refused(change: dict[str, list[object]], scores: list[float], match: str) -> None:
    with pytest.raises(DataError, match=match):
        presentation_scores(frames() | change, scores)
    with pytest.raises(DataError, match="'label' is missing"):
        presentation_scores({"presentation": ["a"]}, [0.5])


def test_parquet_round_trip_is_exact_and_leaves_no_other_file(tmp_path) -> None:
    scores = presentation_scores(frames(), np.random.default_rng(0).random(5))
    path = tmp_path / "run" / "scores.parquet"
    for _ in range(2):  # the second write replaces the first
        write_scores(scores, path)
    read = read_scores(path)
    for name in COLUMNS:
        assert getattr(read, name).tolist() == getattr(scores, name).tolist()
        assert getattr(read, name).dtype.kind == getattr(scores, name).dtype.kind
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.parquet"]
    assert pq.read_table(path).column_names == list(COLUMNS)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    scores = presentation_scores(frames(), np.full(5, 0.5))
    path = tmp_path / "scores.parquet"
    write_scores(scores, path)
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("padkit.evaluation.scores.Path.replace", full_disk)
    with pytest.raises(DataError, match="No space left"):
        write_scores(presentation_scores(frames(), np.full(5, 0.75)), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.parquet"]


@pytest.mark.parametrize("value", [["a"], {"x": "a"}])
def test_columns_of_lists_or_structures_are_refused(value) -> None:
    with pytest.raises(DataError, match=r"a column holds .*; give one text or number per row"):
        texts(pa.chunked_array([[value, value]]))


def test_damaged_files_are_refused_by_name(tmp_path) -> None:
    missing, broken, partial, invalid = (tmp_path / f"{name}.parquet" for name in ("none", "broken", "part", "nan"))
    broken.write_bytes(b"PAR1 not really")
    scores = presentation_scores(frames(), np.full(5, 0.5))
    write_scores(scores, invalid)
    table = pq.read_table(invalid)
    pq.write_table(table.drop_columns(["species"]), partial)
    score = table.column_names.index("score")
    pq.write_table(table.set_column(score, "score", pa.array([0.5, float("nan"), 0.5])), invalid)
    for path, match in (
        (missing, "cannot be read"),
        (broken, "cannot be read"),
        (partial, "'species'"),
        (invalid, "NaN"),
    ):
        with pytest.raises(DataError, match=match) as caught:
            read_scores(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
