"""Typed settings from YAML and the command line, and what a constructor's signature says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from padkit.settings.recipes import NONE, Settings, Slot, read_settings

__all__ = ["NONE", "Settings", "Slot", "read_settings"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use: jsonargparse imports slowly, and users of `layers` do not need it."""
    if name in __all__:
        from padkit.settings import recipes

        return getattr(recipes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
