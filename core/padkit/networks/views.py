"""The views of a face crop that a detector is judged by: their names, and how they are told. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Views = Literal["one", "five"]
VIEWS: Mapping[Views, int] = {"one": 1, "five": 5}  # how many pictures of a crop each shows to the student
CORNER = 0.9  # side of a corner of the crop, as a share of the crop's side


def views_told(views: object) -> str:
    """Return in words what a crop is judged by; "" if it is the crop alone, or if nothing is known of it."""
    if views in (None, "one"):
        return ""
    if views == "five":
        return (
            f"the mean of the logits of five views: the whole crop, and its corners cut at {CORNER:g} of its side, two "
            "of them mirrored"
        )
    return f"views {views!r}, which this padkit does not know"
