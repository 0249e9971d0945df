"""Errors that a user can mend: each is one line that names the thing, the cause and the remedy."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable


class PadkitError(Exception):
    """Base of every error padkit raises on purpose; its text is a single line meant for a person."""


class SettingsError(PadkitError):
    """A setting is unknown, has the wrong type or contradicts another."""


class PluginError(PadkitError):
    """A component cannot be had: unknown, blocked, clashing or broken."""


class DataError(PadkitError):
    """A dataset, a file or a protocol is missing, empty, damaged or inconsistent."""


class WeightsError(PadkitError):
    """A weights file cannot be read safely or does not fit the network."""


class TrainingError(PadkitError):
    """Training cannot go on (a loss became NaN, a run folder cannot be written)."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'? Known: a, b, x." with the closest match first, or "" if none is known."""
    names = sorted(set(known))
    if not names:
        return ""
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f" Did you mean {match[0]!r}?" if match else ""
    return f"{guess} Known: {', '.join(names)}."


def run_as_command(main: Callable[[], int | None]) -> int:
    """Run `main` and turn a `PadkitError` into one line on stderr and exit status 2.

    Set PADKIT_TRACEBACK=1 to see the traceback instead.
    """
    try:
        return main() or 0
    except PadkitError as error:
        if os.environ.get("PADKIT_TRACEBACK") == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
