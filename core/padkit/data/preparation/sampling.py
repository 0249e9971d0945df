"""Rules that choose which frames of a presentation are kept: `ssdg`, `uniform:8`, `every:5`, `first:10`, `all`."""

from __future__ import annotations

from collections.abc import Callable

from padkit.data.media.sources import FrameSource
from padkit.data.presentation import Presentation
from padkit.errors import DataError, SettingsError, closest

# Frame numbers, ascending and each once, of a presentation of the given number of frames.
Rule = Callable[[int], list[int]]

SSDG_START = 6


def ssdg(count: int) -> list[int]:
    """Return frames 6 and 6 + count // 2, numbered from 0.

    Source: the public code of SSDG (Jia et al., CVPR 2020), which trains on two frames per video. If a clip is too
    short for one of them, its last frame is taken instead.
    """
    return sorted({min(number, count - 1) for number in (SSDG_START, SSDG_START + count // 2)} if count else set())


def uniform(count: int, kept: int) -> list[int]:
    """Return the middle frames of `kept` equal parts, or all frames if there are at most `kept`."""
    return [(2 * part + 1) * count // (2 * kept) for part in range(kept)] if kept < count else list(range(count))


RULES: dict[str, tuple[str, bool]] = {
    "ssdg": ("frames 6 and 6 + half the length, as SSDG's code takes them", False),
    "uniform": ("N frames, evenly spread", True),
    "every": ("every Nth frame, the first among them", True),
    "first": ("the first N frames", True),
    "all": ("every frame", False),
}


def sampling_rule(text: str) -> Rule:
    """Return the rule named `NAME` or `NAME:N`.

    Raises:
        SettingsError: There is no such rule, or its number is missing or not a whole number from 1 up.
    """
    name, colon, number = text.partition(":")
    shown = [f"{rule}:N" if counts else rule for rule, (_, counts) in RULES.items()]
    if name not in RULES:
        raise SettingsError(f"sampling rule {text!r} is unknown.{closest(name, shown)}")
    takes_number = RULES[name][1]
    if not takes_number and colon:
        raise SettingsError(f"sampling rule {text!r}: {name} takes no number; write {name}.")
    if takes_number and not (number.isdecimal() and number.isascii() and int(number) > 0):
        raise SettingsError(f"sampling rule {text!r} needs a whole number from 1 up; write {name}:8 for example.")
    kept = int(number) if takes_number else 0
    rules: dict[str, Rule] = {
        "ssdg": ssdg,
        "uniform": lambda count: uniform(count, kept),
        "every": lambda count: list(range(0, count, kept)),
        "first": lambda count: list(range(min(kept, count))),
        "all": lambda count: list(range(count)),
    }
    return rules[name]


def chosen_frames(presentation: Presentation, source: FrameSource, rule: str) -> dict[int, int]:
    """Return position in the source -> frame number to record, for the frames that the rule keeps.

    Raises:
        DataError: The record names a frame that the medium does not have.
    """
    count, named = len(source), presentation.frames
    if source.numbers:
        return {number: source.numbers[number] for number in sampling_rule(rule)(count)}
    if count == 1 and len(named) == 1:
        # A still that is frame 7 of a clip.
        return {0: named[0]}
    if named and max(named) >= count:
        raise DataError(f"{presentation.path}: frame {max(named)} does not exist; the medium has {count} frames.")
    candidates = sorted(set(named)) if named else range(count)
    kept = (candidates[place] for place in sampling_rule(rule)(len(candidates)))
    return {number: number for number in kept}
