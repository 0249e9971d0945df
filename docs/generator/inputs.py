"""What each reader understands, as tables made from the code: labels, columns, layouts, splits, suffixes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

from generator.helps import plain
from padkit.catalog import Catalog
from padkit.data.column_names import LIST_COLUMNS, MISSING, SCORE_COLUMNS
from padkit.data.labels import NAMES, NUMBERS, TRUTHS, WORDS
from padkit.data.media.formats import image_suffixes, video_suffixes
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.score_files import PARTS
from padkit.plugins import discover
from padkit_folder.layout import PARTS as LAYOUT_PARTS
from padkit_folder.names import SPLIT_NAMES

YES, NO = "yes", "-"


def understood(what: str) -> str:
    """Return the table of one kind: `readers`, `labels`, `columns`, `splits`, `missing`, `layout` or `suffixes`."""
    return {
        "readers": _readers,
        "labels": _labels,
        "columns": _columns,
        "splits": _splits,
        "missing": lambda: _words(sorted(MISSING - {""})),
        "layout": lambda: _words(f"{{{part}}}" for part in LAYOUT_PARTS),
        "suffixes": _suffixes,
    }[what]()


def _readers() -> str:
    """Return one line per reader: what it reads, and which of the settings below it has."""
    catalog = Catalog()
    rows = []
    for component in discover().components:
        if component.role != "dataset" or component.plugin.distribution != "padkit":
            continue
        settings = inspect.signature(catalog.factory("dataset", component.spec.name)).parameters
        named = [name for name in settings if name.endswith("_column")]
        listed = "file" in settings or component.spec.name == "photographs"
        columns = "synonyms below" if listed else f"settings `*_column` ({len(named)})" if named else NO
        told = "words and numbers below" if "bona_fide" in settings else "its own, fixed"
        link = f"[`{component.spec.name}`](components/datasets.md#{component.spec.name})"
        has = [f"`--data.{name}`" if name in settings else NO for name in ("bona_fide", "layout")]
        rows.append([link, component.summary, told, *has, columns])
    simulate = ["[`padkit simulate --faces`](commands/simulate.md)", "`<subject>/<image>`, images, or a list"]
    rows.append([*simulate, "words and numbers below, of a list", "`--bona-fide`", NO, "synonyms below"])
    evaluate = ["[`padkit evaluate`](commands/evaluate.md)", "CSV, TSV or Parquet file of scores"]
    rows.append([*evaluate, "words and numbers below", "`--bona-fide`", NO, "synonyms below"])
    return _table(["reader", "reads", "labels", "stated by", "layout", "columns"], rows)


def _labels() -> str:
    rows = []
    for label in (BONA_FIDE, ATTACK):
        numbers = [number for number, meant in NUMBERS.items() if meant == label]
        truths = [truth for truth, number in TRUTHS.items() if number in numbers]
        words = [word for word, meant in WORDS.items() if meant == label]
        rows.append([NAMES[label], _words(words), _words([*numbers, *(f"{number}.0" for number in numbers), *truths])])
    return _table(["label", "words", "numbers, unless stated or told by the column"], rows)


def _columns() -> str:
    rows = []
    for column in dict.fromkeys([*LIST_COLUMNS, *SCORE_COLUMNS]):
        cells = [_words(names[column]) if column in names else NO for names in (LIST_COLUMNS, SCORE_COLUMNS)]
        rows.append([f"`{column}`", *(cell or "no other name" for cell in cells)])
    return _table(["column", "in lists also", "in score files also"], rows)


def _splits() -> str:
    rows = [["folders, lists, Hugging Face", name, _words(_saying(SPLIT_NAMES, name))] for name in _kinds(SPLIT_NAMES)]
    rows += [["score files", name, _words(_saying(PARTS, name))] for name in _kinds(PARTS)]
    return _table(["where", "split or part", "words"], rows)


def _suffixes() -> str:
    rows = [["images", _words(sorted(image_suffixes()))], ["videos", _words(sorted(video_suffixes()))]]
    return _table(["media", "suffixes, in any case"], rows)


def _kinds(words: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(words.values()))


def _saying(words: Mapping[str, str], meaning: str) -> list[str]:
    return [word for word, meant in words.items() if meant == meaning]


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([plain(cell).replace("|", "&#124;") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
