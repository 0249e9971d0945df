"""`padkit data`: shows what a prepared table or a dataset holds and which faults it has. Imports no torch."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from padkit.catalog import Catalog
from padkit.commands.parser import Number, Parser
from padkit.data.augmentation import Augmentation
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import BONA_FIDE
from padkit.data.protocols.official import official_protocols
from padkit.data.reader import DatasetReader
from padkit.data.simulation import facts_of, simulated_part
from padkit.data.table import overview
from padkit.data.table.frames import FINISHED, FrameTable, open_tables
from padkit.data.unread import total
from padkit.errors import DataError, SettingsError, closest
from padkit.files import write_atomically
from padkit.settings.ranges import Count, Seed
from padkit.settings.recipes import Slot, read_settings

DESCRIPTION = """\
Show what a prepared table holds: presentations, frames and subjects by domain, split, label and PAI species; what was
skipped and why; the same pixels under two presentations; subjects in two splits; official protocols; a contact sheet;
a sheet of what training sees.

  padkit data DIR [DIR ...]                 tables made by `padkit prepare`, several as one
  padkit data folder --root photos          any dataset by name with its settings; prepared first, in the cache

  padkit data DIR --augmented sheet.png --augmentation photometric+light --augmentation.photometric.strength strong
"""
USUAL = "light"  # the augmentation of `padkit train dtda`
MOST = 10  # most lines printed of one kind


@dataclass(frozen=True, slots=True)
class Options:
    """No options but those of the component."""


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    parser = Parser(
        prog="padkit data", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False, usage="%(prog)s DIR [DIR ...] | NAME [--SETTING VALUE ...] [--sheet FILE.png] "
        "[--augmented FILE.png [--augmentation NAME] [--augmentation.SETTING VALUE ...]]",
    )  # fmt: skip
    parser.add_argument("what", nargs="+", metavar="DIR|NAME", help="folders of prepared tables, or a dataset's name")
    parser.add_argument("--sheet", metavar="FILE.png", help="write example crops there, by domain and species")
    parser.add_argument(
        "--augmented", metavar="FILE.png", help="write crops there as training sees them, several times each"
    )
    parser.add_argument(
        "--augmentation", metavar="NAME", help="augmentation of --augmented, with its settings behind it (light)"
    )
    parser.add_argument("--seed", type=Number(Seed), default=0, help="seed of --augmented (%(default)s)")
    parser.add_argument("--columns", type=Number(Count), default=8, help="examples per row of a sheet (%(default)s)")
    parser.add_argument("--no-duplicates", action="store_true", help="do not look for equal images")
    # argparse takes `--root=a b`, unknown to it and with a blank, for a folder.
    words = [
        part for word in arguments for part in (word.split("=", 1) if word[:2] == "--" and " " in word else [word])
    ]
    options, settings = parser.parse_known_args(words)
    catalog = Catalog()
    settings, varying = _apart(settings)
    augmentation = _augmentation(options, varying, catalog)
    table, reader = _opened(options.what, settings, catalog)
    console = Console()
    for part in describe(table, reader, duplicates=not options.no_duplicates):
        console.print(part)
    if options.sheet:
        from padkit.report.figures.contact_sheet import contact_sheet

        write_atomically(Path(options.sheet), contact_sheet(table, options.columns))
        console.print(Text(f"Contact sheet: {options.sheet}"))
    if augmentation is not None:
        from padkit.report.figures.augmented_sheet import augmented_sheet

        sheet = augmented_sheet(table, augmentation, options.augmentation, options.columns, options.seed)
        write_atomically(Path(options.augmented), sheet)
        console.print(Text(f"What training sees: {options.augmented}"))
    return 0


def describe(table: FrameTable, reader: DatasetReader | None, *, duplicates: bool) -> list[Table | Text]:
    """Return the printed paragraphs about a table, in their order."""
    parts: list[Table | Text] = [_heading(table), *_choices(table), *map(_note, table.notes)]
    parts += [_counts(table), *_skipped(table), *_leaks(table)]
    if duplicates:
        parts += _duplicates(table)
    known = table.divisions() if reader is None else official_protocols(table, reader)
    return [*parts, Text(f"Official protocols: {', '.join(known)}.")] if known else parts


def _apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the settings of the dataset and those of the augmentation, each with its values behind it."""
    found: tuple[list[str], list[str]] = ([], [])
    mine = 0
    for word in words:
        mine = int(word.startswith("--augmentation.")) if word.startswith("--") else mine
        found[mine].append(word)
    return found


def _augmentation(options: argparse.Namespace, settings: Sequence[str], catalog: Catalog) -> Augmentation | None:
    """Return the augmentation that `--augmented` draws; None without it."""
    if not options.augmented:
        if options.augmentation or settings:
            word = "--augmentation" if options.augmentation else settings[0]
            raise SettingsError(f"{word}: says what --augmented draws; name its file, --augmented FILE.png.")
        return None
    options.augmentation = options.augmentation or USUAL
    slots = {"augmentation": Slot("augmentation", USUAL)}
    words = ["--augmentation", options.augmentation, *settings]
    chosen = read_settings(Options, slots, words, catalog, "padkit data").one("augmentation")
    if chosen is None:
        raise SettingsError("--augmentation none: changes nothing, so --augmented has nothing to draw; name one.")
    built: Augmentation = catalog.build_chosen(chosen)
    return built


def _opened(what: Sequence[str], settings: Sequence[str], catalog: Catalog) -> tuple[FrameTable, DatasetReader | None]:
    """Return the tables in folders, or those of a dataset by name with its reader."""
    folders = [Path(word).expanduser() for text in what for word in text.split(",")]
    if all((folder / FINISHED).is_file() for folder in folders):
        if settings:
            raise SettingsError(f"unknown option {settings[0]!r}; a prepared table has no settings.")
        return open_tables(folders), None
    name = what[0]
    known = catalog.names("dataset")
    if name not in known or len(what) > 1:
        odd = next(folder for folder in folders if not (folder / FINISHED).is_file())
        if odd.is_dir():
            raise DataError(
                f"Folder {odd} holds no prepared table (no {FINISHED}); for a tree of images write "
                f"`padkit data folder --root {odd}`."
            )
        raise DataError(f"{str(odd)!r} is neither a folder nor a dataset's name.{closest(str(odd), known)}")
    words = [re.sub(r"^--(?!data\.)", "--data.", word) for word in settings]
    slots = {"data": Slot("dataset", name, required=True)}
    chosen = read_settings(Options, slots, ["--data", name, *words], catalog, "padkit data").one("data")
    reader: DatasetReader = catalog.build_chosen(chosen)
    return prepare(reader, dataset_name=name), reader


def _heading(table: FrameTable) -> Text:
    about = table.preparation
    subjects = table.coded("subject")
    people = len(subjects.dictionary) - (subjects.code("") >= 0)
    presentations = len(table.coded("presentation").dictionary)
    size = about["image_size"]
    text = (
        f"{about['dataset']}: {presentations} presentations, {len(table)} frames of {size} x {size}, {people} subjects"
    )
    lines = [text, f"in {', '.join(map(str, table.folders))}"]
    if part := simulated_part(*facts_of(about)):
        lines.append(f"{part.capitalize()}.")
    return Text("\n".join(lines), style="bold")


def _choices(table: FrameTable) -> list[Text]:
    """Return how the crops were made; if tables differ in this, a model can tell them apart by it alone."""
    tables = table.preparation.get("tables", [table.preparation])
    made = [about.get("choices", {}) for about in tables]
    keys = dict.fromkeys(key for choices in made for key in choices)
    values = {key: list(dict.fromkeys(str(choices.get(key, "not told")) for choices in made)) for key in keys}
    told = ", ".join(f"{key} {found[0]}" for key, found in values.items() if len(found) == 1 and found[0])
    lines = [Text(f"Crops: {told}.")] if told else []
    unlike = "; ".join(f"{key} {' and '.join(found)}" for key, found in values.items() if len(found) > 1)
    return [*lines, Text(f"Tables differ in how crops were made: {unlike}.", style="red")] if unlike else lines


def _note(line: str) -> Text:
    """Return a line on how the data were read."""
    return Text(line[:1].upper() + line[1:], style="red" if line.startswith("warning:") else "")


def _counts(table: FrameTable) -> Table:
    shown = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, collapse_padding=True)
    for head in ("domain", "split", "label", "species"):
        shown.add_column(head, overflow="fold")
    for head in ("presentations", "frames", "subjects"):
        shown.add_column(head, justify="right")
    found = overview.groups(table)
    for position, group in enumerate(found):
        label = "bona fide" if group.label == BONA_FIDE else "attack"
        counts = map(str, (group.presentations, group.frames, group.subjects or "-"))
        before = found[position - 1] if position else None
        new = before is None or before.domain != group.domain
        if new and before:
            shown.add_section()
        same = before is not None and not new and before.split == group.split
        names = (group.domain if new else "", "" if same else group.split or "-", label, group.species or "-")
        shown.add_row(*map(Text, names), *counts)
    return shown


def _skipped(table: FrameTable) -> list[Table | Text]:
    dropped = table.preparation.get("dropped", ())
    parts: list[Table | Text] = []
    if table.skipped:
        title = f"Skipped: {len(table.skipped)} of {table.preparation['records']} files or presentations"
        parts += _reasons(title, overview.reasons(table.skipped))
    if dropped:
        parts += _reasons(f"Left out: {len(dropped)} frames", overview.reasons(dropped))
    if unread := table.preparation.get("unread", ()):
        found = [overview.Reason(text=e["reason"], count=e["count"], example=e["example"]) for e in unread]
        parts += _reasons(f"Skipped unread: {total(unread)} files, folders or rows", found)
    return parts or [Text("Skipped: nothing.")]


def _reasons(title: str, found: Sequence[overview.Reason]) -> list[Table | Text]:
    shown = Table(title=Text(title), title_justify="left", box=box.SIMPLE, show_edge=False, pad_edge=False)
    for head, side in (("reason", "left"), ("count", "right"), ("the first", "left")):
        shown.add_column(head, justify="right" if side == "right" else "left", overflow="fold")
    for reason in found[:MOST]:
        shown.add_row(Text(reason.text), str(reason.count), Text(reason.example))
    return [shown, *([Text(f"and {len(found) - MOST} other reasons")] if len(found) > MOST else [])]


def _leaks(table: FrameTable) -> list[Text]:
    found = overview.subjects_in_several_splits(table)
    if not found:
        return [Text("Subjects in more than one split: none.")]
    shown = ", ".join(f"{name} ({' and '.join(splits)})" for name, splits in list(found.items())[:MOST])
    return [Text(f"Subjects in more than one split: {len(found)}: {shown}{_more(len(found))}", style="red")]


def _duplicates(table: FrameTable) -> list[Text]:
    from padkit.data.table.duplicates import equal_images

    found = equal_images(table)
    again = f"Equal images within a presentation: {found.within} frames equal an earlier one."
    parts = [Text(again)] if found.within else []
    if not found.groups:
        return [Text("Equal images under different presentations: none."), *parts]
    names = table.column("presentation")
    wrong = f"{found.labels} of them under both labels, {found.splits} in more than one split"
    shown = [" = ".join(dict.fromkeys(map(str, names[rows[:MOST]]))) for rows in found.groups[:MOST]]
    title = f"Equal images under different presentations: {len(found.groups)}, {wrong}:"
    text = "\n  ".join([title, *shown]) + _more(len(found.groups))
    return [Text(text, style="red" if found.labels or found.splits else ""), *parts]


def _more(count: int) -> str:
    return f" and {count - MOST} more" if count > MOST else ""
