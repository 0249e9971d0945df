"""A layout that a user states: a path pattern with named parts, `{label}/{subject}/{domain}/*`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from padkit.errors import DataError, SettingsError, closest

PARTS = ("label", "domain", "split", "subject", "presentation", "attack_type", "species", "device", "session")
TOKEN = re.compile(r"\{(?P<part>[^{}/]*)\}|(?P<star>\*+)|(?P<text>[^{}*]+)|(?P<odd>.)")
EXPLAINED = "write {NAME} for a part, * for any text within a level, ** for any number of levels"


class Layout:
    """What the levels of a path mean.

    `{NAME}` is a part (`PARTS`) within one level, up to the next text that the pattern holds; `*` any text within a
    level; `**` alone any number of levels. A part named twice must be the same text in both places.

    Args:
        text: The pattern, from the root to the file: `{domain}/{label}/{subject}/*`, `**/{label}/{subject}_*.jpg`.
        setting: The option that states it, for messages.

    Attributes:
        text: The pattern.
        parts: The parts it names.

    Raises:
        SettingsError: The pattern is blank or malformed, or names an unknown part.
    """

    def __init__(self, text: str, setting: str = "--data.layout") -> None:
        self.text, self.setting = text, setting
        self.parts: tuple[str, ...] = ()
        levels = text.strip().strip("/").split("/")
        if "" in levels:
            raise SettingsError(f"{setting} {text!r} has a blank level; {EXPLAINED}.")
        compiled = [self._level(level, last=place == len(levels) - 1) for place, level in enumerate(levels)]
        self._pattern = re.compile("".join(compiled))
        # The presentation is named by its folders too, as two persons may both have a clip `1`, and by its label.
        self._clip = next((place for place, level in enumerate(levels) if "{presentation}" in level), None)
        self._rest = 0 if self._clip is None else len(levels) - 1 - self._clip
        self._label_below = self._clip is not None and any("{label}" in level for level in levels[self._clip :])
        if self._clip is not None and "**" in levels[self._clip :]:
            raise SettingsError(f"{setting} {text!r} has ** below {{presentation}}; write a * for each level.")

    def read(self, path: str, where: str) -> dict[str, str]:
        """Return part -> text of a path, with `/` between its levels.

        Raises:
            DataError: The path does not fit; the error begins with `where`.
        """
        match = self._pattern.fullmatch(path)
        if match is None:
            raise DataError(f"{where} does not fit {self.setting} {self.text!r}; {EXPLAINED}.")
        return dict(match.groupdict())

    def presentation(self, path: str, parts: dict[str, str]) -> str:
        """Return the name of the path's presentation: the path itself, or its folders and the part `presentation`."""
        if self._clip is None:
            return path
        levels = path.split("/")
        name = "/".join((*levels[: len(levels) - 1 - self._rest], parts["presentation"]))
        return f"{name} {parts['label']}" if self._label_below else name

    def _level(self, level: str, *, last: bool) -> str:
        if level == "**":
            return ".+" if last else "(?:[^/]+/)*"
        if open_end := re.search(r"\}(\{|\*)", level):
            raise SettingsError(
                f"{self.setting} {self.text!r} leaves open where a part ends ({open_end[0]}); put a text between."
            )
        found = "".join(self._token(token, level) for token in TOKEN.finditer(level))
        return found if last else f"{found}/"

    def _token(self, token: re.Match[str], level: str) -> str:
        if token["text"] is not None:
            return re.escape(token["text"])
        if token["star"] is not None and token["star"] == "*":
            return "[^/]*"
        part = token["part"]
        if part is None:
            raise SettingsError(f"{self.setting} {self.text!r} is malformed at {level!r}; {EXPLAINED}.")
        if part not in PARTS:
            raise SettingsError(f"{self.setting} {self.text!r} names an unknown part {part!r}.{closest(part, PARTS)}")
        if part in self.parts:
            return f"(?P={part})"
        self.parts = (*self.parts, part)
        return f"(?P<{part}>[^/]+?)"


def suggested(levels: Sequence[str]) -> str:
    """Return the words of a command line that state a layout of these levels, file level left out."""
    return f"--data.layout '{'/'.join((*levels, '*'))}'"
