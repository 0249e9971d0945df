"""The role of a peer: how another program's network wants its pictures, and what its numbers mean. Imports no torch.

A description holds facts from the peer's own documentation; nobody can prove from outside that it is what the network
was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from padkit.errors import SettingsError, closest

COLOURS = ("rgb", "bgr")
BEYOND = ("inside", "clip", "edge", "black")
RESIZES = ("linear", "cubic", "smooth")
LAYOUTS = ("nchw", "nhwc")
OUTPUTS = ("auto", "logits", "probabilities", "sigmoid")
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one file of a peer takes of a face.

    Attributes:
        width, height: Of the network's input, in pixels.
        colour: Order of its channels: `rgb` or `bgr`.
        mean, deviation: By channel, in that order: the input is (pixel - mean) / deviation, pixels in 0..255.
        scale: Width and height that are cut, as multiples of the face box's; its middle stays.
        square: Whether the longer of the two is cut in both directions; otherwise the result is stretched.
        beyond: What to do beyond the picture. `inside`: shrink the cut until it fits and move it inside (Silent-Face);
            `clip`: cut only what is there; `edge`: repeat the edge; `black`: fill with zeros.
        resize: `linear` or `cubic`, which look at the nearest pixels alone, as OpenCV's do, or `smooth`, antialiased
            as padkit's crops.
        layout: Axes of the input: `nchw` or `nhwc`.
        about: Which of the peer's files this is for, in words.
    """

    width: int
    height: int
    colour: str = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: tuple[float, float] = (1.0, 1.0)
    square: bool = False
    beyond: str = "clip"
    resize: str = "linear"
    layout: str = "nchw"
    about: str = ""

    def __post_init__(self) -> None:
        for name, known in (("colour", COLOURS), ("beyond", BEYOND), ("resize", RESIZES), ("layout", LAYOUTS)):
            _one_of(name, getattr(self, name), known)
        if not all(isinstance(side, int) and 1 <= side <= 4096 for side in (self.width, self.height)):
            raise SettingsError(f"a view of {self.width} x {self.height}: give whole pixels from 1 to 4096.")
        for name, length in (("mean", 3), ("deviation", 3), ("scale", 2)):
            _numbers(name, getattr(self, name), length, positive=name != "mean")
        if max(self.scale) > 100:
            raise SettingsError(f"scale {list(self.scale)}: gives multiples of the face box, at most 100.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another program's model: one or several networks that judge one face, whose P(bona fide) are averaged.

    Attributes:
        views: One for each file, in the order in which the files are named.
        live: Which number of an output is that of bona fide, from 0.
        outputs: What the numbers are: `logits` (softmax is still to be taken), `probabilities`, `sigmoid` (one logit),
            or `auto`: probabilities where each row of a file's outputs sums to one, logits otherwise.
        attack_scores: Whether the number `live` is P(attack) in truth; for networks with one output.
        source: Where these facts are from.
    """

    views: tuple[View, ...]
    live: int = 0
    outputs: str = "auto"
    attack_scores: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if not self.views:
            raise SettingsError("a peer has no view; describe one for each of its files.")
        _one_of("outputs", self.outputs, OUTPUTS)
        if not isinstance(self.live, int) or self.live < 0:
            raise SettingsError(f"live {self.live!r}: is the number of an output, 0 or more.")


def read_peer(path: Path) -> Peer:
    """Read a description from a YAML file, whose keys are the attributes of `Peer` and, below `views`, of `View`.

    Raises:
        SettingsError: It cannot be read, a key is unknown or missing, or a value is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--adapter {path}: {error.strerror}; give a YAML file or a known name.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"--adapter {path} is not valid YAML ({' '.join(str(error).split())}).") from error
    try:
        entries = _known(Peer, content)
        views = tuple(View(**_tuples(_known(View, each))) for each in _listed(entries["views"]))
        return Peer(**{**entries, "views": views})
    except SettingsError as error:
        raise SettingsError(f"--adapter {path}: {error}") from error


def _known(kind: type[Peer | View], content: object) -> dict[str, Any]:
    """Return a mapping whose keys are attributes of `kind`, those without a default among them."""
    if not isinstance(content, Mapping):
        raise SettingsError(f"holds no `name: value` lines for a {kind.__name__.lower()}.")
    names = {item.name: item for item in fields(kind)}
    for key in content:
        if key not in names:
            raise SettingsError(f"unknown key {key!r}.{closest(str(key), names)}")
    if absent := [name for name, item in names.items() if item.default is MISSING and name not in content]:
        raise SettingsError(f"lacks {', '.join(absent)}.")
    return dict(content)


def _listed(views: object) -> list[object]:
    if not isinstance(views, list):
        raise SettingsError("views: is no list; begin each with a dash.")
    return views


def _tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a view with lists as tuples; one number for `scale` counts in both directions."""
    found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entries.items()}
    for key, length in (("scale", 2), ("mean", 3), ("deviation", 3)):
        if isinstance(number := found.get(key), int | float):
            found[key] = (float(number),) * length
    return found


def _one_of(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise SettingsError(f"{name} {value!r} is unknown.{closest(str(value), known)}")


def _numbers(name: str, value: object, length: int, *, positive: bool) -> None:
    right = isinstance(value, tuple) and len(value) == length and all(isinstance(one, int | float) for one in value)
    if not right or (positive and not all(one > 0 for one in value)):  # type: ignore[attr-defined]
        raise SettingsError(f"{name} {value!r}: write {length} numbers{' above 0' if positive else ''}.")
