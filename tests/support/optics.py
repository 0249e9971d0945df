"""What the tests of the simulated capture share: plain light, an ideal camera, test charts and measurements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from padkit_synthetic.camera import Camera, capture, focused
from padkit_synthetic.imaging import Bytes, Floats, enlarged, generator, linear_from_srgb, srgb_table
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.displays import Display
from padkit_synthetic.staging.prints import Printer
from padkit_synthetic.views import View

SIZE = 128
EVEN = Light(direction=(0.0, 0.0, 1.0), key=np.full(3, 0.6, np.float32), ambient=np.full(3, 0.4, np.float32))
# Every stage that can be left out is left out.
IDEAL = Camera(
    name="ideal",
    resolution=(1.0, 1.0),
    defocus=(0.0, 0.0),
    misfocus=0.0,
    shake=(0.0, 0.0),
    vignetting=0.0,
    flare=(0.0, 0.0),
    exposure=(0.2, 0.2),
    full_well=(1e6, 1e6),
    read_noise=0.0,
    balance_error=0.0,
    crosstalk=0.0,
    saturation=(1.0, 1.0),
    contrast=(0.0, 0.0),
    sharpening=(0.0, 0.0),
    quality=(95, 95),
)
# A good real one.
GOOD = replace(IDEAL, defocus=(0.3, 0.3), full_well=(50000, 50000), read_noise=1.0, vignetting=0.15, crosstalk=0.06)
# So fine that neither camera nor eye sees dots or pixels: without the stage that makes them.
SMOOTH = (400.0, 400.0)
PLAIN = Printer(
    crispness=(1.0, 1.0),
    species="plain", pitch=SMOOTH, paper=(1.0, 1.0, 1.0), ink=(0.0, 0.0), cast=0.0, gain=(1.0, 1.0),
    saturation=(1.0, 1.0), gloss=(0.0, 0.0), bend=0.0, fibre=0.0,
)  # fmt: skip
DARK = Display(
    species="dark", pitch=(0.8, 0.8), gamma=(2.2, 2.2), black=0.0, white=(1.0, 1.0, 1.0), depth=(0.0, 0.0),
    reflectance=(0.0, 0.0), bands=(0.0, 0.0), brightness=(1.0, 1.0), saturation=(1.0, 1.0),
)  # fmt: skip


def plain_picture(*levels: int) -> Bytes:
    """Return a picture [96, 96, 3] of one colour, or of one grey."""
    return np.broadcast_to(np.array(levels, np.uint8), (96, 96, 3)).copy()


def smooth_picture() -> Bytes:
    """Return a picture [96, 96, 3] of greys without fine structure."""
    coarse = generator(5).uniform(0.3, 0.7, (4, 4)).astype(np.float32)
    plane = np.clip(enlarged(coarse, 96), 0, 1) * 255
    return np.repeat(plane.astype(np.uint8)[:, :, None], 3, axis=2)


def colourful_picture() -> Bytes:
    """Return a picture [96, 96, 3] of strong colours without fine structure."""
    coarse = generator(6).uniform(0.1, 0.9, (3, 4, 4)).astype(np.float32)
    planes = [np.clip(enlarged(plane, 96), 0, 1) * 255 for plane in coarse]
    return np.stack(planes, axis=-1).astype(np.uint8)


def live(picture: Bytes, side: int = SIZE) -> Floats:
    """Return the radiance [1, 3, side, side] of what the picture shows, before the camera itself."""
    return np.stack([enlarged(plane, side) for plane in linear_from_srgb(picture)])[None]


def shot(radiance: Floats, camera: Camera = GOOD, seed: int = 1, side: int = SIZE) -> Bytes:
    """Return the first frame [side, side, 3] that `camera` delivers."""
    return capture(radiance, side, camera, side, generator(seed))[0]


def irradiance(radiance: Floats, side: int = SIZE) -> Floats:
    """Return what the photosites [T, 3, side, side] of a sensor in focus receive."""
    return focused(radiance, 0.0, side)


def linear(frame: Bytes) -> Floats:
    """Return the planar linear light [3, H, W] of a frame that was developed without contrast."""
    return srgb_table()[frame.transpose(2, 0, 1)]


def head_on(frames: int, size: int, zoom: float = 1.0) -> View:
    """Return the view of an instrument held square and still: the picture's middle, `zoom` of its side."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * zoom + 0.5
    u = np.broadcast_to(axis[None, None, :], (frames, size, size)).copy()
    flat = np.zeros((1, 1, 1), np.float32)
    return View(u, np.ascontiguousarray(u.swapaxes(1, 2)), flat, flat)


def peak(plane: NDArray[np.generic]) -> float:
    """Return the strongest line of the spectrum of [S, S] or [S, S, 3] beyond low frequencies, over the median there.

    In natural logarithms of power.
    """
    grey = plane.astype(np.float64)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    window = np.hanning(grey.shape[0])
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window[:, None] * window))) ** 2
    axis = np.fft.fftshift(np.fft.fftfreq(grey.shape[0]))
    ring = np.hypot(axis[:, None], axis[None, :])
    beyond = power[(ring > 0.15) & (ring < 0.5)]
    return float(np.log(beyond.max() / np.median(beyond)))


def grain(plane: NDArray[np.generic]) -> float:
    """Return the variance of [S, S] above a quarter of the sampling frequency, relative to the squared mean."""
    values = plane.astype(np.float64)
    window = np.hanning(values.shape[0])
    window = window[:, None] * window / np.mean(window**2)
    power = np.abs(np.fft.fft2((values - values.mean()) * window) / values.size) ** 2
    axis = np.fft.fftfreq(values.shape[0])
    high = np.hypot(axis[:, None], axis[None, :]) > 0.25
    return float(power[high].sum() / values.mean() ** 2)


def chroma(planes: Floats) -> float:
    """Return the mean spread of the channels of [..., 3, H, W], relative to the mean light."""
    return float((planes.max(axis=-3) - planes.min(axis=-3)).mean() / planes.mean())
