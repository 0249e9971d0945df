"""The page's table of distillation: of the step that ships, in order, and none where nothing is known."""

from __future__ import annotations

from padkit.report.page.distillation import distillation_table


def record(step: int, loss: float, **more: float) -> dict[str, float]:
    figures = {"start": 1.0, "loss": loss, "constant": 0.95, "explained_by_constant": 0.05 / (1 - loss)}
    return {"step": step, "source_dev/auc": 0.9, **{f"distillation/fr/{k}": v for k, v in figures.items()}, **more}


LOG = [
    {"step": 1, "fr": 1.0},
    record(10, 0.6, **{"distillation/fe/start": 1.02, "distillation/fe/loss": 1.1, "distillation/fe/constant": 0.97}),
    {"step": 11, "fr": 0.7},
    record(20, 0.5),
]


def test_the_step_that_ships_is_told() -> None:
    table = distillation_table(LOG, 10)
    assert table is not None
    assert table.title == "Distillation at step 10"
    rows = [["fr", "1.000", "0.600", "0.950", "12.5"], ["fe", "1.020", "1.100", "0.970", "-"]]
    assert [row.texts for row in table.rows] == rows
    assert len(table.head) == len(rows[0])
    assert "the same for every image" in table.notes[0]


def test_the_last_is_told_where_the_step_is_unknown() -> None:
    for selected in (None, 11):
        table = distillation_table(LOG, selected)
        assert table is not None
        assert [row.texts for row in table.rows] == [["fr", "1.000", "0.500", "0.950", "10.0"]]


def test_a_log_without_teachers_gives_no_table() -> None:
    assert distillation_table([], None) is None
    assert distillation_table([{"step": 1, "live": 0.5}, {"step": 1, "source_dev/auc": 0.9}], 1) is None
