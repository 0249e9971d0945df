"""The contact sheet: one labelled picture with example face crops of every domain, bona fide and by PAI species."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from padkit.data.media.pictures import Frame
from padkit.data.presentation import BONA_FIDE
from padkit.data.simulation import facts_of
from padkit.data.table.frames import FrameTable

TILE, GAP, MARGIN, FONT = 112, 6, 16, 15  # pixels
BACKGROUND, TEXT, QUIET, COLOURS = "#ffffff", "#20252c", "#5c6672", {1: "#0b6bb0", 0: "#c4500f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row of the sheet.

    Attributes:
        domain: Its domain.
        label: 1 = bona fide, 0 = attack.
        species: PAI species, or "".
        presentations: How many the table holds.
        shown: Rows of the table to show, of different presentations.
    """

    domain: str
    label: int
    species: str
    presentations: int
    shown: NDArray[np.int64]

    @property
    def kind(self) -> str:
        """What is shown, in words."""
        return "bona fide" if self.label == BONA_FIDE else f"attack: {self.species or 'unspecified'}"


def contact_sheet(table: FrameTable, columns: int = 8) -> bytes:
    """Return the sheet as PNG.

    Each row shows the middle frames of at most `columns` presentations, spread evenly over the table; the same table
    always gives the same picture.
    """
    rows = sheet_rows(table, columns)
    tiles = [[table.image(number).transpose(1, 2, 0) for number in row.shown.tolist()] for row in rows]
    return drawn_sheet(table, rows, tiles, columns, "prepared face crops", "One frame each of different presentations.")


def drawn_sheet(
    table: FrameTable, rows: Sequence[SheetRow], tiles: Sequence[Sequence[Frame]], columns: int, what: str, told: str
) -> bytes:
    """Return rows of crops with their names as PNG.

    Args:
        table: The table that they are from.
        rows: The rows, domain by domain.
        tiles: The crops of each row, uint8 RGB [S, S, 3] each, at most `columns`.
        columns: Crops that a row has room for.
        what: What is shown, for the title.
        told: The line below the title.
    """
    font, small = ImageFont.load_default(FONT), ImageFont.load_default(FONT - 2)
    margin = max(int(font.getlength(text)) for row in rows for text in (row.domain, row.kind)) + 2 * MARGIN
    margin = max(margin, int(small.getlength("0000000 presentations")) + 2 * MARGIN)
    domains = len({row.domain for row in rows})
    head = 3 * MARGIN + 2 * FONT
    size = (margin + columns * (TILE + GAP) + MARGIN, head + len(rows) * (TILE + GAP) + domains * MARGIN)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    about = table.preparation
    simulated, real_faces = facts_of(about)
    note = (" Real live photographs, SIMULATED attacks." if real_faces else " SIMULATED data.") if simulated else ""
    title = f"{about['dataset']}: {what}, {about['image_size']} x {about['image_size']} pixels.{note}"
    draw.text((MARGIN, MARGIN), title, TEXT, font)
    draw.text((MARGIN, 2 * MARGIN + FONT), told, QUIET, small)
    top, last = head, ""
    for row, shown in zip(rows, tiles, strict=True):
        if row.domain != last:
            draw.line((MARGIN, top + MARGIN // 2, size[0] - MARGIN, top + MARGIN // 2), QUIET)
            top, last = top + MARGIN, row.domain
        draw.text((MARGIN, top + TILE // 2 - 2 * FONT), row.domain, TEXT, font)
        draw.text((MARGIN, top + TILE // 2 - FONT // 2), row.kind, COLOURS[row.label], font)
        noun = "presentation" if row.presentations == 1 else "presentations"
        draw.text((MARGIN, top + TILE // 2 + FONT), f"{row.presentations} {noun}", QUIET, small)
        for place, crop in enumerate(shown):
            picture.paste(_tile(crop), (margin + place * (TILE + GAP), top))
        top += TILE + GAP
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def sheet_rows(table: FrameTable, columns: int) -> list[SheetRow]:
    """Return the rows of the sheet: domain by domain, bona fide first, then the species by name."""
    labels, domains, species = table.column("label"), table.coded("domain"), table.coded("species")
    width = len(species.dictionary)
    kinds = (domains.codes.astype(np.int64) * 2 + labels) * width + species.codes
    presentations = table.coded("presentation").codes
    found = []
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        owners, first, frames = np.unique(presentations[rows], return_index=True, return_counts=True)
        # By first appearance, so that not only neighbours in the table, often of one person, are shown.
        order = np.argsort(first)
        chosen = order[np.unique(np.linspace(0, len(owners) - 1, min(columns, len(owners))).round().astype(int))]
        owned = [rows[presentations[rows] == owners[place]] for place in chosen]
        found.append(
            SheetRow(
                domain=str(domains.names[domains.codes[rows[0]]]),
                label=int(labels[rows[0]]),
                species=str(species.names[species.codes[rows[0]]]),
                presentations=len(owners),
                shown=np.array([mine[frames[place] // 2] for mine, place in zip(owned, chosen, strict=True)]),
            )
        )
    return sorted(found, key=lambda row: (row.domain, -row.label, row.species))


def _tile(crop: Frame) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(crop)).resize((TILE, TILE), Image.Resampling.BICUBIC)
