"""One table in four layouts: figures with what stands beside them, bold, alignment, blocks, notes, odd names."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from padkit.report.tables.layout import MADE_BY, Table, TableCell, TableRow, html, latex, markdown, terminal, text_cells

TABLE = Table(
    title="Errors of a_b (%)",
    head=["% (but threshold)", "source-dev", "target-eer (test set)", "network"],
    rows=[
        TableRow("threshold", text_cells("0.5", "0.25", "r&d"), ends=True),
        TableRow("HTER", [TableCell("5.00", "[1.00, 9.00]"), TableCell("4.00", "± 0.50", bold=True), TableCell()]),
        TableRow("<b>[red]x|y", text_cells("1.00", "2.00", "<i>")),
    ],
    words=(0, 3),
    notes=["Not to be read without this: a_b."],
)
CAPTION = ["Tested on 3 | 4.", f"{MADE_BY}padkit evaluate a_b"]


def printed(width: int, *tables: Table) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(terminal(tables, CAPTION))
    return capture.get().splitlines()


def test_the_terminal_aligns_numbers_right_and_takes_names_as_they_are() -> None:
    lines = printed(100, TABLE)
    assert lines[0] == "Errors of a_b (%)"
    assert "│ HTER              │ 5.00 [1.00, 9.00] │ 4.00 ± 0.50 │ -       │" in lines
    assert "│ <b>[red]x|y       │              1.00 │        2.00 │ <i>     │" in lines
    block = next(number for number, line in enumerate(lines) if "threshold  " in line)
    assert lines[block + 1].startswith("├─"), "a line ends the block"
    assert lines[-4:] == ["Not to be read without this: a_b.", "", "Tested on 3 | 4.", "Made by: padkit evaluate a_b"]


@pytest.mark.parametrize("width", [40, 50, 60])
def test_a_narrow_terminal_breaks_beside_a_figure_and_never_within(width: int) -> None:
    wide = Table(title="t", head=["row", *"abc"], rows=[TableRow("x", [TableCell("12.34", "[1.23, 45.67]")] * 3)])
    lines = printed(width, wide)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert text.count("12.34") == 3
    assert "…" not in text
    if width >= 60:
        assert text.count("[1.23, 45.67]") == 3
        assert "12.34 [" not in text


def test_markdown_escapes_aligns_and_keeps_the_command_copyable() -> None:
    text = markdown([TABLE], CAPTION)
    assert r"**Errors of a\_b (%)**" in text
    assert "| --- | ---: | ---: | --- |" in text
    assert "| HTER | 5.00 [1.00, 9.00] | **4.00 ± 0.50** | - |" in text
    assert r"| \<b>[red]x\|y | 1.00 | 2.00 | \<i> |" in text
    assert r"- Not to be read without this: a\_b." in text
    assert text.endswith("- Tested on 3 \\| 4.\n- Made by: `padkit evaluate a_b`\n")


def test_latex_has_the_notes_in_the_caption_and_a_rule_after_a_block() -> None:
    text = latex([TABLE, TABLE], CAPTION)
    assert text.count(r"\begin{tabular}{lrrl}") == text.count(r"\end{table}") == 2
    assert r"HTER & 5.00 [1.00, 9.00] & \textbf{4.00 $\pm$ 0.50} & - \\" in text
    assert "threshold & 0.5 & 0.25 & r\\&d \\\\\n\\midrule" in text
    assert r"\caption{Errors of a\_b (\%). Not to be read without this: a\_b. Tested on 3 $|$ 4. Made by:" in text


def test_html_escapes_and_sets_what_stands_beside_small() -> None:
    text = str(html(TABLE))
    assert '<th scope="col">% (but threshold)</th><th scope="col" class="number">source-dev</th>' in text
    assert '<th scope="col">network</th></tr>' in text
    assert '<tr class="ends"><th scope="row">threshold</th>' in text
    assert '<td class="number">5.00<small>[1.00, 9.00]</small></td>' in text
    assert '<td class="number"><b>4.00</b><small>± 0.50</small></td><td>-</td>' in text
    assert "&lt;b&gt;[red]x|y" in text
    assert "<i>" not in text
    assert '<p class="quiet">Not to be read without this: a_b.</p>' in text
    assert len(re.findall("<tr", text)) == 4
