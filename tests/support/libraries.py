"""An environment of chosen libraries: a folder of links to what is installed here, where all else is missing.

`python -S` with such a folder on PYTHONPATH sees the standard library, the folder, and nothing else. As a command it
fills a folder with what padkit needs without extras: `python tests/support/libraries.py FOLDER`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ITSELF = "padkit"


def needs(name: str, extra: str = "") -> list[Requirement]:
    """Return what a distribution asks for on this machine, or what one of its extras adds to that."""
    asked = [Requirement(line) for line in requires(name) or []]
    always = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    if not extra:
        return always
    return [one for one in asked if one not in always and one.marker and one.marker.evaluate({"extra": extra})]


def closure(extras: Iterable[str] = ()) -> set[str]:
    """Return the distributions that padkit with `extras` brings, itself among them, and all that these ask for."""
    found: set[str] = set()
    done: set[tuple[str, str]] = set()
    queue = [(ITSELF, ""), *((ITSELF, extra) for extra in extras)]
    while queue:
        name, extra = queue.pop()
        if (name, extra) not in done:
            done.add((name, extra))
            found.add(name)
            for one in needs(name, extra):
                asked = canonicalize_name(one.name)
                queue += [(asked, ""), *((asked, more) for more in one.extras)]
    return found


def link(names: Iterable[str], folder: Path) -> Path:
    """Link the packages and modules of these distributions, and what tells of them, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        here = distribution(name)
        tops = {file.parts[0] for file in here.files or []} - {"..", "__pycache__"}
        for top in tops:
            if not (folder / top).is_symlink():
                (folder / top).symlink_to(Path(str(here.locate_file(top))))
    return folder


if __name__ == "__main__":
    link(closure() - {ITSELF}, Path(sys.argv[1]))
