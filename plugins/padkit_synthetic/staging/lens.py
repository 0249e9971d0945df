"""What an instrument does to the camera before it: light that spreads, a focus that misses, an exposure that is off."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from padkit_synthetic.camera import Camera
from padkit_synthetic.imaging import Floats, blurred, enlarged, log_between

BILINEAR = Image.Resampling.BILINEAR
GLOW_STEP = 8  # glow varies slowly: one sample in so many is enough
REACH = (0.04, 0.3)  # deviation of the glow, share of the crop's side
LEAST_EXPOSURE, MOST_EXPOSURE = 0.4, 2.2


def glowing(radiance: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Return radiance [T, 3, S, S] of which `share` is scattered around where it came from; changed in place.

    Cover glass, dust and lens surfaces scatter a part of the light at small angles (veiling glare), so that a bright
    screen has a halo, and its dark parts are veiled. How far the halo reaches is drawn.

    Args:
        radiance: What is before the camera.
        share: Share of the light that is scattered, in [0, 1); 0 changes nothing.
        rng: Source of randomness.
    """
    if not share:
        return radiance
    coarse = np.ascontiguousarray(radiance[..., GLOW_STEP // 2 :: GLOW_STEP, GLOW_STEP // 2 :: GLOW_STEP])
    halo = blurred(coarse, log_between(rng, REACH) * coarse.shape[-1])
    halo *= share
    for place in np.ndindex(radiance.shape[:2]):
        plane = radiance[place]
        plane *= 1 - share
        plane += enlarged(halo[place], plane.shape[-1], BILINEAR)
    return radiance


def refocused(camera: Camera, blur: float) -> Camera:
    """Return the camera whose focus misses the instrument's surface.

    A camera focuses on what is behind or before the screen, on the picture that its glass mirrors, or not so near at
    all. The circle of confusion adds to the lens blur (variances add), so that a raster or halftone is gone and the
    picture on it is soft.

    Args:
        camera: The recapturing camera.
        blur: Deviation in photosites of the circle of confusion; 0 is in focus.
    """
    if not blur:
        return camera
    low, high = (math.hypot(sigma, blur) for sigma in camera.defocus)
    return replace(camera, defocus=(low, high))


def metered(camera: Camera, brightness: float, room: float) -> Camera:
    """Return the camera with the exposure that it finds before a screen of another brightness than the room.

    Automatic exposure averages over more than the screen, and follows slowly. If the room counts for a share, a screen
    that is b times as bright as a white sheet in the room comes out b^share as bright as metered alone: a bright one
    over-, a dark one under-exposed.

    Args:
        camera: The recapturing camera.
        brightness: The screen's white relative to a white sheet in the room.
        room: Share of the room in what is metered, in [0, 1]; 0 meters the picture alone.
    """
    if not room:
        return camera
    factor = min(max(brightness**room, LEAST_EXPOSURE), MOST_EXPOSURE)
    low, high = (target * factor for target in camera.exposure)
    return replace(camera, exposure=(low, high))
