"""What a label value means: the one place that turns words and numbers of files, folders and columns into labels.

Every reader and `padkit evaluate` ask `LabelValues`; `LabelCount` writes the line that says how labels were read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError, closest, nearest

WORDS = {
    **dict.fromkeys(("live", "bonafide", "bona_fide", "real", "genuine"), BONA_FIDE),
    **dict.fromkeys(("spoof", "attack", "attacks", "fake"), ATTACK),
}
NUMBERS = {"1": BONA_FIDE, "0": ATTACK}
TRUTHS = {"true": "1", "false": "0"}
NAMES = {BONA_FIDE: "bona fide", ATTACK: "attack"}
# Words of a column's name that leave open which value is meant.
NEUTRAL = frozenset(
    ("is", "label", "labels", "flag", "target", "class", "gt", "y", "true", "binary", "score", "scores", "prob", "p",
     "probability", "confidence", "logit")
)  # fmt: skip
CLAIMS = WORDS | {"liveness": BONA_FIDE, "spoofing": ATTACK, "spoofed": ATTACK, "bona": BONA_FIDE, "fide": BONA_FIDE}
DENIALS = frozenset({"not", "non", "no"})
MOST = 8  # values of one label that the line shows


def plain(value: object) -> str:
    """Return a label value as it is compared: `Bona-Fide ` is `bona_fide`; `1.0`, `+1` and `True` are `1`."""
    text = str(value).strip().lower()
    if re.fullmatch(r"[-+]?[0-9]+(\.0*)?", text):
        return str(int(text.partition(".")[0]))
    text = re.sub(r"[\s_-]+", "_", text)
    return TRUTHS.get(text, text)


def is_number(name: str) -> bool:
    """Return whether a plain value is a whole number."""
    return re.fullmatch(r"-?[0-9]+", name) is not None


def claim(column: str) -> int | None:
    """Return the label that a column's name says its 1 means: `is_spoof` attack, `liveness_label` bona fide; or None.

    Names that say more (`spoof_type`) or both (`live_or_spoof`) claim nothing.
    """
    words = [word for word in re.split(r"[^a-z]+", column.lower()) if word and word not in NEUTRAL]
    said = {CLAIMS.get(word) for word in words if word not in DENIALS}
    if len(said) != 1 or None in said:
        return None
    label = said.pop()
    return label if label is None or not DENIALS & {*words} else 1 - label


def path_label(path: str) -> int | None:
    """Return the label that folders of a path name by a word (`data/live/7.png`); None if none does, or both do."""
    said = {WORDS[name] for name in map(plain, re.split(r"[/\\]", path)[:-1]) if name in WORDS}
    return said.pop() if len(said) == 1 else None


@dataclass(frozen=True, slots=True)
class LabelValues:
    """What the label values of one dataset or file mean.

    Words of `WORDS` always mean the same. 1 is bona fide and 0 attack, unless the user or the column's name says
    otherwise.

    Attributes:
        stated: Plain values that the user says are bona fide. If a number is among them, every other number is an
            attack; if a word is, every word that `WORDS` does not know is an attack.
        option: How a user states them, for messages.
        one: What 1 means where no number is stated; 0 means the other.
        column: Name of the column whose name says so, or "".
    """

    stated: tuple[str, ...] = ()
    option: str = "--bona-fide"
    one: int = BONA_FIDE
    column: str = ""

    @property
    def numbers_stated(self) -> bool:
        """Whether the user says what numbers mean."""
        return any(map(is_number, self.stated))

    @property
    def words_stated(self) -> bool:
        """Whether the user has words of their own."""
        return not all(map(is_number, self.stated))

    def meaning(self, value: object) -> int | None:
        """Return 1 (bona fide) or 0 (attack), or None if the value is no label."""
        name = plain(value)
        if name in self.stated:
            return BONA_FIDE
        if is_number(name):
            if self.numbers_stated:
                return ATTACK
            return self.one if name == "1" else 1 - self.one if name == "0" else None
        if name in WORDS or not name or not self.words_stated:
            return WORDS.get(name)
        return None if nearest(name, self._bona_fide()) else ATTACK

    def names_label(self, value: object) -> bool:
        """Return whether a value is one of the known or stated ones, not only an attack because it is any other."""
        name = plain(value)
        return name in self.stated or name in WORDS or (is_number(name) and self.meaning(name) is not None)

    def read(self, value: object, where: str) -> int:
        """Return 1 (bona fide) or 0 (attack).

        Raises:
            DataError: The value is no label. The error begins with `where` and says how to state what it means.
        """
        label = self.meaning(value)
        if label is None:
            raise DataError(f"{where}: {self.refusal(value)}")
        return label

    def refusal(self, value: object) -> str:
        """Return why a value is no label and how to state what it means."""
        text, name = str(value), plain(value)
        if not name:
            return "the label is blank; give every row one."
        state = f"State which value is bona fide: {self.option} {'1' if is_number(name) else 'VALUE'}."
        known = [*WORDS, *NUMBERS, *self.stated]
        return f"unknown label {text!r}.{closest(name, known)} {state}"

    def said_by(self, column: str) -> LabelValues:
        """Return these values for a column whose name may say what 1 means (`is_spoof`)."""
        said = claim(column)
        if said is None or self.numbers_stated:
            return self
        return LabelValues(self.stated, self.option, said, column)

    def _bona_fide(self) -> list[str]:
        return [name for name in (*WORDS, *self.stated) if WORDS.get(name) != ATTACK and not is_number(name)]


def stated_values(bona_fide: Iterable[object] | None, option: str) -> LabelValues:
    """Return the meaning of label values where a user may have said which are bona fide.

    Args:
        bona_fide: Those values, or None.
        option: The option that states them, for messages.

    Raises:
        SettingsError: A value is blank, or a word that means an attack.
    """
    found = tuple(dict.fromkeys(map(plain, bona_fide or ())))
    for name in found or (() if bona_fide is None else ("",)):
        if not name:
            raise SettingsError(f"{option} has a blank value; write {option} client, or {option} 0.")
        if WORDS.get(name) == ATTACK:
            raise SettingsError(f"{option} {name!r}: this word means an attack everywhere in padkit; rename it.")
    return LabelValues(found, option)


@dataclass(slots=True)
class LabelCount:
    """Reads labels and counts what each value was taken for.

    Attributes:
        values: What values mean.
        counts: How often each (value as written, label) occurred.
        paths: How often a path agreed with its label (True) or contradicted it (False).
        example: A path that contradicted its label, or "".
    """

    values: LabelValues
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    paths: Counter[bool] = field(default_factory=Counter)
    example: str = ""

    def read(self, value: object, where: str, count: int = 1) -> int:
        """Return the label of a value that occurs `count` times; see `LabelValues.read`."""
        label = self.values.read(value, where)
        self.add(value, label, count)
        return label

    def add(self, value: object, label: int, count: int = 1) -> None:
        """Count a value that was taken for `label`."""
        self.counts[str(value).strip(), label] += count

    def compare(self, path: str, label: int) -> None:
        """Compare a label with the one that the folders of its path name, if they name one."""
        said = path_label(path)
        if said is not None:
            self.paths[said == label] += 1
            self.example = self.example if said == label else self.example or path

    def lines(self, by: str, column: str = "") -> list[str]:
        """Return the line that says how labels were read, and warnings where a column's name or paths contradict it.

        Args:
            by: Where the values were found, such as `folder name`.
            column: The column's name, if there is one.
        """
        numbers = any(is_number(plain(value)) for value, _ in self.counts)
        parts = [self._of(label) for label in (BONA_FIDE, ATTACK)]
        return [f"labels: {', '.join(parts)}, by {by}{self._why(numbers)}", *self._doubts(column, numbers)]

    def _of(self, label: int) -> str:
        found = Counter({value: count for (value, meant), count in self.counts.items() if meant == label})
        if not found:
            return f"no {NAMES[label]}"
        shown = [f"{value!r} = {NAMES[label]} ({count})" for value, count in found.most_common(MOST)]
        rest = [count for _, count in found.most_common()[MOST:]]
        return ", ".join(shown) + (f" and {len(rest)} other values ({sum(rest)})" if rest else "")

    def _why(self, numbers: bool) -> str:
        values = self.values
        if values.stated:
            return f", as {values.option} {','.join(values.stated)} states."
        if not numbers:
            return "."
        if values.column:
            return f", whose name says what 1 means; if it is wrong, state the bona fide value with {values.option}."
        return f"; if 1 means attack, add {values.option} 0."

    def _doubts(self, column: str, numbers: bool) -> Sequence[str]:
        doubts = []
        if numbers and not self.values.numbers_stated and not all(is_number(plain(value)) for value, _ in self.counts):
            doubts.append("warning: both words and numbers name labels; check that 1 means the same as the words.")
        said, one = claim(column), self.values.meaning("1")
        if said is not None and numbers and one is not None and one != said:
            stated = f"{self.values.option} {','.join(self.values.stated)}"
            doubt = f"so 1 should mean {NAMES[said]}, but {stated} takes it for {NAMES[one]}."
            doubts.append(f"warning: the column is called {column!r}, {doubt}")
        if wrong := self.paths[False]:
            among = f"{wrong} of {self.paths.total()} paths with a folder that names a label"
            doubts.append(f"warning: {among} contradict their label, the first {self.example!r}; check the labels.")
        return doubts
