"""How a simulated person's hair is cut and coloured (`Hair`), drawn from a table of styles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, between, floats, linear_from_hex

DARK_HAIR = ("0c0a09", "14100d", "1d1511", "231812")
BROWN_HAIR = ("54402f", "614834", "6b4632")
FAIR_HAIR = ("c4a26a", "d8b880", "e8d2a2", "c79f6c")
GREY_HAIR = ("a9a8a6", "d2d1ce", "8f8e8c", "e4e3e0")
# Shares of dark, brown, fair and grey hair.
YOUNG_COLOURS, OLD_COLOURS = (0.32, 0.15, 0.80, 0.01), (0.09, 0.04, 0.12, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A haircut as ranges to draw values from; lengths in canonical units.

    Attributes:
        top, side: Thickness over the crown and at the sides.
        end: y where the sides end.
        hairline: y of the hairline in the middle of the forehead.
        recession: How far the hairline recedes at the temples.
        fringe: How far hair falls below the hairline.
        curl: 0 straight to 1 tight curls.
        parting: Largest distance of the parting from the middle; the fringe opens there if `parted`.
    """

    top: tuple[float, float]
    side: tuple[float, float]
    end: tuple[float, float] = (-0.02, 0.10)
    hairline: tuple[float, float] = (-0.60, -0.50)
    recession: tuple[float, float] = (0.0, 0.06)
    fringe: tuple[float, float] = (0.0, 0.0)
    curl: tuple[float, float] = (0.0, 0.2)
    parting: float = 0.3
    parted: bool = False
    bun: float = 0.0


STYLES: dict[str, Style] = {
    "cropped": Style(top=(0.02, 0.05), side=(0.008, 0.02), curl=(0.0, 0.5)),
    "short": Style(top=(0.06, 0.11), side=(0.015, 0.04), fringe=(0.0, 0.07)),
    "swept": Style(top=(0.09, 0.15), side=(0.02, 0.05), fringe=(0.06, 0.16), parting=0.35, parted=True),
    "receding": Style(
        top=(0.015, 0.04), side=(0.012, 0.03), hairline=(-0.72, -0.62), recession=(0.12, 0.26), curl=(0.0, 0.4)
    ),
    "curly": Style(top=(0.12, 0.24), side=(0.08, 0.17), end=(0.0, 0.45), fringe=(0.0, 0.08), curl=(0.75, 1.0)),
    "fringe": Style(top=(0.07, 0.12), side=(0.05, 0.12), end=(0.2, 0.7), fringe=(0.16, 0.27), parting=0.1),
    "bob": Style(top=(0.07, 0.12), side=(0.09, 0.16), end=(0.45, 0.8), fringe=(0.03, 0.13), parted=True),
    "long": Style(
        top=(0.06, 0.11), side=(0.08, 0.16), end=(1.0, 1.7), fringe=(0.02, 0.14), curl=(0.0, 0.55), parted=True
    ),
    "tied": Style(top=(0.04, 0.07), side=(0.012, 0.03), end=(-0.02, 0.06), recession=(0.0, 0.03), bun=0.5),
}
# Shares of the styles for persons of sturdy and of fine build; young persons' hair rarely recedes.
STURDY_SHARES = (0.26, 0.26, 0.20, 0.10, 0.07, 0.01, 0.01, 0.05, 0.04)
FINE_SHARES = (0.05, 0.08, 0.08, 0.01, 0.14, 0.14, 0.16, 0.22, 0.12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hair:
    """A person's hair; lengths as in `Style`.

    Attributes:
        style: Name of the style in `STYLES`, or `bald`.
        colour: Linear RGB albedo [3].
        temples: The same at the temples and in the beard, which turn grey first.
        group: `dark`, `brown`, `fair` or `grey`.
        part: x of the parting.
        bun: Radius of a bun above the crown; 0 for none.
    """

    style: str
    colour: Floats
    temples: Floats
    group: str
    top: float
    side: float
    end: float
    hairline: float
    recession: float
    fringe: float
    curl: float
    part: float
    parted: bool
    bun: float

    @property
    def bald(self) -> bool:
        """The head carries no hair."""
        return self.style == "bald"


def _colour(rng: np.random.Generator, young: bool, darkness: float) -> tuple[str, Floats]:
    """Return the group and the albedo; fair hair is rarer with dark skin, grey hair with youth."""
    shares = np.array(YOUNG_COLOURS if young else OLD_COLOURS) * (1, 1 - 0.7 * darkness, (1 - 0.95 * darkness) ** 2, 1)
    group = ("dark", "brown", "fair", "grey")[int(rng.choice(4, p=shares / shares.sum()))]
    palette = {"dark": DARK_HAIR, "brown": BROWN_HAIR, "fair": FAIR_HAIR, "grey": GREY_HAIR}[group]
    colour = linear_from_hex(palette[int(rng.integers(len(palette)))])
    return group, floats(colour * between(rng, (0.85, 1.12)) * rng.uniform(0.97, 1.03, 3))


def draw_hair(rng: np.random.Generator, *, young: bool, sturdy: float, darkness: float) -> Hair:
    """Return random hair of a person.

    Args:
        rng: Source of randomness.
        young: Whether the person is young; old persons' hair is mostly grey and recedes more often.
        sturdy: Build in [0, 1]; above 0.5 short styles are likelier.
        darkness: How dark the skin is, in [0, 1].
    """
    group, colour = _colour(rng, young, darkness)
    shares = np.array(STURDY_SHARES if sturdy > 0.5 else FINE_SHARES)
    shares[list(STYLES).index("receding")] *= 0.25 if young else 2.5
    shares[list(STYLES).index("fringe")] *= 1.0 if young else 0.3
    name = list(STYLES)[int(rng.choice(len(shares), p=shares / shares.sum()))]
    bald = bool(rng.random() < ((0.04 if young else 0.14) if sturdy > 0.5 else 0.01))
    style = STYLES[name]
    part = between(rng, (-style.parting, style.parting))
    return Hair(
        style="bald" if bald else name,
        colour=colour,
        temples=colour if young else floats(colour + between(rng, (0.45, 0.8)) * (linear_from_hex("b4b2b0") - colour)),
        group=group,
        top=between(rng, style.top),
        side=between(rng, style.side),
        end=between(rng, style.end),
        hairline=between(rng, style.hairline) - (0.0 if young else 0.03),
        recession=between(rng, style.recession),
        fringe=between(rng, style.fringe),
        curl=between(rng, style.curl),
        part=part,
        parted=style.parted,
        bun=between(rng, (0.13, 0.2)) * float(rng.random() < style.bun),
    )
