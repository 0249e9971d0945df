"""Data of the page's threshold tool: every score, exactly, and the thresholds of the policies."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.metrics import Floats
from padkit.evaluation.rates import PolicyResult
from padkit.evaluation.scores import Scores


def tool_data(sets: Sequence[tuple[str, Scores]], entries: Sequence[PolicyResult]) -> Markup:
    """Return JSON that may stand inside a `script` element.

    Args:
        sets: (name, scores) of each set of presentations; the first is shown at the start.
        entries: The policies whose thresholds are marked; the tool starts from the first.
    """
    content: dict[str, Any] = {
        "sets": [
            {
                "name": name,
                "bona_fide": _packed(scores.score[scores.label == BONA_FIDE]),
                "species": [
                    {"name": str(kind), "scores": _packed(scores.score[scores.pai_species == kind])}
                    for kind in np.unique(scores.pai_species[scores.label == ATTACK])
                ],
            }
            for name, scores in sets
        ],
        "policies": [
            {"name": entry.policy, "threshold": entry.threshold, "test_set_choice": entry.test_set_choice}
            for entry in entries
        ],
    }
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    # Escaped, so that no name can end the script element or begin a comment in it.
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def script() -> tuple[Markup, str]:
    """Return the page's script, and its hash for a content security policy that allows only this script."""
    text = files("padkit.report.page").joinpath("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704 - our own file


def _packed(scores: Floats) -> str:
    """Return scores in rising order as base64 of little-endian doubles: short, and exact in the browser."""
    return base64.b64encode(np.sort(scores).astype("<f8").tobytes()).decode()
