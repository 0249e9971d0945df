"""Errors that a user can correct: each is one line that names the thing, the cause and the remedy."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator

MOST_NAMES = 40  # keeps an error readable
ERRORS_VARIABLE = "PADKIT_ERRORS"  # file that takes error lines in place of stderr, set by `padkit train`
NEAR = 0.65  # least difflib ratio of a slip: `lve` for live has 0.86, `client` 0.6, `bogus` for figures 0.5
NEGATIONS = ("non", "not", "no", "un", "in", "dis", "anti", "without")
OPPOSITES = (
    ("live", "dead"), ("positive", "negative"), ("real", "fake"), ("male", "female"), ("max", "min"), ("true", "false"),
    ("include", "exclude"), ("enable", "disable"), ("enabled", "disabled"), ("increase", "decrease"), ("on", "off"),
    ("bona_fide", "attack"), ("source", "target"), ("upper", "lower"), ("before", "after"), ("first", "last"),
)  # fmt: skip


class PadkitError(Exception):
    """Base of every error padkit raises on purpose; its text is a single line meant for a person."""


class SettingsError(PadkitError):
    """A setting is unknown, has the wrong type or contradicts another."""


class PluginError(PadkitError):
    """A component cannot be used: it is unknown, blocked or broken, or its name clashes with another."""


class DataError(PadkitError):
    """A dataset, a file or a protocol is missing, empty, damaged or inconsistent."""


class WeightsError(PadkitError):
    """A weights file cannot be read safely or does not fit the network."""


class TrainingError(PadkitError):
    """Training cannot continue (a loss became NaN, or a run folder cannot be written)."""


def closest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return " Did you mean 'x'? Known: a, b, x." or, where no name is near, " Known: a, b, x."; "" if none is known.

    Args:
        name: The name that was requested.
        known: The alternatives.
        prefix: What a user writes before each of them.
    """
    names = sorted(set(known))
    if not names:
        return ""
    match = nearest(name, names)
    guess = "" if match is None else f" Did you mean {prefix + match!r}?"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{guess} Known: {', '.join(names[:MOST_NAMES])}{more}."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name of `known` that `name` most likely is a slip of, ignoring case; None where a guess would mislead.

    A guess is near (`NEAR`), has the same letters, or one is the beginning of the other. It is never the name itself,
    never another number, and never the opposite (`live` for `nonlive`, `max_steps` for `min_steps`).
    """
    asked = name.strip().lower()
    folded = {candidate.lower(): candidate for candidate in known if candidate != name}
    near = difflib.get_close_matches(asked, folded, n=len(folded) or 1, cutoff=NEAR)
    near += [word for word in folded if sorted(word) == sorted(asked)]  # letters in another order: `rf` for fr
    begun = [word for word in folded if len(min(word, asked, key=len)) > 2 and _begin(word, asked)]
    for word in [*near, *sorted(begun, key=len)]:
        if not (_numeric(asked) or _numeric(word) or _opposite(asked, word)):
            return folded[word]
    return None


def _begin(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _numeric(text: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.,_/]+(e[-+]?\d+)?", text) is not None


def _opposite(one: str, other: str) -> bool:
    """Return whether one name negates the other, or they differ in a word and its opposite."""
    first, second = re.split(r"[-_. ]+", one), re.split(r"[-_. ]+", other)
    plain = "".join(first), "".join(second)
    if any(f"{no}{right}" == left for left, right in (plain, plain[::-1]) for no in NEGATIONS):
        return True
    lost, gained = " ".join(w for w in first if w not in second), " ".join(w for w in second if w not in first)
    return any({lost, gained} == {*pair} for pair in OPPOSITES) or any({lost, gained} == {"", no} for no in NEGATIONS)


def one_line(error: BaseException) -> str:
    """Return `error` as one line: the text of a `PadkitError`, otherwise its type and the first line of its text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, PadkitError):
        return " ".join(lines)
    return ": ".join([type(error).__name__, *lines[:1]])


def pip_install(requirement: str) -> str:
    """Return the command that installs `requirement`, quoted, because shells read brackets and `>` otherwise."""
    return f"pip install '{requirement}'"


@contextlib.contextmanager
def extra_needed(what: str, extra: str) -> Iterator[None]:
    """Context manager for a lazy import of an optional library: a failure names the extra to install.

    Args:
        what: The feature; the error begins with it.
        extra: What pip installs for it, such as `padkit[video]`.

    Raises:
        PluginError: The library cannot be imported; the remedy is to install the extra.
    """
    try:
        yield
    except ImportError as error:
        raise PluginError(f"{what}: {one_line(error)}; {pip_install(extra)}.") from error


def run_as_command(main: Callable[[], int | None]) -> int:
    """Run `main` and turn a `PadkitError` into one line on stderr and exit status 2.

    Set PADKIT_TRACEBACK=1 to see the traceback instead.
    """
    try:
        return main() or 0
    except PadkitError as error:
        if os.environ.get("PADKIT_TRACEBACK") == "1":
            raise
        _tell(f"error: {one_line(error)}")
        return 2
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130


def _tell(line: str) -> None:
    """Print a line on stderr, or leave it to the launcher, which prints once what several processes say."""
    if path := os.environ.get(ERRORS_VARIABLE):
        with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - a plain append
            file.write(f"{line}\n")
            return
    print(line, file=sys.stderr)
