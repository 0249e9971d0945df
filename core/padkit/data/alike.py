"""Names that are probably one: they differ only in case, spaces, leading zeros or the way an accent is encoded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from padkit.files import printable

KINDS = {"subject": "subjects", "species": "species", "domain": "domains"}


def folded_name(name: str) -> str:
    """Return a name as it is compared: `Anna `, `anna` and `ANNA` are one, `print-1` and `print 1`, `007` and `7`."""
    text = re.sub(r"[\s_-]+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)


def alike(names: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a warning for each kind of name of which several are probably one and count as different.

    Args:
        names: Kind (`KINDS`) -> its names, in any order and number.
    """
    lines = []
    for kind, found in names.items():
        groups: dict[str, list[str]] = {}
        for name in sorted({*found} - {""}):
            groups.setdefault(folded_name(name), []).append(name)
        several = [group for group in groups.values() if len(group) > 1]
        if several:
            shown = printable(" and ".join(map(repr, several[0])))
            more = f" (and so in {len(several) - 1} other cases)" if several[1:] else ""
            lines.append(
                f"warning: {KINDS[kind]} {shown} count as different and are written almost alike{more}; if they are "
                "the same, write them alike."
            )
    return lines
