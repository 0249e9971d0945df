"""Ranges of numeric settings, declared where a setting is: `epochs: Count = 3`, `x: Annotated[float, Range(0, 2)]`.

Recipes, components and commands are checked against them when their options are read, and help and documentation
print them. Type checkers see a plain `int` or `float`. jsonargparse's own restricted numbers are classes, which neither
type checkers take as defaults nor YAML can write.
"""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

_WORDS = {int: "int", float: "float", str: "str", bool: "true or false", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a setting may have; infinity and NaN are never among them.

    Attributes:
        low: The least.
        high: The greatest.
        open: Which ends are themselves excluded.
        multiple: What a whole number must be a multiple of.
    """

    low: float = -math.inf
    high: float = math.inf
    open: Literal["", "left", "right", "both"] = ""
    multiple: int = 1

    def __contains__(self, value: float) -> bool:
        """Tell whether `value` is in the range."""
        if not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        excluded = [end for end, side in ((self.low, "left"), (self.high, "right")) if self.open in (side, "both")]
        return value not in excluded and (self.multiple == 1 or value % self.multiple == 0)

    def __str__(self) -> str:
        """Return the range in words that follow a type: `>= 1`, `in (0, 1]`, `in [64, 256], a multiple of 16`."""
        left, right = self.open in ("left", "both"), self.open in ("right", "both")
        several = f"a multiple of {self.multiple}" if self.multiple != 1 else ""
        if math.isinf(self.low) and math.isinf(self.high):
            bounds = "" if several else "finite"
        elif math.isinf(self.high):
            bounds = f"{'>' if left else '>='} {_number(self.low)}"
        elif math.isinf(self.low):
            bounds = f"{'<' if right else '<='} {_number(self.high)}"
        else:
            bounds = f"in {'(' if left else '['}{_number(self.low)}, {_number(self.high)}{')' if right else ']'}"
        return ", ".join(filter(None, (bounds, several)))


Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]
Processes = Annotated[int, Range(1, 1024)]
Channels = Annotated[int, Range(1, 4096)]
CropSide = Annotated[int, Range(8, 2048)]
Seed = Annotated[int, Range(0, 2**32 - 1)]  # what every library's generator takes
Positive = Annotated[float, Range(0, open="left")]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
BatchSize = Annotated[int, Range(1, 65536)]
Workers = Annotated[int, Range(0, 512)]
Few = Annotated[int, Range(1, 100)]
GridSide = Annotated[int, Range(1, 2048)]
Margin = Annotated[float, Range(0, 2)]  # share of a face's side added on each side
Room = Annotated[float, Range(0, 0.5)]  # share of a crop's side stored beyond it on each side
Jitter = Annotated[float, Range(0, 0.5)]  # share of a crop's side
LogFactor = Annotated[float, Range(0, 2)]
OpenShare = Annotated[float, Range(0, 1, open="both")]
PositiveShare = Annotated[float, Range(0, 1, open="left")]
ShareBelowOne = Annotated[float, Range(0, 1, open="right")]


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the types that a union joins; of any other type, that type alone."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def bare(hint: Any) -> Any:
    """Return a type without the range that it declares."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def range_of(hint: Any) -> Range | None:
    """Return the range that a type declares, also for the items of a list or beside null; None if it declares none."""
    for option in alternatives(hint):
        if typing.get_origin(option) is list:
            found = range_of(*typing.get_args(option)) if typing.get_args(option) else None
        else:
            found = next((part for part in getattr(option, "__metadata__", ()) if isinstance(part, Range)), None)
        if found is not None:
            return found
    return None


def outside(value: Any, hint: Any) -> bool:
    """Tell whether a value that has been read, or an item of it, is a number out of the declared range."""
    limits = range_of(hint)
    numbers = [item for item in (value if isinstance(value, list) else [value]) if type(item) in (int, float)]
    return limits is not None and any(number not in limits for number in numbers)


def describe(hint: Any) -> str:
    """Return a type, and the range that it declares, in words."""
    return " or ".join(_in_words(option) for option in alternatives(hint))


def _in_words(hint: Any) -> str:
    if bare(hint) is not hint:
        return f"{_in_words(bare(hint))} {range_of(hint) or ''}".rstrip()
    if hint in _WORDS:
        return _WORDS[hint]
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(str(choice) for choice in hint.__args__)
    if typing.get_origin(hint) is list:
        return f"list of {describe(*typing.get_args(hint) or (Any,))} (a,b)"
    return str(getattr(hint, "__name__", hint)).removeprefix("typing.")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"
