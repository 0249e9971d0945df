"""Families of prints and screens: each presentation draws another printer, paper or screen of its family.

Ranges are wide on purpose: most of a family's instruments show only some of its traces, as real ones do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from padkit.errors import SettingsError, closest
from padkit_synthetic.imaging import between, blackbody, log_between
from padkit_synthetic.staging.borders import Border
from padkit_synthetic.staging.displays import Display
from padkit_synthetic.staging.prints import Printer

Range = tuple[float, float]
Colour = tuple[float, float, float]

# Dots and pixels that are finer per photosite are not resolved: the photosites average over them.
FINEST_DOTS, FINEST_PIXELS = 1.1, 1.25
# A window brighter than this in the glass, relative to the screen's white, hides the face: nobody attacks so.
BRIGHTEST_MIRRORED = 0.7
MISSED = (0.005, 0.018)  # deviation of the blur of a missed focus, share of the crop's side


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintFamily:
    """Prints of one kind of printer, each with its own ink, paper, hand and edges.

    Attributes:
        species: Name of the family, which is the PAI species.
        screen: As in `Printer`.
        worn: Whether all of them are masks.
        cut: Share of prints with cut-out eyes, where the places of the eyes are known.
        grey: Share of prints without colour.
        dots: Range of the halftone cells (`am`) or dots (`fm`) across the crop; drawn evenly in the logarithm.
        crispness, ink, gain, saturation, gloss: Ranges as in `Printer`.
        cast: Range of the deviation of each ink's strength.
        white: Range of the paper's reflectance.
        tint: Deviation of the paper's colour per channel.
        bend: Range of the largest displacement by bending.
        fibre: Range of the paper's texture.
        glare: Range of the strength at which the paper mirrors a window; half of the prints mirror none.
        detail: Range of the share of the picture's detail that remains.
        missed: Share of prints that the focus misses.
        edge: Range of the places of the edges, half sides of the crop.
        margin: Range of the white margin's width; a third of the prints have none.
    """

    species: str
    screen: Literal["am", "fm", "none"]
    worn: bool = False
    cut: float = 0.25
    grey: float = 0.0
    dots: Range
    crispness: Range
    ink: Range
    gain: Range = (0.7, 1.4)
    saturation: Range
    gloss: Range
    cast: Range = (0.02, 0.09)
    white: Range = (0.76, 0.93)
    tint: float = 0.02
    bend: Range = (0.0, 0.22)
    fibre: Range = (0.004, 0.035)
    glare: Range = (0.0, 0.0)
    detail: Range = (0.5, 1.0)
    missed: float = 0.1
    edge: Range = (0.76, 1.7)
    margin: Range = (0.02, 0.2)

    @property
    def attack_type(self) -> str:
        """`mask` if they are worn, otherwise `print`."""
        return "mask" if self.worn else "print"

    @property
    def needs_wearer(self) -> bool:
        """Whether each of them needs a person who looks through it."""
        return self.worn

    def drawn(self, side: int, rng: np.random.Generator, *, holes: bool) -> Printer:
        """Return one print.

        Args:
            side: Side of the sensor in photosites.
            rng: Source of randomness.
            holes: Whether the places of the eyes are known, so that a print may have holes.
        """
        pitch, bend = log_between(rng, self.dots) / side, between(rng, self.bend)
        bent, cut, grey, window, missed, bare = rng.random(6)
        form: Literal["flat", "warped", "cut", "mask"] = "warped" if bent < 0.5 else "flat"
        if self.worn:
            form = "mask"
        elif holes and cut < self.cut:
            form = "cut"
        saturation = 0.0 if grey < self.grey else between(rng, self.saturation)
        return Printer(
            species=self.species,
            form=form,
            screen="none" if self.screen == "am" and pitch > FINEST_DOTS else self.screen,
            pitch=(pitch, pitch),
            crispness=self.crispness,
            paper=paper(between(rng, self.white), self.tint, rng),
            ink=self.ink,
            cast=between(rng, self.cast),
            gain=self.gain,
            saturation=(saturation, saturation),
            gloss=self.gloss,
            bend=bend,
            fibre=between(rng, self.fibre),
            glare=between(rng, self.glare) if window < 0.5 else 0.0,
            detail=between(rng, self.detail),
            freely=between(rng, (0.6, 1.6)),
            border=None if self.worn else self._border(rng, bare=bare > 1 / 3),
            blur=between(rng, MISSED) if missed < self.missed else 0.0,
        )

    def _border(self, rng: np.random.Generator, *, bare: bool) -> Border:
        return Border(edges=edges(self.edge, rng), margin=between(rng, self.margin) if bare else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenFamily:
    """Screens of one kind of device, each with its own panel, setting, glass, hand and edges.

    Attributes:
        species: Name of the family, which is the PAI species.
        oled: Share of OLED panels (`diamond`, black); the others are LCD (`stripe`, slow, a little light in the dark).
        columns: Range of the pixels across the crop; drawn evenly in the logarithm.
        gamma, depth, saturation: Ranges as in `Display`.
        reflectance: Range of the share of light that the glass mirrors; drawn evenly in the logarithm.
        black: Range of an LCD's black level.
        kelvin: Range of the white's colour temperature.
        brightness: Range of its white relative to a white sheet in the room; drawn evenly in the logarithm.
        bands: Range of the strength of bands, which 60 % of the screens have.
        window: Range of the radiance of a mirrored window relative to a white sheet, which 40 % of the screens have;
            drawn evenly in the logarithm.
        lag: Range of what remains of the previous frame on an LCD.
        glow: Range of the share of light in the halo.
        detail: Range of the share of the picture's detail that the shown file keeps.
        missed: Share of screens that the focus misses.
        room: Range of the share of the room in what the camera meters.
        edge: Range of the places of the edges, half sides of the crop.
        margin: Range of the black bars' width; half of the screens have none.
        bezel: Range of the frame's width.
        corner: Range of the corners' radius.
    """

    species: str
    oled: float
    columns: Range
    gamma: Range = (1.8, 2.6)
    black: Range = (0.001, 0.012)
    depth: Range = (0.3, 0.8)
    reflectance: Range = (0.004, 0.06)
    saturation: Range = (0.8, 1.25)
    kelvin: Range = (4800.0, 11000.0)
    brightness: Range = (0.25, 5.0)
    bands: Range = (0.02, 0.3)
    window: Range = (2.0, 30.0)
    lag: Range = (0.0, 0.35)
    glow: Range = (0.0, 0.25)
    detail: Range = (0.45, 1.0)
    missed: float = 0.2
    room: Range = (0.0, 0.5)
    edge: Range
    margin: Range = (0.03, 0.3)
    bezel: Range
    corner: Range = (0.0, 0.05)

    @property
    def attack_type(self) -> str:
        """`replay`."""
        return "replay"

    @property
    def needs_wearer(self) -> bool:
        """Whether each of them needs a person who looks through it."""
        return False

    def drawn(self, side: int, rng: np.random.Generator, *, holes: bool) -> Display:  # noqa: ARG002 - as PrintFamily
        """Return one screen.

        Args:
            side: Side of the sensor in photosites.
            rng: Source of randomness.
            holes: Without effect: screens have none.
        """
        pitch, brightness = log_between(rng, self.columns) / side, log_between(rng, self.brightness)
        share, mirrored = log_between(rng, self.reflectance), log_between(rng, self.window)
        panel, banded, window, missed, bars = rng.random(5)
        oled = panel < self.oled
        margin = between(rng, self.margin) if bars < 0.5 else 0.0
        border = Border(
            edges=edges(self.edge, rng),
            margin=margin,
            bezel=between(rng, self.bezel),
            albedo=housing(rng),
            corner=between(rng, self.corner),
        )
        return Display(
            species=self.species,
            layout="diamond" if oled else "stripe",
            pitch=(pitch, pitch),
            gamma=self.gamma,
            black=0.0 if oled else between(rng, self.black),
            white=screen_white(between(rng, self.kelvin), rng),
            depth=self.depth if pitch <= FINEST_PIXELS else (0.0, 0.0),
            reflectance=(share, share),
            bands=self.bands if banded < 0.6 else (0.0, 0.0),
            brightness=(brightness, brightness),
            saturation=self.saturation,
            duty=between(rng, (0.15, 0.85)),
            window=min(mirrored, BRIGHTEST_MIRRORED * brightness / share) if window < 0.4 else 0.0,
            lag=0.0 if oled else between(rng, self.lag),
            glow=between(rng, self.glow),
            detail=between(rng, self.detail),
            freely=between(rng, (0.6, 1.6)),
            border=border,
            blur=between(rng, MISSED) if missed < self.missed else 0.0,
            room=between(rng, self.room),
        )


Family = PrintFamily | ScreenFamily


def screen_white(kelvin: float, rng: np.random.Generator) -> Colour:
    """Return the linear RGB of a screen's white, green = 1, relative to D65.

    Makers and night modes set whites from 4800 K (warm) to 11000 K (bluish); a panel departs from the black body by a
    few per cent per channel.
    """
    red, green, blue = (blackbody(kelvin) * np.exp(0.02 * rng.standard_normal(3))).tolist()
    return red / green, 1.0, blue / green


def paper(white: float, tint: float, rng: np.random.Generator) -> Colour:
    """Return the linear reflectance RGB of bare paper: brighteners make it bluish, recycling and age yellowish."""
    red, green, blue = (white * np.exp(tint * rng.standard_normal(3))).clip(0, 0.97).tolist()
    return red, green, blue


def housing(rng: np.random.Generator) -> Colour:
    """Return the linear reflectance RGB of a screen's frame: mostly black, sometimes grey, silver or white."""
    level = 10 ** between(rng, (-2.0, -1.4)) if rng.random() < 0.7 else 10 ** between(rng, (-1.2, -0.1))
    red, green, blue = (level * np.exp(0.04 * rng.standard_normal(3))).clip(0, 0.95).tolist()
    return red, green, blue


def edges(places: Range, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return where a picture ends to the left, to the right, above and below; each side is drawn for itself."""
    left, right, top, bottom = (between(rng, places) for _ in range(4))
    return left, right, top, bottom


PRINTS = (
    PrintFamily(
        species="laser",
        screen="am",
        grey=0.15,
        dots=(50, 500),
        crispness=(0.2, 0.6),
        ink=(0.008, 0.06),
        saturation=(0.55, 1.05),
        gloss=(0.0, 0.12),
        glare=(0.0, 0.25),
        fibre=(0.008, 0.04),
        detail=(0.45, 0.95),
    ),
    PrintFamily(
        species="inkjet",
        screen="fm",
        dots=(90, 500),
        crispness=(0.12, 0.45),
        ink=(0.006, 0.05),
        saturation=(0.6, 1.1),
        gloss=(0.0, 0.25),
        glare=(0.0, 0.5),
    ),
    PrintFamily(
        species="photo-lab",
        screen="none",
        dots=(100, 200),
        crispness=(0.0, 0.0),
        ink=(0.004, 0.015),
        gain=(0.8, 1.25),
        saturation=(0.8, 1.15),
        gloss=(0.02, 0.35),
        glare=(0.05, 1.0),
        cast=(0.01, 0.06),
        tint=0.012,
        bend=(0.0, 0.18),
        fibre=(0.0, 0.008),
        detail=(0.6, 1.0),
        margin=(0.02, 0.1),
    ),
)

SCREENS = (
    ScreenFamily(
        species="phone", oled=0.55, columns=(90, 700), edge=(0.76, 1.4), bezel=(0.02, 0.12), corner=(0.0, 0.2)
    ),
    ScreenFamily(species="tablet", oled=0.25, columns=(80, 600), edge=(0.8, 1.8), bezel=(0.05, 0.22)),
    ScreenFamily(
        species="laptop", oled=0.12, columns=(70, 500), edge=(0.84, 2.4), bezel=(0.04, 0.25), black=(0.002, 0.015)
    ),
    ScreenFamily(species="monitor", oled=0.08, columns=(60, 420), edge=(0.84, 2.6), bezel=(0.04, 0.3), lag=(0.0, 0.45)),
)

# Worn by another person; no training split has them.
MASKS = (
    PrintFamily(
        species="paper-mask-matte",
        screen="fm",
        worn=True,
        dots=(100, 500),
        crispness=(0.12, 0.45),
        ink=(0.006, 0.05),
        saturation=(0.6, 1.1),
        gloss=(0.0, 0.05),
    ),
    PrintFamily(
        species="paper-mask-laser",
        screen="am",
        worn=True,
        dots=(50, 500),
        crispness=(0.2, 0.6),
        ink=(0.008, 0.06),
        saturation=(0.55, 1.05),
        gloss=(0.0, 0.15),
    ),
)

FAMILIES = (*PRINTS, *SCREENS)


def left_out(without: str, *, drawn: bool, attacks: Collection[str] = ("print", "replay")) -> tuple[str, ...]:
    """Return the families that are kept from training.

    Args:
        without: Their names, joined by `+`; "" is none.
        drawn: Whether the world has families.
        attacks: Attack types that are trained on.

    Raises:
        SettingsError: There are no families, a name is unknown or given twice, or a type would have none left.
    """
    if not without:
        return ()
    if not drawn:
        raise SettingsError(f"without {without!r} has no effect in world 3, which has no families: set world to 4.")
    names, known = without.split("+"), [family.species for family in FAMILIES]
    for name in names:
        if name not in known:
            raise SettingsError(f"instrument family {name!r} is unknown.{closest(name, known)}")
    if len(set(names)) < len(names):
        raise SettingsError(f"without {without!r} names a family twice.")
    for kind in attacks:
        mine = [family.species for family in FAMILIES if family.attack_type == kind]
        if mine and set(mine) <= set(names):
            raise SettingsError(f"without {without!r} leaves no {kind} to train on: keep one of {', '.join(mine)}.")
    return tuple(names)
