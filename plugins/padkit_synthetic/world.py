"""The simulated world as data: five domains with their cameras, places and attack instruments, and the sizes.

It has two versions that stay: in 3, cameras and instruments are those listed here; in 4, each presentation draws its
camera around the listed one, and its instrument from a family.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from padkit.data.presentation import SPLITS
from padkit.errors import SettingsError
from padkit_synthetic.camera import Camera
from padkit_synthetic.drawn.instruments import FAMILIES, MASKS, Family
from padkit_synthetic.staging.displays import Display
from padkit_synthetic.staging.prints import Printer
from padkit_synthetic.staging.scenes import Place

# Keys of prepared tables and reports contain the version: whenever one of its frames changes, it needs another number.
World = Literal[3, 4]
LISTED: World = 3
DRAWN: World = 4

Instrument = Printer | Display | Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One capture campaign, like one real dataset.

    Attributes:
        name: Its name in protocols.
        cameras: Recapturing devices; each presentation uses one.
        place: Light and background.
        instruments: Attack instruments, or families of which each presentation draws one.
        attack_share: Presentations per instrument relative to bona fide presentations.
        restless: How much subjects move and turn.
        view: Framing of the face crop: half side over the tight crop's.
        splits: Splits that have subjects; a domain without `train` is never a source, only a target.
        drawn: Whether each session draws its camera around the listed one.
        video: Whether some of the drawn cameras deliver H.264.
    """

    name: str
    cameras: tuple[Camera, ...]
    place: Place
    instruments: tuple[Instrument, ...]
    attack_share: float
    restless: float = 1.0
    view: float = 1.08
    splits: tuple[str, ...] = SPLITS
    drawn: bool = False
    video: bool = True


# The attackers' cameras: pictures that are printed or played were first captured by one of these.
SOURCE_CAMERAS = (
    Camera(
        name="source-compact",
        resolution=(1.1, 1.5),
        defocus=(0.2, 0.5),
        misfocus=0.04,
        shake=(0.0, 0.8),
        full_well=(5000, 15000),
        sharpening=(0.4, 1.0),
        quality=(88, 97),
    ),
    Camera(
        name="source-phone",
        resolution=(1.1, 1.5),
        defocus=(0.25, 0.6),
        misfocus=0.04,
        shake=(0.0, 1.0),
        full_well=(3000, 9000),
        sharpening=(0.5, 1.2),
        saturation=(1.0, 1.35),
        contrast=(0.2, 0.5),
        quality=(84, 96),
    ),
)

OFFICE = Domain(
    name="office",
    cameras=(
        Camera(
            name="office-laptop",
            resolution=(0.85, 1.15),
            defocus=(0.36, 0.8),
            flare=(0.0, 0.25),
            exposure=(0.11, 0.3),
            full_well=(250, 4500),
            sharpening=(0.0, 1.3),
            quality=(50, 93),
        ),
    ),
    place=Place(
        kelvin=(3200, 5600),
        surround_kelvin=(4200, 7200),
        azimuth=(-0.7, 0.7),
        elevation=(0.4, 1.0),
        ambient=(0.35, 0.6),
        clutter=5,
        wall=(0.22, 0.78),
        window=0.25,
    ),
    instruments=(
        Printer(species="laser-plain", screen="am", crispness=(0.3, 0.6), pitch=(0.25, 0.5), gloss=(0.0, 0.06)),
        Printer(
            species="inkjet-matte",
            form="warped",
            screen="fm",
            crispness=(0.22, 0.4),
            pitch=(0.85, 1.7),
            bend=0.16,
            fibre=0.03,
        ),
        Display(species="tablet-ips", depth=(0.45, 0.75), pitch=(0.27, 0.5), white=(0.97, 1.0, 1.06)),
        Display(species="phone-lcd", pitch=(0.28, 0.54), black=0.006, reflectance=(0.01, 0.06)),
    ),
    attack_share=0.5,
)

PHONE = Domain(
    name="phone",
    cameras=(
        Camera(
            name="phone-front-a",
            resolution=(1.1, 1.45),
            defocus=(0.34, 0.64),
            full_well=(1000, 6000),
            saturation=(1.1, 1.4),
            contrast=(0.3, 0.6),
            sharpening=(0.2, 1.3),
            quality=(72, 95),
            denoise=0.35,
        ),
        Camera(
            name="phone-front-b",
            resolution=(0.95, 1.3),
            defocus=(0.38, 0.68),
            full_well=(900, 5000),
            saturation=(0.95, 1.25),
            contrast=(0.15, 0.45),
            sharpening=(0.2, 1.5),
            quality=(66, 92),
            denoise=0.45,
            balance_error=0.06,
        ),
    ),
    place=Place(
        kelvin=(3000, 6800),
        surround_kelvin=(5000, 8000),
        azimuth=(-1.1, 1.1),
        elevation=(0.1, 0.9),
        ambient=(0.25, 0.65),
        clutter=9,
        wall=(0.15, 0.6),
        window=0.25,
    ),
    instruments=(
        Printer(
            species="photo-glossy",
            screen="fm",
            crispness=(0.22, 0.4),
            pitch=(0.9, 1.9),
            saturation=(0.85, 1.05),
            gloss=(0.03, 0.3),
        ),
        Display(species="phone-oled", layout="diamond", pitch=(0.26, 0.48), white=(0.95, 1.0, 1.12), black=0.0),
        Display(species="monitor-va", pitch=(0.25, 0.48), black=0.002, bands=(0.0, 0.1)),
    ),
    attack_share=0.7,
    restless=1.3,
    view=1.02,
)

WEBCAM = Domain(
    name="webcam",
    cameras=(
        Camera(
            name="webcam-usb",
            resolution=(0.7, 1.0),
            defocus=(0.34, 0.64),
            misfocus=0.06,
            shake=(0.0, 1.4),
            vignetting=0.3,
            flare=(0.0, 0.3),
            full_well=(600, 2600),
            read_noise=6.0,
            balance_error=0.07,
            saturation=(0.75, 1.05),
            contrast=(0.0, 0.3),
            sharpening=(0.0, 1.2),
            quality=(42, 80),
        ),
    ),
    place=Place(
        kelvin=(2700, 3600),
        surround_kelvin=(3500, 6000),
        azimuth=(-0.9, 0.9),
        elevation=(-0.1, 0.6),
        ambient=(0.3, 0.6),
        clutter=3,
        wall=(0.2, 0.5),
    ),
    instruments=(
        Printer(
            species="laser-recycled",
            form="warped",
            screen="am",
            crispness=(0.26, 0.52),
            pitch=(0.25, 0.52),
            paper=(0.82, 0.81, 0.77),
            fibre=0.04,
            bend=0.2,
        ),
        Printer(
            species="photo-lab-cut",
            form="cut",
            screen="fm",
            crispness=(0.2, 0.36),
            pitch=(1.0, 2.0),
            gloss=(0.02, 0.2),
            fibre=0.006,
        ),
        Display(
            species="laptop-tn",
            depth=(0.42, 0.72),
            pitch=(0.28, 0.52),
            gamma=(1.9, 2.3),
            black=0.006,
            bands=(0.02, 0.14),
        ),
    ),
    attack_share=0.9,
    view=1.15,
)

HALL = Domain(
    name="hall",
    cameras=(
        Camera(
            name="hall-terminal",
            resolution=(1.15, 1.5),
            defocus=(0.4, 0.72),
            vignetting=0.1,
            full_well=(1200, 8000),
            saturation=(0.85, 1.15),
            contrast=(0.05, 0.35),
            sharpening=(0.0, 1.0),
            quality=(70, 95),
        ),
    ),
    place=Place(
        kelvin=(4200, 6500),
        surround_kelvin=(5500, 9000),
        azimuth=(-1.3, 1.3),
        elevation=(0.5, 1.2),
        ambient=(0.45, 0.75),
        softness=(0.15, 0.3),
        clutter=12,
        wall=(0.3, 0.85),
        window=0.45,
    ),
    instruments=(
        Printer(
            species="laser-poster",
            screen="am",
            crispness=(0.22, 0.46),
            pitch=(0.23, 0.48),
            bend=0.03,
            gloss=(0.0, 0.12),
        ),
        Printer(
            species="inkjet-photo-cut",
            form="cut",
            screen="fm",
            crispness=(0.22, 0.4),
            pitch=(0.85, 1.7),
            gloss=(0.03, 0.25),
        ),
        Display(
            species="tablet-oled",
            layout="diamond",
            depth=(0.36, 0.64),
            pitch=(0.25, 0.46),
            white=(0.97, 1.0, 1.05),
            black=0.0,
        ),
        Display(species="phone-ltps", depth=(0.42, 0.72), pitch=(0.28, 0.52), reflectance=(0.01, 0.08)),
    ),
    attack_share=0.6,
    restless=1.1,
    view=1.12,
)

# Nothing in it is trained on: another camera, other places, and attacks of a type that no source domain has.
UNKNOWN = Domain(
    name="unknown",
    cameras=(
        Camera(
            name="unknown-kiosk",
            resolution=(0.9, 1.3),
            defocus=(0.4, 0.75),
            full_well=(900, 5000),
            sharpening=(0.0, 1.2),
            quality=(65, 92),
        ),
    ),
    place=Place(
        kelvin=(2900, 6500),
        surround_kelvin=(4000, 8000),
        azimuth=(-1.0, 1.0),
        elevation=(0.1, 1.0),
        ambient=(0.3, 0.7),
        clutter=7,
        wall=(0.2, 0.75),
        window=0.2,
    ),
    instruments=(
        Printer(
            species="paper-mask-matte", form="mask", screen="fm", crispness=(0.22, 0.4), pitch=(1.0, 2.0), fibre=0.03
        ),
        Printer(species="paper-mask-laser", form="mask", screen="am", pitch=(0.25, 0.52), gloss=(0.0, 0.15)),
    ),
    attack_share=0.6,
    splits=("test",),
)

DOMAINS = (OFFICE, PHONE, WEBCAM, HALL, UNKNOWN)
SOURCES = tuple(domain for domain in DOMAINS if "train" in domain.splits)


def _with_families(domain: Domain) -> Domain:
    """Return the domain in world 4: about as many attacks as in world 3, of more kinds."""
    if "train" in domain.splits:
        return replace(domain, drawn=True, instruments=FAMILIES, attack_share=0.35)
    return replace(domain, drawn=True, instruments=MASKS)


WORLDS: dict[int, tuple[Domain, ...]] = {LISTED: DOMAINS, DRAWN: tuple(map(_with_families, DOMAINS))}


def domains_of(world: int, *, video: bool = True) -> tuple[Domain, ...]:
    """Return the domains of a version of the world.

    Args:
        world: The version.
        video: Whether some of the cameras of world 4 deliver H.264, for which PyAV is needed.

    Raises:
        SettingsError: There is no such version.
    """
    if world not in WORLDS:
        raise SettingsError(f"world {world!r} is unknown: choose 3 (listed instruments) or 4 (drawn from families).")
    return WORLDS[world] if video else tuple(replace(domain, video=False) for domain in WORLDS[world])


@dataclass(frozen=True, slots=True)
class Size:
    """The amount to render: subjects per domain and split, bona fide clips per subject, frames per clip."""

    train: int
    dev: int
    test: int
    clips: int
    frames: int

    def splits(self, domain: Domain) -> list[str]:
        """Return the split of each subject of `domain`, in order."""
        counts = {"train": self.train, "dev": self.dev, "test": self.test}
        return [split for split in domain.splits for _ in range(counts[split])]

    def attacks(self, domain: Domain) -> int:
        """Return the clips per subject and instrument, at least one."""
        return max(1, round(self.clips * domain.attack_share))


SIZES = {
    "tiny": Size(train=2, dev=2, test=2, clips=2, frames=2),
    "small": Size(train=30, dev=8, test=24, clips=2, frames=2),
    "default": Size(train=64, dev=12, test=24, clips=3, frames=2),
    "large": Size(train=100, dev=30, test=60, clips=8, frames=5),
}
