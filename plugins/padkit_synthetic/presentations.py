"""One presentation in one domain: a scene in linear light becomes the frames that the domain's camera delivers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from padkit_synthetic.attacks import Instrument, Printer, printed, replayed
from padkit_synthetic.capture import Camera, capture
from padkit_synthetic.faces import Light
from padkit_synthetic.imaging import Bytes, Floats, between
from padkit_synthetic.scenes import draw_light
from padkit_synthetic.world import SOURCE_CAMERAS, Domain

# The scene before a camera: (side in pixels, light, how many frames, how much wider the framing) -> radiance
# [T, 3, side, side]. Framing 1 is that of a bona fide presentation.
Scene = Callable[[int, Light, int, float], Floats]


def chosen_camera(cameras: tuple[Camera, ...], number: int) -> Camera:
    """Return the camera of presentation `number`; a domain's cameras take turns."""
    return cameras[number % len(cameras)]


def bona_fide(scene: Scene, domain: Domain, camera: Camera, size: int, frames: int, rng: np.random.Generator) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a living face before `camera` in the light of `domain`."""
    light = draw_light(domain.place, rng)
    return capture(scene(camera.side(size), light, frames, 1.0), camera, size, rng)


def attack(
    scene: Scene,
    domain: Domain,
    camera: Camera,
    instrument: Instrument,
    size: int,
    frames: int,
    rng: np.random.Generator,
) -> Bytes:
    """Return the frames uint8 [T, size, size, 3] of a face that was captured, printed or played, and captured again.

    The first capture has its own camera and its own light, drawn from the same place: the victim's picture is taken
    elsewhere than the attack. It is framed wider by what the second capture cuts off, as a face detector would crop
    both alike: the size of the face tells nothing.
    """
    zoom = between(rng, (0.86, 0.97))
    source = SOURCE_CAMERAS[int(rng.integers(len(SOURCE_CAMERAS)))]
    shown_frames = 1 if isinstance(instrument, Printer) else frames
    radiance = scene(source.side(size), draw_light(domain.place, rng), shown_frames, 1 / zoom)
    first = capture(radiance, source, size, rng)
    light = draw_light(domain.place, rng)
    side = camera.side(size)
    if isinstance(instrument, Printer):
        still = np.broadcast_to(first, (frames, *first.shape[1:]))
        radiance = printed(still, instrument, light, side, zoom, rng)
    else:
        radiance = replayed(first, instrument, light, side, zoom, rng)
    return capture(radiance, camera, size, rng)
