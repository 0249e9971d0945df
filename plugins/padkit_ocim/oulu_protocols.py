"""The protocols of OULU-NPU, from its lists or from the names of its videos."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from padkit.data.presentation import SPLITS, Division
from padkit.errors import DataError
from padkit_ocim.annotations import stem, text_lines

PHONES = range(1, 7)
PROTOCOLS = ("1", "2", *(f"{number}.{phone}" for number in (3, 4) for phone in PHONES))
LAST_USERS = {"train": 20, "dev": 35, "test": 55}
PLAIN = re.compile(r"([1-6])_([1-3])_(\d\d)_([1-5])")
# The first release, for a competition, hid the names of the test videos: five digits, phone, content, session and user,
# written in hexadecimal. All such names in the lists of bob.db.oulunpu can be read in this way.
HIDDEN = re.compile(r"[0-9A-F]{5}", re.IGNORECASE)
HIDDEN_DIGITS = re.compile(r"([1-6])([1-5])([1-3])(\d\d)")
LIST_LINE = re.compile(r"(\+1|-1|-2)\s*[,\s]\s*(\S.*)")


@dataclass(frozen=True, slots=True, order=True)
class OuluName:
    """The fields of a video's name `P_S_UU_F`.

    Attributes:
        phone: P, 1 to 6.
        session: S, 1 to 3.
        user: UU, 1 to 55.
        content: F: 1 live, 2 and 3 prints of two printers, 4 and 5 replays on two displays.
    """

    phone: int
    session: int
    user: int
    content: int

    @property
    def id(self) -> str:
        """The name in its usual form."""
        return f"{self.phone}_{self.session}_{self.user:02d}_{self.content}"

    @property
    def split(self) -> str:
        """`train`, `dev` or `test`, by the user."""
        return next(split for split, last in LAST_USERS.items() if self.user <= last)


def read_name(text: str) -> OuluName:
    """Return the fields of a video's name, which is given without its suffix.

    Raises:
        ValueError: It is not one of OULU-NPU's.
    """
    if plain := PLAIN.fullmatch(text):
        phone, session, user, content = map(int, plain.groups())
    elif HIDDEN.fullmatch(text) and (digits := HIDDEN_DIGITS.fullmatch(str(int(text, 16)))):
        phone, content, session, user = map(int, digits.groups())
    else:
        raise ValueError("unknown name")
    if not 1 <= user <= LAST_USERS["test"]:
        raise ValueError(f"unknown user {user}")
    return OuluName(phone, session, user, content)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which phones, sessions and contents one side of a protocol uses."""

    phones: frozenset[int] = frozenset(PHONES)
    sessions: frozenset[int] = frozenset({1, 2, 3})
    contents: frozenset[int] = frozenset({1, 2, 3, 4, 5})

    def admit(self, name: OuluName) -> bool:
        """Return whether a video meets the conditions."""
        return name.phone in self.phones and name.session in self.sessions and name.content in self.contents


def conditions(protocol: str) -> tuple[Conditions, Conditions]:
    """Return the conditions of train and dev, and those of test (Boulkenafet et al., FG 2017, table III).

    1 leaves out session 3, 2 a printer and a display, 3.k phone k, and 4.k all three at once.
    """
    number, _, fold = protocol.partition(".")
    known, unseen = Conditions(), Conditions()
    if number in "14":
        known, unseen = replace(known, sessions=frozenset({1, 2})), replace(unseen, sessions=frozenset({3}))
    if number in "24":
        known, unseen = replace(known, contents=frozenset({1, 2, 4})), replace(unseen, contents=frozenset({1, 3, 5}))
    if number in "34":
        left_out = frozenset({int(fold)})
        known, unseen = replace(known, phones=known.phones - left_out), replace(unseen, phones=left_out)
    return known, unseen


class Divisions(Mapping[str, Division]):
    """The protocols by name; a list is read, and errors in it are raised, when its protocol is looked up.

    Args:
        names: Every video on disk.
        folders: Folders `Protocol_<n>` by n.
        source: `files`: the lists must exist; `names`: they are not read; `auto`: if all lists of a protocol are
            absent, it is divided by the names.
    """

    def __init__(
        self, names: Iterable[OuluName], folders: Mapping[str, Path], source: Literal["auto", "files", "names"]
    ) -> None:
        self.names = tuple(sorted(names))
        self.folders = folders
        self.source = source

    def __iter__(self) -> Iterator[str]:
        return iter(PROTOCOLS)

    def __len__(self) -> int:
        return len(PROTOCOLS)

    def __getitem__(self, protocol: str) -> Division:
        if protocol not in PROTOCOLS:
            raise KeyError(protocol)
        number, _, fold = protocol.partition(".")
        folder = self.folders.get(number, Path(f"Protocol_{number}"))
        lists = {split: folder / f"{split.capitalize()}{fold and '_'}{fold}.txt" for split in SPLITS}
        absent = [path.name for path in lists.values() if not path.is_file()]
        if self.source == "names" or (self.source == "auto" and len(absent) == len(lists)):
            return self._by_names(protocol)
        if absent:
            where = folder if number in self.folders else f"folder {folder} below the root"
            raise DataError(
                f"Protocol {protocol} lacks {' and '.join(absent)} in {where}; get the lists, or set lists to names."
            )
        known = {name.id for name in self.names}
        return _division(lambda split: _listed(lists[split], known))

    def _by_names(self, protocol: str) -> Division:
        seen, unseen = conditions(protocol)
        return _division(
            lambda split: tuple(
                name.id
                for name in self.names
                if name.split == split and (unseen if split == "test" else seen).admit(name)
            )
        )


def _division(part: Callable[[str], tuple[str, ...]]) -> Division:
    return Division(train=part("train"), dev=part("dev"), test=part("test"))


def _listed(path: Path, known: set[str]) -> tuple[str, ...]:
    """Return the ids of one list: lines `+1,1_1_01_1` for live, -1 or -2 for attacks."""
    ids: dict[str, None] = {}
    for line, text in text_lines(path):
        try:
            live, name = _list_line(text)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {text!r} is not of the form +1,1_1_01_1.") from error
        if live != (name.content == 1):
            raise DataError(f"{path}, line {line}: {text!r} contradicts the name, of which only content 1 is live.")
        if name.id not in known:
            raise DataError(f"{path}, line {line}: {name.id} has no video below the root.")
        ids[name.id] = None
    if not ids:
        raise DataError(f"{path}: the list is empty.")
    return tuple(ids)


def _list_line(text: str) -> tuple[bool, OuluName]:
    match = LIST_LINE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match[1] == "+1", read_name(stem(match[2]))
