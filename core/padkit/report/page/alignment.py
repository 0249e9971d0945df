"""Whether the aligner's images are alike: a fresh classifier beside the aligner's own, never the latter alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from padkit.report.tables.layout import NOTHING, Table, TableRow, text_cells
from padkit.runs.folder import EVIDENCE

HEAD = ("domain classifier", "accuracy, clean images (%)", "accuracy, perturbed (%)", "KL, clean", "KL, perturbed")
NOTE = (
    "A fresh classifier learns from perturbed training frames and is asked about perturbed held-out source frames; it "
    "is what counts. The aligner's own was trained to be deceived, so its figures alone prove nothing. "
    "KL(uniform || p) in nats is 0 where a classifier knows nothing."
)
NOT_ASKED = "No fresh classifier was asked (--fresh_probe 0), so nothing is known about the alignment of the images."
_FIGURE = re.compile(r"(?:(?P<member>[\w-]+)\.)?(?P<fresh>fresh_)?domain_(?P<kind>accuracy|kl)_(?P<state>\w+)")


def alignment_table(log: Iterable[Mapping[str, Any]]) -> Table | None:
    """Return the table of the last evaluation that tells of perturbed images; None where none does.

    Args:
        log: Records of `log.jsonl`.
    """
    told = [(record, found) for record in log if (found := _told(record))]
    if not told:
        return None
    record, found = next((one for one in reversed(told) if "fresh" in one[1]), told[-1])
    found.setdefault("fresh", {})
    rows = [TableRow(name, text_cells(*_texts(found[name]))) for name in ("fresh", *sorted(found.keys() - {"fresh"}))]
    notes = [NOTE if found["fresh"] else f"{NOT_ASKED} {NOTE}"]
    if (chance := record.get(f"{EVIDENCE}domain_chance")) is not None:
        notes.append(f"Chance: {100 * chance:.1f} %.{_change(record)}")
    return Table(title=f"Alignment of the images at step {record['step']}", head=HEAD, rows=rows, notes=notes)


def _told(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return classifier -> figure -> value; empty where nothing is told of perturbed images."""
    found: dict[str, dict[str, float]] = {}
    for key, value in record.items():
        told = _FIGURE.fullmatch(key.removeprefix(EVIDENCE)) if key.startswith(EVIDENCE) else None
        if told:
            own = f"{told['member']}'s own" if told["member"] else "the aligner's own"
            state = "clean" if told["state"] == "clean" else "perturbed"
            found.setdefault("fresh" if told["fresh"] else own, {})[f"{told['kind']} {state}"] = value
    return found if any("accuracy perturbed" in figures for figures in found.values()) else {}


def _texts(figures: Mapping[str, float]) -> list[str]:
    shares = [figures.get(f"accuracy {state}") for state in ("clean", "perturbed")]
    nats = [figures.get(f"kl {state}") for state in ("clean", "perturbed")]
    return [
        *(NOTHING if share is None else f"{100 * share:.1f}" for share in shares),
        *(NOTHING if value is None else f"{value:.3f}" for value in nats),
    ]


def _change(record: Mapping[str, Any]) -> str:
    most, psnr = (record.get(f"{EVIDENCE}perturbation_{name}") for name in ("max", "psnr"))
    if most is None or psnr is None:
        return ""
    return f" Largest change of a pixel, mean over images: {255 * most:.1f}/255; PSNR {psnr:.1f} dB."
