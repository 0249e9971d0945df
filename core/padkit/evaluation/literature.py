"""Published leave-one-dataset-out results to compare with a run on the same four real datasets (`literature.yaml`).

They are comparable only with figures at the threshold of `target-eer`, because the papers also chose theirs on the test
set. The row of DTDA is empty: its figures are not known to us and were not measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from padkit.evaluation.results import ProtocolSummary

FILE = "literature.yaml"
NOT_MEASURED = "not measured"
# Names of the four datasets without case and punctuation.
LETTERS = {
    "o": "O", "oulu": "O", "oulunpu": "O",
    "c": "C", "casia": "C", "casiafasd": "C", "casiamfsd": "C",
    "i": "I", "idiap": "I", "replay": "I", "replayattack": "I", "idiapreplayattack": "I",
    "m": "M", "msu": "M", "msumfsd": "M",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One method's published figures on one target, in percent; None where a figure was not published.

    Attributes:
        method: Its name, and additional training data if any.
        year: Of the paper.
        paper: Title and venue.
        source: `arXiv:` or `doi:`.
        backbone: Network.
        hter: Half total error rate at a threshold chosen on the target test set.
        auc: Area under the ROC curve.
    """

    method: str
    year: int
    paper: str
    source: str
    backbone: str
    hter: float | None
    auc: float | None


def published(target: str) -> tuple[Published, ...]:
    """Return every method's figures on a target, `O`, `C`, `I` or `M`, trained on the three others."""
    rows = []
    for entry in _content()["methods"]:
        hter, auc = entry.get(target) or (None, None)
        text = {name: str(entry[name]) for name in ("paper", "source", "backbone")}
        more = f" (+{entry['also']})" if "also" in entry else ""
        rows.append(Published(method=f"{entry['name']}{more}", year=int(entry["year"]), hter=hter, auc=auc, **text))
    return tuple(rows)


def policy() -> str:
    """Return how the papers chose their thresholds."""
    return str(_content()["policy"])


def comparable_target(protocol: ProtocolSummary) -> str:
    """Return the target's letter if `protocol` is one of O&C&I->M, O&M&I->C, O&C&M->I and I&C&M->O; "" otherwise.

    Results on simulated data are never comparable with published ones, whatever their domains are called.
    """
    letters = [_letter(name) for name in (*protocol.sources, protocol.target)]
    return letters[-1] if not protocol.simulated and sorted(letters) == ["C", "I", "M", "O"] else ""


def _letter(domain: str) -> str:
    return LETTERS.get("".join(letter for letter in domain.lower() if letter.isalnum()), "")


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(files("padkit.evaluation").joinpath(FILE).read_text(encoding="utf-8"))
    return content
