"""Reads the datasets' text files: lists of names, and rows of numbers with the place of a face."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from padkit.errors import DataError

Four = tuple[float, float, float, float]


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of the lines that are not blank; line ends and backslashes of Windows are accepted.

    Raises:
        DataError: The file is missing or cannot be read.
    """
    try:
        # An invalid UTF-8 byte makes a name or number unknown, which is reported with its line.
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip().replace("\\", "/")


def stem(name: str) -> str:
    """Return the last part of a path with forward slashes, without its suffix."""
    return name.rpartition("/")[2].partition(".")[0].strip()


def number_rows(path: Path, lengths: Collection[int]) -> Iterator[tuple[int, list[float]]]:
    """Yield (frame number from 0, the other numbers) of each row; nothing if there is no such file.

    Args:
        path: File with rows of numbers separated by commas or blanks, the frame's number first.
        lengths: How many other numbers a row may have.

    Raises:
        DataError: A row is malformed; the error names its line.
    """
    if not path.is_file():
        return
    for line, text in text_lines(path):
        numbers = _numbers(text)
        if len(numbers) - 1 not in lengths or not numbers[0].is_integer() or numbers[0] < 0:
            wanted = " or ".join(str(length) for length in lengths)
            raise DataError(f"{path}, line {line}: {text!r} is not a frame's number and {wanted} coordinates.")
        yield int(numbers[0]), numbers[1:]


def box_of(x: float, y: float, width: float, height: float) -> Four | None:
    """Return a box, or None if it is empty, which means in these lists that no face was found."""
    box = (x, y, width, height)
    return box if all(map(math.isfinite, box)) and width > 0 and height > 0 else None


def eyes_of(values: Sequence[float]) -> Four | None:
    """Return two eyes x, y, x, y with the one further left in the image first, or None if both are the same point.

    Whether a list's left eye is the person's left or the image's differs between datasets, so the image decides.
    """
    if not all(map(math.isfinite, values)):
        return None
    first, second = sorted([(values[0], values[1]), (values[2], values[3])])
    return None if first == second else (*first, *second)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        return []
