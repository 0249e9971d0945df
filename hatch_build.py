"""Build hook: the wheel ships recipes/ as `padkit/recipes`, for `padkit train dtda`."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RecipesHook(BuildHookInterface[Any]):
    """An editable install keeps recipes/ where it is: there the file itself is launched."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder to a standard wheel only."""
        if version != "editable":
            build_data["force_include"]["recipes"] = "padkit/recipes"
