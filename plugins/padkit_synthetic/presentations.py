"""One presentation in one domain: a scene in linear light becomes the frames that the domain's camera delivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from padkit_synthetic.camera import Camera, capture
from padkit_synthetic.imaging import Bytes, Floats, between
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.displays import Display, replayed
from padkit_synthetic.staging.prints import Printer, Wearer, printed
from padkit_synthetic.staging.scenes import draw_light
from padkit_synthetic.world import SOURCE_CAMERAS, Domain, Instrument


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


def bona_fide(scene: Scene, domain: Domain, camera: Camera, size: int, frames: int, rng: np.random.Generator) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a living face before `camera` in the light of `domain`."""
    light, side = draw_light(domain.place, rng), camera.side(size, rng)
    return capture(scene.render(side, light, frames, 1.0), side, camera, size, rng)


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
    first: np.random.Generator | None = None,
    again: np.random.Generator | None = None,
) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a face that was captured, printed or played, and captured again.

    The first capture has its own camera and its own light, drawn from the same place, because the victim's picture is
    taken elsewhere than the attack. It is framed wider by as much as the second capture cuts off, because a face
    detector would crop both equally: the size of the face must not reveal an attack.

    Args:
        scene: The victim.
        domain: Place and recapture.
        camera: The recapturing camera.
        instrument: Printer or display.
        size: Side of the frames.
        frames: Number of frames T.
        rng: Source of randomness.
        attacker: The person who looks through a cut print or wears a mask.
        first: Source of the first capture, if several attacks share one; None takes `rng`.
        again: Source of light, camera and noise of the recapture. In the state that `bona_fide` was given, only the
            presentation differs from that one. None takes `rng`.

    Raises:
        ValueError: The print is cut or worn and the eyes of victim or attacker are not known.
    """
    first, again = first or rng, again or rng
    worn = isinstance(instrument, Printer) and instrument.form == "mask"
    zoom = 1.0 if worn else between(first, (0.86, 0.97))
    source = SOURCE_CAMERAS[int(first.integers(len(SOURCE_CAMERAS)))]
    still = isinstance(instrument, Printer)
    shown, first_side = 1 if still else frames, source.side(size, first)
    radiance = scene.render(first_side, draw_light(domain.place, first), shown, 1 / zoom)
    picture = capture(radiance, first_side, source, size, first)
    light, side = draw_light(domain.place, again), camera.side(size, again)
    if isinstance(instrument, Display):
        radiance = replayed(picture, instrument, light, side, zoom, rng)
    else:
        wearer = None
        if instrument.needs_wearer:
            wearer = _wearer(scene, attacker, light, side, frames, 1 / zoom)
        radiance = printed(picture[0], instrument, light, side, zoom, frames, rng, wearer)
    return capture(radiance, side, camera, size, again)


def _wearer(victim: Scene, attacker: Scene | None, light: Light, side: int, frames: int, wider: float) -> Wearer:
    if victim.eyes is None or attacker is None or attacker.eyes is None:
        raise ValueError("cut prints and masks need the places of the victim's and the attacker's eyes")
    radiance = attacker.render(side, light, frames, 1.0)
    return Wearer(radiance, attacker.eyes(frames, 1.0), victim.eyes(1, wider)[0])
