"""One presentation in one domain: a scene in linear light becomes the frames that the domain's camera delivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from padkit_synthetic.camera import Camera, capture
from padkit_synthetic.drawn.cameras import draw_camera
from padkit_synthetic.drawn.instruments import PrintFamily, ScreenFamily
from padkit_synthetic.imaging import Bytes, Floats, between
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.displays import Display, replayed
from padkit_synthetic.staging.lens import metered, refocused
from padkit_synthetic.staging.prints import Wearer, printed
from padkit_synthetic.staging.scenes import ROOM, draw_background, draw_light
from padkit_synthetic.world import SOURCE_CAMERAS, Domain, Instrument

# Share of the first picture that fills the second one; more is cut off where instruments are held more freely.
ZOOM, DRAWN_ZOOM = (0.86, 0.97), (0.82, 0.96)


@dataclass(frozen=True, slots=True)
class Scene:
    """A face before a camera.

    Attributes:
        render: (side in pixels, light, how many frames, how much wider the framing) -> radiance [T, 3, side, side].
            Framing 1 is that of a bona fide presentation.
        eyes: (how many frames, how much wider the framing) -> places (x, y) of the left and right eye in the picture,
            0..1, [T, 2, 2]; None where they are not known.
    """

    render: Callable[[int, Light, int, float], Floats]
    eyes: Callable[[int, float], Floats] | None = None


def chosen_camera(cameras: tuple[Camera, ...], number: int) -> Camera:
    """Return the camera of presentation `number`; a domain's cameras take turns."""
    return cameras[number % len(cameras)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What an attack shows.

    Attributes:
        pictures: The victim's captured pictures, uint8 [T, h, w, 3].
        zoom: Share of their side that fills the crop of the recapture.
    """

    pictures: Bytes
    zoom: float


def bona_fide(scene: Scene, domain: Domain, camera: Camera, size: int, frames: int, rng: np.random.Generator) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a living face before `camera` in the light of `domain`."""
    camera = _of_session(camera, domain, rng)
    light, side = draw_light(domain.place, rng), camera.side(size, rng)
    return capture(scene.render(side, light, frames, 1.0), side, camera, size, rng)


def first_capture(
    scene: Scene, domain: Domain, size: int, frames: int, rng: np.random.Generator, *, worn: bool = False
) -> Shown:
    """Return what an attacker's camera captures of the victim, to be printed or played.

    It has its own camera and its own light, drawn from the same place, because the victim's picture is taken elsewhere
    than the attack. It is framed wider by as much as the second capture cuts off, because a face detector would crop
    both equally: the size of the face must not reveal an attack.

    Args:
        scene: The victim.
        domain: Place of the capture.
        size: Side of the attack's frames; the picture is about as fine.
        frames: Number of frames T.
        rng: Source of randomness.
        worn: Whether a mask is made of it, which is fitted to a head and cuts nothing off.
    """
    zoom = 1.0 if worn else between(rng, DRAWN_ZOOM if domain.drawn else ZOOM)
    source = _of_session(SOURCE_CAMERAS[int(rng.integers(len(SOURCE_CAMERAS)))], domain, rng)
    side = source.side(size, rng)
    radiance = scene.render(side, draw_light(domain.place, rng), frames, 1 / zoom)
    return Shown(capture(radiance, side, source, size, rng), zoom)


def attack(
    scene: Scene,
    domain: Domain,
    camera: Camera,
    instrument: Instrument,
    size: int,
    frames: int,
    rng: np.random.Generator,
    attacker: Scene | None = None,
    *,
    shown: Shown | None = None,
    again: np.random.Generator | None = None,
) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a face that was captured, printed or played, and captured again.

    Args:
        scene: The victim.
        domain: Place and recapture.
        camera: The recapturing camera.
        instrument: Printer, display, or the family that one is drawn from.
        size: Side of the frames.
        frames: Number of frames T.
        rng: Source of randomness.
        attacker: The person who looks through a cut print or wears a mask.
        shown: The first capture, if several attacks share one; None makes it from `rng`.
        again: Source of camera, light and noise of the recapture. In the state that `bona_fide` was given, only the
            presentation differs from that one. None takes `rng`.

    Raises:
        ValueError: The print is cut or worn and the eyes of victim or attacker are not known.
    """
    again = again or rng
    if shown is None:
        still, worn = instrument.attack_type != "replay", instrument.attack_type == "mask"
        shown = first_capture(scene, domain, size, 1 if still else frames, rng, worn=worn)
    camera = _of_session(camera, domain, again)
    light, side = draw_light(domain.place, again), camera.side(size, again)
    if isinstance(instrument, PrintFamily | ScreenFamily):
        holes = scene.eyes is not None and attacker is not None and attacker.eyes is not None
        instrument = instrument.drawn(side, rng, holes=holes)

    def behind() -> Floats:
        return draw_background(domain.place, light, ROOM, rng)[None]

    if isinstance(instrument, Display):
        radiance = replayed(shown.pictures, instrument, light, side, shown.zoom, rng, behind)
        camera = metered(camera, instrument.brightness[0], instrument.room)
    else:
        wearer = None
        if instrument.needs_wearer:
            wearer = _wearer(scene, attacker, light, side, frames, 1 / shown.zoom)
        radiance = printed(shown.pictures[0], instrument, light, side, shown.zoom, frames, rng, wearer, behind)
    return capture(radiance, side, refocused(camera, instrument.blur * side), size, again)


def _of_session(camera: Camera, domain: Domain, rng: np.random.Generator) -> Camera:
    """Return the camera of one session: the listed one, or another one of its kind."""
    return draw_camera(camera, rng, video=domain.video) if domain.drawn else camera


def _wearer(victim: Scene, attacker: Scene | None, light: Light, side: int, frames: int, wider: float) -> Wearer:
    if victim.eyes is None or attacker is None or attacker.eyes is None:
        raise ValueError("cut prints and masks need the places of the victim's and the attacker's eyes")
    radiance = attacker.render(side, light, frames, 1.0)
    return Wearer(radiance, attacker.eyes(frames, 1.0), victim.eyes(1, wider)[0])
