"""Published figures: as printed in the papers' tables, and shown only where they compare."""

from __future__ import annotations

import dataclasses

import pytest

from padkit.evaluation.literature import LETTERS, comparable_target, policy, published
from padkit.evaluation.results import ProtocolSummary

# (HTER, AUC) on M, C, I, O, typed a second time.
TABLE = """
MADDG 2019 17.69/88.06 24.50/84.51 22.19/84.99 27.98/80.02
SSDG-R 2020 7.38/97.17 10.44/95.94 11.71/96.59 15.61/91.54
SSAN-R 2022 6.67/98.75 10.00/96.67 8.88/96.79 13.72/93.63
SA-FAS 2023 5.95/96.55 8.78/95.37 6.58/97.54 10.00/96.23
GAC-FAS 2024 5.00/97.56 8.20/95.16 4.29/98.87 8.60/97.16
FLIP-MCL 2023 4.95/98.11 0.54/99.98 4.25/99.07 2.31/99.63
"""


def summary(sources: str, target: str, **changes: object) -> ProtocolSummary:
    names = tuple(sources.split("&"))
    known = {"name": f"{sources}->{target}", "convention": "ssdg", "sources": names, "target": target}
    return ProtocolSummary(**(known | {"simulated": False} | changes))


def test_figures_are_those_of_the_papers() -> None:
    rows = [line.split() for line in TABLE.strip().splitlines()]
    assert len(rows) == 6
    for name, year, *figures in rows:
        for target, pair in zip("MCIO", figures, strict=True):
            found = next(row for row in published(target) if row.method.split()[0] == name)
            assert (found.year, f"{found.hter:.2f}/{found.auc:.2f}") == (int(year), pair)


def test_what_is_not_known_is_empty() -> None:
    for target in "MCIO":
        rows = {row.method: row for row in published(target)}
        assert len(rows) == 8
        assert (rows["DTDA"].hter, rows["DTDA"].auc) == (None, None)
        assert rows["FRT-PAD"].hter == (5.48 if target == "M" else None)
        assert rows["FRT-PAD"].auc is None
        assert all(row.source.startswith(("arXiv:", "doi:")) and row.paper and row.backbone for row in rows.values())
    assert "target test set" in policy()


@pytest.mark.parametrize(
    ("sources", "target", "letter"),
    [
        ("O&C&I", "M", "M"),
        ("I&C&M", "O", "O"),
        ("oulu-npu&casia_fasd&Replay-Attack", "MSU-MFSD", "M"),
        ("M&I", "C", ""),
        ("O&C&I&celeba-spoof", "M", ""),
        ("O&C&M", "M", ""),
        ("office&phone&webcam", "hall", ""),
        ("O", "C&I&M", ""),
        ("O", "O", ""),
    ],
)
def test_only_the_four_protocols_compare(sources: str, target: str, letter: str) -> None:
    assert comparable_target(summary(sources, target)) == letter
    assert comparable_target(dataclasses.replace(summary(sources, target), simulated=True)) == ""
    assert set(LETTERS.values()) == set("OCIM")
