"""padkit: a plugin-based framework for face presentation attack detection (PAD)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from padkit.deploy.predictor import Predictor

__all__ = ["load"]


def load(path: Any, **settings: Any) -> Predictor:
    """Return the predictor of a trained model; see `padkit.deploy.predictor.load`."""
    from padkit.deploy.predictor import load as load_predictor

    return load_predictor(path, **settings)
