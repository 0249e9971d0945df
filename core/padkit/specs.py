"""The records that hooks return: what a component is called and where its class is, nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """One component a plugin offers.

    Attributes:
        name: What a user types, for example `daa`; lower case letters, digits, `-` and `_`.
        summary: One line for `padkit plugins` (and for `padkit --help`, of a command).
        factory: The class, or better its lazy address `"module:Class"`, so that listing imports nothing heavy.
            Its keyword-only parameters, typed and described in its docstring, are the component's settings;
            its positional parameters are what padkit hands over (see `padkit.roles`).
        extra: The pip extra or requirement to name when importing the factory fails.
        licence: Licence of the weights or data that the component brings or downloads.
    """

    name: str
    summary: str
    factory: Callable[..., Any] | str
    extra: str = ""
    licence: str = ""


class TeacherSpec(ComponentSpec):
    """A frozen network that hands its features to the student."""


class AlignerSpec(ComponentSpec):
    """A method that makes the source domains alike."""


class StudentSpec(ComponentSpec):
    """A backbone to train."""


class DatasetSpec(ComponentSpec):
    """A reader of presentations."""


class AugmentationSpec(ComponentSpec):
    """A variation of single training images."""


class CommandSpec(ComponentSpec):
    """A subcommand of `padkit`: `factory` is a function `main(arguments: Sequence[str]) -> int`, the exit status.

    It gets the words after its name, `--help` among them; a `PadkitError` that it raises is shown as one line.
    """
