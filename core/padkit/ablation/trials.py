"""The protocols that an ablation runs: checks their names, and lists the folds of official protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from padkit.data.presentation import Division
from padkit.data.protocols.names import Official, file_name, parse
from padkit.data.protocols.official import folds
from padkit.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Trials:
    """The targets or protocols that every cell is run on.

    Attributes:
        names: Targets, or protocols; each fold is one entry.
        folds: Protocol that was named without a fold -> its folds among `names`.
        official: Whether one of them is an official protocol.
    """

    names: Sequence[str]
    folds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    official: bool = False


def resolve_protocols(asked: Sequence[str], official: Callable[[], Mapping[str, Division]]) -> Trials:
    """Return the requested protocols; `oulu-npu:3` stands for all its folds.

    Args:
        asked: Names (see `padkit.data.protocols.names`).
        official: Reads the official protocols of the data; called only if one is requested.

    Raises:
        SettingsError: A name is malformed, or two would share a folder.
        DataError: The official protocols cannot be read.
    """
    names = [parse(text) for text in asked]
    some_official = any(isinstance(name, Official) for name in names)
    known = official() if some_official else {}
    found: dict[str, None] = {}
    divided: dict[str, Sequence[str]] = {}
    for name in names:
        if isinstance(name, Official) and (several := folds(str(name), known)):
            divided[str(name)] = several
        found |= dict.fromkeys(divided.get(str(name), [str(name)]))
    check_folders("protocols", list(found))
    return Trials(list(found), divided, some_official)


def check_folders(kind: str, names: Sequence[str]) -> None:
    """Refuse names of `kind` that would share a folder (`padkit.data.protocols.names.file_name`).

    Raises:
        SettingsError: Two would.
    """
    owners: dict[str, str] = {}
    for one in names:
        twin = owners.setdefault(file_name(one).lower(), one)
        if twin != one:
            raise SettingsError(f"{kind} {twin} and {one} would share a folder; run one of them under another --out.")
