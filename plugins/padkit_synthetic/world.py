"""The simulated world as data: four domains with their cameras, places and attack instruments, and the sizes."""

from __future__ import annotations

from dataclasses import dataclass

from padkit_synthetic.attacks import Display, Instrument, Printer
from padkit_synthetic.capture import Camera
from padkit_synthetic.scenes import Place

# Raise it whenever a frame changes: prepared tables and reports are keyed by it.
WORLD_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One capture campaign, as one real dataset is.

    Attributes:
        name: What protocols call it.
        cameras: Recapturing devices; each presentation uses one.
        place: Light and background.
        instruments: Attack instruments.
        attack_share: Presentations per instrument relative to bona fide presentations.
        restless: How much subjects move and turn.
        view: Framing of the face crop: half side over the tight crop's.
    """

    name: str
    cameras: tuple[Camera, ...]
    place: Place
    instruments: tuple[Instrument, ...]
    attack_share: float
    restless: float = 1.0
    view: float = 1.08


# The attackers' own cameras: what is printed or played was first captured by one of these.
SOURCE_CAMERAS = (
    Camera(name="source-compact", defocus=(0.3, 0.6), full_well=(6000, 15000), quality=(88, 96), exposure=(0.18, 0.25)),
    Camera(name="source-phone", defocus=(0.35, 0.7), full_well=(4000, 9000), sharpening=(0.4, 0.9), quality=(85, 95)),
)

DOMAINS = (
    Domain(
        name="office",
        cameras=(
            Camera(name="office-laptop", resolution=1.0, defocus=(0.5, 0.95), full_well=(1200, 4000), quality=(70, 88)),
        ),
        place=Place(
            kelvin=(3800, 5000),
            surround_kelvin=(4500, 6500),
            azimuth=(-0.7, 0.7),
            elevation=(0.4, 1.0),
            ambient=(0.35, 0.6),
            clutter=5,
            wall=(0.35, 0.7),
            window=0.15,
        ),
        instruments=(
            Printer(species="laser-plain", screen="am", pitch=(0.5, 0.8), bend=0.06, gloss=(0.0, 0.06)),
            Printer(species="inkjet-matte", screen="fm", pitch=(2.6, 4.2), saturation=0.9, bend=0.04, fibre=0.03),
            Display(species="tablet-ips", layout="stripe", pitch=(0.8, 1.15), white=(0.97, 1.0, 1.06)),
            Display(species="phone-lcd", layout="stripe", pitch=(1.1, 1.6), black=0.006, reflectance=(0.02, 0.07)),
        ),
        attack_share=0.5,
    ),
    Domain(
        name="phone",
        cameras=(
            Camera(
                name="phone-front-a",
                resolution=1.25,
                defocus=(0.5, 0.9),
                full_well=(1500, 5000),
                saturation=1.25,
                contrast=0.45,
                sharpening=(0.4, 0.9),
                quality=(82, 94),
                denoise=0.35,
            ),
            Camera(
                name="phone-front-b",
                resolution=1.12,
                defocus=(0.6, 1.0),
                full_well=(1000, 4000),
                saturation=1.1,
                contrast=0.3,
                sharpening=(0.5, 1.1),
                quality=(78, 92),
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
                species="photo-glossy", screen="fm", pitch=(3.5, 5.5), saturation=1.0, gloss=(0.05, 0.3), fibre=0.01
            ),
            Display(species="phone-oled", layout="diamond", pitch=(1.0, 1.5), white=(0.95, 1.0, 1.12), black=0.0),
            Display(species="monitor-va", layout="stripe", pitch=(0.6, 0.9), black=0.002, bands=(0.0, 0.1)),
        ),
        attack_share=0.7,
        restless=1.3,
        view=1.02,
    ),
    Domain(
        name="webcam",
        cameras=(
            Camera(
                name="webcam-usb",
                resolution=0.8,
                defocus=(0.35, 0.7),
                vignetting=0.3,
                full_well=(500, 1800),
                read_noise=6.0,
                balance_error=0.07,
                saturation=0.9,
                contrast=0.15,
                sharpening=(0.2, 0.8),
                quality=(45, 72),
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
                screen="am",
                pitch=(0.55, 0.95),
                paper=(0.78, 0.77, 0.72),
                fibre=0.04,
                bend=0.08,
            ),
            Printer(
                species="photo-lab", screen="fm", pitch=(4.0, 6.0), saturation=0.95, gloss=(0.02, 0.2), fibre=0.006
            ),
            Display(
                species="laptop-tn", layout="stripe", pitch=(0.55, 0.85), gamma=2.0, black=0.012, bands=(0.02, 0.14)
            ),
        ),
        attack_share=0.9,
        view=1.15,
    ),
    Domain(
        name="hall",
        cameras=(
            Camera(
                name="hall-terminal",
                resolution=1.4,
                defocus=(0.9, 1.6),
                vignetting=0.1,
                full_well=(2500, 8000),
                saturation=1.0,
                contrast=0.2,
                sharpening=(0.0, 0.4),
                quality=(80, 95),
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
                species="laser-poster", screen="am", pitch=(0.4, 0.7), saturation=0.85, bend=0.03, gloss=(0.0, 0.12)
            ),
            Printer(species="inkjet-photo", screen="fm", pitch=(3.0, 5.0), saturation=0.95, gloss=(0.03, 0.25)),
            Display(species="tablet-oled", layout="diamond", pitch=(0.75, 1.1), white=(0.97, 1.0, 1.05), black=0.0),
            Display(species="phone-ltps", layout="stripe", pitch=(1.2, 1.8), reflectance=(0.02, 0.09)),
        ),
        attack_share=0.6,
        restless=1.1,
        view=1.12,
    ),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is rendered: subjects per domain and split, bona fide clips per subject, frames per clip."""

    train: int
    dev: int
    test: int
    clips: int
    frames: int

    def attacks(self, domain: Domain) -> int:
        """Return the clips per subject and instrument, at least one."""
        return max(1, round(self.clips * domain.attack_share))


SIZES = {
    "tiny": Size(train=2, dev=2, test=2, clips=2, frames=2),
    "small": Size(train=9, dev=4, test=7, clips=4, frames=2),
    "default": Size(train=18, dev=6, test=14, clips=5, frames=3),
}
