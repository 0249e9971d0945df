"""Where the model's files are."""

from __future__ import annotations

from pathlib import Path


def experimental() -> Path:
    """A detector for trying padkit out, trained only on what padkit may ship or can draw. Nobody has certified it."""
    return Path(__file__).parent / "model"
