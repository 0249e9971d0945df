"""One table and its four layouts: terminal, Markdown, LaTeX and HTML.

A cell holds a figure and, beside it, its uncertainty: an interval, `[2.10, 4.75]`, or a spread, `± 0.42`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table as Box
from rich.text import Text

MADE_BY = "Made by: "
NOTHING = "-"  # in place of a missing figure
_WHOLE = 8  # characters of a number, which a narrow terminal must not break
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "±": r"$\pm$", "|": "$|$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableCell:
    """A figure, or a word.

    Attributes:
        value: The figure.
        beside: Its interval or spread; "" if there is none.
        bold: Set in bold.
    """

    value: str = NOTHING
    beside: str = ""
    bold: bool = False

    @property
    def text(self) -> str:
        """Both values in one line."""
        return f"{self.value} {self.beside}" if self.beside else self.value


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: its name, its cells, and whether it is the last of a block of rows."""

    name: str
    cells: Sequence[TableCell]
    ends: bool = False

    @property
    def texts(self) -> list[str]:
        """Name and cells in one line each."""
        return [self.name, *(cell.text for cell in self.cells)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table ready to be laid out.

    Attributes:
        title: What it shows, in one line.
        head: Heads of the columns; the first is that of the row names.
        rows: The rows.
        words: Positions of columns of words, aligned left; all others hold numbers, aligned right.
        notes: Notes that must accompany it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[TableRow]
    words: Sequence[int] = (0,)
    notes: Sequence[str] = ()


def text_cells(*texts: str) -> list[TableCell]:
    """Return a cell for each text."""
    return [TableCell(text) for text in texts]


def p_value(value: float | None) -> str:
    """Return a p-value as text."""
    return NOTHING if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def terminal(tables: Sequence[Table], caption: Sequence[str]) -> RenderableType:
    """Return what `rich` prints, the caption last."""
    parts: list[RenderableType] = []
    for table in tables:
        box = Box()
        for position, name in enumerate(table.head):
            widest = max((len(row.texts[position]) for row in table.rows), default=0)
            whole = widest if position and widest <= _WHOLE else None
            head = name.replace(" (", "\n(") if position else name
            # Text, because a name with square brackets would be read as markup
            box.add_column(
                Text(head), justify="left" if position in table.words else "right", min_width=whole, overflow="fold"
            )
        for row in table.rows:
            box.add_row(Text(row.name), *map(_TerminalCell, row.cells), end_section=row.ends)
        parts += [Text(table.title, style="bold"), box, *map(Text, table.notes), Text()]
    return Group(*parts, *map(Text, caption))


@dataclass(frozen=True, slots=True)
class _TerminalCell:
    """A cell that, in a narrow column, breaks the line between its figure and the interval or spread."""

    cell: TableCell

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = len(self.cell.text) <= options.max_width or not self.cell.beside
        text = self.cell.text if fits else f"{self.cell.value}\n{self.cell.beside}"
        yield Text(text, style="bold" if self.cell.bold else "")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        words = [*self.cell.value.split(), self.cell.beside]
        return Measurement(max(map(len, words)), len(self.cell.text)).with_maximum(options.max_width)


def markdown(tables: Sequence[Table], caption: Sequence[str]) -> str:
    """Return one Markdown text, the caption last."""
    lines: list[str] = []
    for table in tables:
        rule = ["---" if position in table.words else "---:" for position in range(len(table.head))]
        lines += [f"**{_plain(table.title)}**", "", _bar(map(_plain, table.head)), _bar(rule)]
        lines += [_bar([_plain(row.name), *map(_markdown_cell, row.cells)]) for row in table.rows]
        lines += ["", *(f"- {_plain(note)}" for note in table.notes), *([""] if table.notes else [])]
    return "\n".join([*lines, *(f"- {_made_by(line)}" for line in caption), ""])


def latex(tables: Sequence[Table], caption: Sequence[str]) -> str:
    r"""Return LaTeX tables, each with the whole caption; they need \usepackage{booktabs}."""
    blocks = [r"% needs \usepackage{booktabs}"]
    for table in tables:
        text = " ".join([f"{table.title}.", *table.notes, *caption])
        columns = "".join("l" if position in table.words else "r" for position in range(len(table.head)))
        rows: list[str] = []
        for row in table.rows:
            rows.append(_row([_escape(row.name), *map(_latex_cell, row.cells)]))
            rows += [r"\midrule"] if row.ends else []
        blocks += [
            r"\begin{table}", r"\centering", rf"\caption{{{_escape(text)}}}", rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule", _row([_escape(name) for name in table.head]), r"\midrule", *rows, r"\bottomrule",
            r"\end{tabular}", r"\end{table}", "",
        ]  # fmt: skip
    return "\n".join(blocks)


def html(table: Table) -> Markup:
    """Return an HTML table and its notes, without the title: the page sets it as a heading."""
    kinds = [
        Markup("") if position in table.words else Markup(' class="number"') for position in range(len(table.head))
    ]
    heads = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(kind, name) for kind, name in zip(kinds, table.head, strict=True)
    )
    rows = Markup("\n").join(_html_row(row, kinds[1:]) for row in table.rows)
    notes = Markup("").join(Markup('\n<p class="quiet">{}</p>').format(note) for note in table.notes)
    return Markup(
        '<div class="scroll"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>{}'
    ).format(heads, rows, notes)


def _html_row(row: TableRow, kinds: Sequence[Markup]) -> Markup:
    cells = Markup("").join(
        Markup("<td{}>{}</td>").format(kind, _html_cell(cell)) for kind, cell in zip(kinds, row.cells, strict=True)
    )
    ends = Markup(' class="ends"') if row.ends else ""
    return Markup('<tr{}><th scope="row">{}</th>{}</tr>').format(ends, row.name, cells)


def _html_cell(cell: TableCell) -> Markup:
    value = Markup("<b>{}</b>").format(cell.value) if cell.bold else escape(cell.value)
    return value + Markup("<small>{}</small>").format(cell.beside) if cell.beside else value


def _markdown_cell(cell: TableCell) -> str:
    return f"**{_plain(cell.text)}**" if cell.bold else _plain(cell.text)


def _latex_cell(cell: TableCell) -> str:
    return rf"\textbf{{{_escape(cell.text)}}}" if cell.bold else _escape(cell.text)


def _bar(cells: Iterable[str]) -> str:
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
