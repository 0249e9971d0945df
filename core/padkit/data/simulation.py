"""What is simulated, in words: everything, or only the cameras and the attacks around real faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVERYTHING, ATTACKS = "simulated data", "real live photographs, simulated attacks"


def simulated_part(simulated: bool, real_faces: bool = False) -> str:
    """Return what is simulated, in a few words; "" if nothing is."""
    if not simulated:
        return ""
    return ATTACKS if real_faces else EVERYTHING


def simulated_note(simulated: bool, real_faces: bool = False) -> str:
    """Return what is simulated in brackets, to be put behind a title; "" if nothing is."""
    found = simulated_part(simulated, real_faces)
    return f" ({found})" if found else ""


def simulated_warning(simulated: bool, real_faces: bool = False) -> str:
    """Return the sentence that stands with every figure; "" if nothing is simulated."""
    found = simulated_part(simulated, real_faces)
    about = "attacks" if real_faces else "faces and attacks"
    return f"{found.capitalize()}: these figures say nothing about real {about}." if found else ""


def facts_of(preparation: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return `simulated` and `real_faces` of a prepared table; tables of earlier versions have no real faces."""
    return bool(preparation["simulated"]), bool(preparation.get("real_faces", False))
