"""The names of protocols and their grammar.

    across   = domains "->" domains     O&C&I->M  M&I->C    train on the left, test on the right
                                        O->C&I&M            several targets: each is tested alone, then all pooled
    intra    = "intra:" domain          intra:celeba-spoof  train and test within one domain, by its own splits
    official = dataset ":" protocol     oulu-npu:1          a published division of one dataset
                                        oulu-npu:3.2        its protocol 3, fold 2
    domains  = domain {"&" domain}

Domains and datasets are those of the data's columns `domain` and `dataset`. Blanks around names and signs are ignored.
A name with `&`, `->`, `,`, `"` or blanks at its ends, or a dataset with `:`, must be in double quotes as in JSON:
`"R&D"->hall`. A shell needs single quotes around the whole name: `--protocol 'O&C&I->M'`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from padkit.errors import SettingsError

INTRA = "intra"
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|->|&|(?:(?!->)[^&"])+|"')
_ONE = r'(?:"(?:[^"\\]|\\.)*"|[^":&]+)'
_PAIR = re.compile(rf"\s*({_ONE}?)\s*:\s*(\"(?:[^\"\\]|\\.)*\"|[^\"]*)\s*", re.DOTALL)
_FORMS = "write A&B->C, intra:A or an official protocol such as oulu-npu:1"


@dataclass(frozen=True, slots=True)
class Across:
    """Train on some domains, test on others."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def __str__(self) -> str:
        return f"{joined(self.sources)}->{joined(self.targets)}"


@dataclass(frozen=True, slots=True)
class Intra:
    """Train and test within one domain."""

    domain: str

    def __str__(self) -> str:
        return f"{INTRA}:{quoted(self.domain)}"


@dataclass(frozen=True, slots=True)
class Official:
    """A published protocol of a dataset; `protocol` is "1", or "3.2" for fold 2 of protocol 3."""

    dataset: str
    protocol: str

    def __str__(self) -> str:
        dataset = self.dataset
        unclear = ":" in dataset or dataset == INTRA
        return f"{json.dumps(dataset, ensure_ascii=False) if unclear else quoted(dataset)}:{quoted(self.protocol)}"


Name = Across | Intra | Official


def parse(text: str) -> Name:
    """Read the name of a protocol; `parse(str(name)) == name` for every name.

    Raises:
        SettingsError: The name does not follow the grammar, or contains a domain twice.
    """
    tokens = [token.strip() for token in _TOKENS.findall(text)]
    tokens = [token for token in tokens if token]
    if "->" in tokens:
        if tokens.count("->") > 1:
            raise _unreadable(text, "it has more than one arrow")
        at = tokens.index("->")
        sources, targets = (_domains(text, side) for side in (tokens[:at], tokens[at + 1 :]))
        both = [name for name in sources if name in targets]
        if both:
            raise _unreadable(text, f"{both[0]!r} is among the sources and the targets")
        return Across(sources, targets)
    match = _PAIR.fullmatch(text)
    if match is None:
        raise _unreadable(text, "it has neither an arrow nor a colon")
    left, right = match[1].strip(), match[2].strip()
    if left == INTRA:
        if not right.startswith('"') and "&" in right:
            raise _unreadable(text, f"{INTRA} takes one domain")
        return Intra(_unquoted(text, right))
    return Official(_unquoted(text, left), _unquoted(text, right))


def quoted(name: str) -> str:
    """Return a domain's or dataset's name as a protocol's name contains it: in double quotes if it would be misread."""
    plain = name and name == name.strip() and not any(sign in name for sign in ('"', "&", ",", "->"))
    return name if plain else json.dumps(name, ensure_ascii=False)


def joined(names: Iterable[str]) -> str:
    """Return the names of domains as one side of an arrow."""
    return "&".join(map(quoted, names))


def split(text: str) -> list[str]:
    """Split a list of protocols at its commas, except those within quotes."""
    return [word.strip() for word in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,])+', text)]


def file_name(name: str) -> str:
    """Return a protocol's name without characters that file systems or shells do not accept: `O+C+I-to-M`."""
    plain = name.replace("->", "-to-").replace("&", "+")
    return re.sub(r"[^\w.+=-]+", "-", plain).lstrip(".-") or "_"


def _domains(text: str, tokens: list[str]) -> tuple[str, ...]:
    names, signs = tokens[::2], tokens[1::2]
    if len(tokens) % 2 == 0 or any(sign != "&" for sign in signs) or "&" in names:
        raise _unreadable(text, "the domains on each side of the arrow are one or more names with & between them")
    found = tuple(_unquoted(text, name) for name in names)
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise _unreadable(text, f"{twice!r} stands there twice")
    return found


def _unquoted(text: str, word: str) -> str:
    if not word.startswith('"'):
        if not word or '"' in word:
            raise _unreadable(text, "a name is missing or has a quotation mark in its middle")
        return word
    try:
        return str(json.loads(word))
    except ValueError as error:
        raise _unreadable(text, f"{word!r} is no text in double quotes") from error


def _unreadable(text: str, cause: str) -> SettingsError:
    return SettingsError(f"protocol {text!r}: {cause}; {_FORMS}.")
