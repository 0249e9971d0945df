"""Using a trained model: the bundle that a run writes."""

from __future__ import annotations

BUNDLE = "bundle.json"  # describes the weights beside it
