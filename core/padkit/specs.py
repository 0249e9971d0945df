"""The records that hooks return: only the name of a component and where its class is."""

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
        factory: The class, or preferably its lazy address `"module:Class"`, so that listing imports nothing heavy. Its
            keyword-only parameters, typed and described in its docstring, are the component's settings; its positional
            parameters are what padkit hands over (see `padkit.roles`).
        extra: The pip extra or requirement that the error names if the factory cannot be imported.
        licence: Licence of the weights or data that the component brings or downloads.
    """

    name: str
    summary: str
    factory: Callable[..., Any] | str
    extra: str = ""
    licence: str = ""


class TeacherSpec(ComponentSpec):
    """A frozen network whose features the student learns to reproduce."""


class AlignerSpec(ComponentSpec):
    """A method that makes the source domains alike."""


class StudentSpec(ComponentSpec):
    """A backbone to train."""


class DatasetSpec(ComponentSpec):
    """A reader of presentations."""


class AugmentationSpec(ComponentSpec):
    """A variation of single training images."""


class PeerSpec(ComponentSpec):
    """The description of another program's model: `factory` is a function without parameters that returns a `Peer`."""


class ModelSpec(ComponentSpec):
    """A trained model that the distribution brings: `factory` is a function without parameters that returns its folder.

    The folder is a `pathlib.Path` and holds a bundle (`padkit.deploy.bundle`). The name stands wherever MODEL does.
    """


class CommandSpec(ComponentSpec):
    """A subcommand of `padkit`: `factory` is a function `main(arguments: Sequence[str]) -> int`, the exit status.

    It gets the arguments after its name, including `--help`; a `PadkitError` that it raises is shown as one line.
    """
