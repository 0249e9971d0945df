"""The common style of all figures: sizes for a phone, light and dark colours, reproducible PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from padkit.files import write_atomically

WIDTH = 5.2  # inches; on a phone's 360 pixels a 9 point letter is then still 8 pixels high
DPI = 180
MARKERS = ("o", "s", "D", "^", "v", "P")
LINES = ("-", "--", "-.", ":")
FORMATS = ("png", "pdf", "svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of a figure; nearly everybody can tell blue from orange.

    Attributes:
        background, text, grid, quiet: Of the paper, the letters, the grid, and less important things.
        bona_fide, attack: Of the two classes.
        marks: Of thresholds.
        series: Of runs or domains side by side, after Okabe and Ito (2008); line styles or markers vary as well.
    """

    background: str
    text: str
    grid: str
    bona_fide: str
    attack: str
    quiet: str
    marks: tuple[str, ...]
    series: tuple[str, ...]


LIGHT = Palette(
    background="#ffffff",
    text="#20252c",
    grid="#dfe3e8",
    bona_fide="#0b6bb0",
    attack="#c4500f",
    quiet="#8a939e",
    marks=("#6a3d9a", "#20252c", "#117a55", "#a3195b"),
    series=("#0072b2", "#d55e00", "#009e73", "#b0468c", "#c98a00", "#3a9bd1", "#20252c", "#7d6a00"),
)
DARK = Palette(
    background="#1b1f25",
    text="#e7eaee",
    grid="#343b44",
    bona_fide="#62b5f2",
    attack="#f59a5f",
    quiet="#7f8a96",
    marks=("#c9a6f0", "#e7eaee", "#5fd3a5", "#f08cb8"),
    series=("#62b5f2", "#f59a5f", "#3ddbac", "#e79ad0", "#f5c542", "#a8dcff", "#e7eaee", "#cdb26a"),
)


@contextmanager
def plain_settings() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever the user's matplotlibrc says."""
    # A "$" in a name is a plain character; ids in SVG are random unless they have a salt.
    ours = {"font.size": 9, "axes.titlesize": 10, "text.parse_math": False, "svg.hashsalt": "padkit"}
    with matplotlib.style.context(ours, after_reset=True):
        yield


def new_figure(height: float, palette: Palette, width: float = WIDTH) -> Figure:
    """Return an empty figure, `height` inches high, that is not part of matplotlib's global state."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=palette.background)
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, palette: Palette, title: str = "", *, centred: bool = False) -> None:
    """Give `axes` the palette's colours, a light grid and a title."""
    axes.set_title(title, loc="center" if centred else "left", color=palette.text, wrap=True)
    axes.set_facecolor(palette.background)
    axes.tick_params(colors=palette.text, which="both")
    axes.grid(visible=True, color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_color(palette.text)
    axes.yaxis.label.set_color(palette.text)
    for spine in axes.spines.values():
        spine.set_color(palette.quiet)


def legend_below(figure: Figure, axes: Axes, palette: Palette, columns: int = 1) -> None:
    """Draw the legend of `axes` below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, labelcolor=palette.text)
    legend.get_frame().set(facecolor=palette.background, edgecolor=palette.grid)


def render(figure: Figure, kind: str = "png") -> bytes:
    """Return `figure` as one of `FORMATS`; the same data give the same bytes with the same matplotlib."""
    buffer = io.BytesIO()
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    with plain_settings():
        figure.draw_without_rendering()  # the layout knows how titles wrap only after they were drawn
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def write_figure(figure: Figure, path: Path | str) -> None:
    """Write `figure` in the format that the file's suffix names, completely or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    write_atomically(Path(path), render(figure, Path(path).suffix.removeprefix(".")))
