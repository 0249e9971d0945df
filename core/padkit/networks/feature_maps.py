"""Chooses which of a network's feature maps to use: those that the user names, or a few spread over its depth."""

from __future__ import annotations

from collections.abc import Sequence

from padkit.errors import SettingsError

N_MAPS = 4


def spread_levels(reductions: Sequence[int], wanted: int = N_MAPS) -> list[int]:
    """Return indices of up to `wanted` levels: the last of each stride, or evenly spaced ones if all strides are equal.

    Args:
        reductions: Input pixels per cell of each level, from shallow to deep.
        wanted: How many to take; if there are more, the deepest are taken.
    """
    if len(set(reductions)) == 1:
        count = len(reductions)
        return sorted({round((i + 1) * count / wanted) - 1 for i in range(wanted)} - {-1})
    last_of_stride = {reduction: index for index, reduction in enumerate(reductions)}
    return sorted(last_of_stride.values())[-wanted:]


def pick(asked: Sequence[int], count: int, who: str) -> list[int]:
    """Return the indices, from 0, of the maps that a user numbered from 1, in the network's order.

    Args:
        asked: The numbers.
        count: How many maps the network has.
        who: The component, for the error.

    Raises:
        SettingsError: No map is named, one is named twice, or one does not exist.
    """
    numbers = sorted(asked)
    if not numbers or len(set(numbers)) < len(numbers) or numbers[0] < 1 or numbers[-1] > count:
        shown = ",".join(map(str, asked)) or "none"
        raise SettingsError(f"{who}: maps {shown} are impossible; name some of its maps 1 to {count}, each once.")
    return [number - 1 for number in numbers]
