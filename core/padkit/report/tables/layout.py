"""Tables of text, ready to be laid out as Markdown, LaTeX or for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

MADE_BY = "Made by: "
NOTHING = "-"  # stands for a figure that is not there
_WHOLE = 8  # letters of a number, which a narrow terminal must not break
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "±": r"$\pm$", "|": "$|$",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table ready to be laid out.

    Attributes:
        title: What it shows, one line.
        head: Heads of the columns.
        rows: Texts.
        bold: (row, column) of what is set in bold.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[tuple[int, int]] = frozenset()


def p_value(value: float | None) -> str:
    """Return a p-value as text."""
    return NOTHING if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def markdown(sheets: Sequence[Sheet], caption: Sequence[str]) -> str:
    """Return one Markdown text, the caption last."""
    lines: list[str] = []
    for sheet in sheets:
        lines += [f"**{_plain(sheet.title)}**", "", _bar(sheet.head), _bar(["---", *["---:"] * (len(sheet.head) - 1)])]
        for number, row in enumerate(sheet.rows):
            texts = [_plain(text) for text in row]
            lines.append(_bar([f"**{t}**" if (number, c) in sheet.bold else t for c, t in enumerate(texts)]))
        lines.append("")
    return "\n".join([*lines, *(f"- {_made_by(line)}" for line in caption), ""])


def latex(sheets: Sequence[Sheet], caption: Sequence[str]) -> str:
    r"""Return LaTeX tables; they need \usepackage{booktabs}."""
    blocks = [r"% needs \usepackage{booktabs}"]
    for sheet in sheets:
        rows = []
        for number, row in enumerate(sheet.rows):
            texts = [_escape(text) for text in row]
            rows.append([rf"\textbf{{{t}}}" if (number, c) in sheet.bold else t for c, t in enumerate(texts)])
        text = " ".join([f"{sheet.title}.", *caption])
        blocks += [
            r"\begin{table}", r"\centering", rf"\caption{{{_escape(text)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(sheet.head) - 1)}}}", r"\toprule",
            _row([_escape(name) for name in sheet.head]), r"\midrule", *(_row(row) for row in rows),
            r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
        ]  # fmt: skip
    return "\n".join(blocks)


def terminal(sheets: Sequence[Sheet], caption: Sequence[str]) -> RenderableType:
    """Return what `rich` prints."""
    parts: list[RenderableType] = []
    for sheet in sheets:
        table = Table()
        for position, name in enumerate(sheet.head):
            widest = max((len(row[position]) for row in sheet.rows), default=0)
            whole = widest if position and widest <= _WHOLE else None
            table.add_column(Text(name), justify="right" if position else "left", min_width=whole, overflow="fold")
        for number, row in enumerate(sheet.rows):
            table.add_row(*(Text(t, style="bold" if (number, c) in sheet.bold else "") for c, t in enumerate(row)))
        parts += [Text(sheet.title, style="bold"), table, Text()]
    return Group(*parts, *(Text(line) for line in caption))


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _made_by(line: str) -> str:
    """Keep a command copyable."""
    made = line.startswith(MADE_BY) and "`" not in line
    return f"{MADE_BY}`{line.removeprefix(MADE_BY)}`" if made else _plain(line)


def _plain(text: str) -> str:
    for letter in "\\|*_<`":
        text = text.replace(letter, f"\\{letter}")
    return text


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
