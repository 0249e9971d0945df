"""Cameras drawn from ranges: every capture session has another one of its kind, in other light and other hands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from padkit_synthetic.camera import Camera, Range, Session
from padkit_synthetic.delivery import Delivery, Kernel, Subsampling, h264_encoder
from padkit_synthetic.imaging import between, log_between

# Photosites per delivered pixel up to which a sensor is rendered photosite by photosite; finer ones are merged.
FINEST = 1.6
LARGEST_ERROR = 1.5  # stops
# Within these a person still sees the face. Light is counted in photoelectrons at full scale of a delivered pixel, blur
# in delivered pixels, and the quantiser is that of a crop with a photosite per delivered pixel.
LEAST_LIGHT, LARGEST_BLUR, COARSEST = 60.0, 2.0, 38.0
# Sides of a camera's own pictures per delivered side.
OWN_SIDES = (0.5, FINEST)
ADAPTED = (0.55, 0.95)
MEAN_LEVEL = 0.2  # share of full scale at which the noise is reckoned that denoising is set by
OFFSETS = 16  # columns and rows of the largest block, a macroblock
ENLARGING: tuple[Kernel, ...] = ("bilinear", "bicubic")
REDUCING: tuple[Kernel, ...] = ("box", "bilinear", "bicubic", "lanczos", "points", "points")
SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:2:0", "4:2:0", "4:2:2", "4:4:4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of camera: what its sessions are drawn from, each value by itself. Ranges are those of `Camera`'s values.

    Attributes:
        resolution: Photosites across the crop per delivered pixel, drawn by its logarithm. At 128 pixels, where a face
            fills about three quarters of the crop, a face of 60 photosites has 0.6, one of 500 has 5.
        defocus, shake: In photosites, merged or not.
        misfocus: Probability that the focus is missed.
        vignetting, flare, exposure, saturation, contrast, sharpening: As in `Camera`.
        full_well: Photoelectrons at full scale, drawn by its logarithm: about 80 in a dark room.
        read_noise, rows: Photoelectrons.
        flicker: Strength of the bands.
        stops: Deviation of the exposure's error, cut at 1.5 stops.
        warmth, tint: Deviations of the white balance's error, cut at twice this.
        gamma: Exponent of the tone curve.
        denoising: Strength of noise removal, 1 being in proportion to the noise.
        halo: Radius of sharpening in pixels.
        scaled: Probability that the camera enlarges or reduces what its sensor gives.
        quality: JPEG quality.
        filmed: Probability of H.264 in place of JPEG.
        quantiser: Its quantiser.
        again: Probability of a second JPEG, by an app.
        again_quality: Its quality.
    """

    resolution: Range
    defocus: Range = (0.3, 0.9)
    misfocus: float = 0.08
    shake: Range = (0.0, 1.6)
    vignetting: Range = (0.0, 0.35)
    flare: Range = (0.0, 0.3)
    exposure: Range = (0.14, 0.24)
    stops: float = 0.6
    full_well: Range = (120, 5000)
    read_noise: Range = (1.5, 4.5)
    rows: Range = (0.0, 0.6)
    flicker: Range = (0.0, 0.04)
    warmth: float = 0.14
    tint: float = 0.03
    saturation: Range = (0.5, 1.35)
    contrast: Range = (-0.2, 0.6)
    gamma: Range = (0.85, 1.2)
    denoising: Range = (0.0, 1.5)
    sharpening: Range = (0.0, 1.4)
    halo: Range = (0.5, 1.6)
    scaled: float = 0.3
    quality: Range = (30, 93)
    filmed: float = 0.3
    quantiser: Range = (22, 38)
    again: float = 0.35
    again_quality: Range = (40, 95)


LAPTOP = Kind(resolution=(0.65, 2.6), full_well=(100, 4000))
PHONE = Kind(
    resolution=(0.9, 5.0),
    defocus=(0.3, 0.8),
    full_well=(200, 8000),
    flicker=(0.0, 0.03),
    warmth=0.11,
    saturation=(0.8, 1.5),
    contrast=(0.0, 0.7),
    denoising=(0.3, 1.8),
    scaled=0.15,
    quality=(60, 95),
    filmed=0.15,
    quantiser=(18, 34),
    again=0.5,
)
WEBCAM = Kind(
    resolution=(0.6, 2.8),
    defocus=(0.3, 1.1),
    misfocus=0.12,
    full_well=(80, 2500),
    rows=(0.0, 0.8),
    flicker=(0.0, 0.06),
    warmth=0.17,
    tint=0.04,
    saturation=(0.3, 1.3),
    contrast=(-0.2, 0.7),
    gamma=(0.8, 1.25),
    scaled=0.4,
    quality=(25, 85),
    filmed=0.35,
    quantiser=(24, 38),
)
TERMINAL = Kind(
    resolution=(0.8, 4.0),
    full_well=(200, 8000),
    warmth=0.11,
    saturation=(0.5, 1.25),
    contrast=(-0.3, 0.45),
    scaled=0.2,
    quality=(50, 95),
    quantiser=(20, 34),
)
# With which pictures are taken that are printed or played later: good light, compressed by the way they came.
STILLS = Kind(
    resolution=(1.0, 5.0),
    defocus=(0.25, 0.6),
    misfocus=0.04,
    shake=(0.0, 1.0),
    flare=(0.0, 0.15),
    stops=0.35,
    full_well=(800, 15000),
    rows=(0.0, 0.3),
    flicker=(0.0, 0.01),
    warmth=0.1,
    saturation=(0.7, 1.4),
    contrast=(0.0, 0.6),
    denoising=(0.0, 1.0),
    scaled=0.1,
    quality=(60, 96),
    filmed=0.1,
    quantiser=(18, 32),
    again=0.5,
)
# By the first word in a camera's name that is one of these.
KINDS = {
    "source": STILLS, "laptop": LAPTOP, "phone": PHONE, "webcam": WEBCAM, "terminal": TERMINAL, "kiosk": TERMINAL,
}  # fmt: skip


def kind_of(camera: Camera) -> Kind:
    """Return the kind of a camera of the world, which its name tells.

    Raises:
        ValueError: It tells none.
    """
    for word in camera.name.split("-"):
        if word in KINDS:
            return KINDS[word]
    raise ValueError(f"camera {camera.name!r} is of no known kind: its name needs one of {', '.join(KINDS)}")


def draw_camera(base: Camera, rng: np.random.Generator, *, video: bool = True) -> Camera:
    """Return the camera of one capture session, of the kind of `base`, with values in place of ranges.

    As many random numbers are drawn whatever comes out, so that `video` changes nothing but the compression.

    Args:
        base: A camera of the world; name and crosstalk are kept.
        rng: Source of randomness.
        video: Whether a share of the sessions is compressed as H.264, which needs the extra `video`; without, all are
            compressed as JPEG. It is asked for and never guessed from what is installed: frames depend on it.

    Raises:
        PluginError: `video`, and there is no encoder of H.264; at the first camera already.
    """
    if video:
        h264_encoder()
    kind = kind_of(base)
    count, resolution = merging(log_between(rng, kind.resolution))
    session = _draw_session(kind, count, rng)
    missed, chance = between(rng, (1.7, 2.4)), rng.random()
    defocus = between(rng, kind.defocus) * (missed if chance < kind.misfocus else 1.0)
    light = LEAST_LIGHT / (resolution * count) ** 2 * 2.0 ** max(-session.stops, 0)
    full_well, read_noise = max(log_between(rng, kind.full_well), light), between(rng, kind.read_noise)
    noise = math.hypot((MEAN_LEVEL * full_well) ** -0.5, read_noise / (MEAN_LEVEL * full_well)) / count
    delivery = _draw_delivery(kind, resolution, count, noise, rng)
    return replace(
        base,
        resolution=_always(resolution),
        defocus=_always(min(defocus / count, LARGEST_BLUR * resolution)),
        misfocus=0.0,
        shake=_always(between(rng, kind.shake) / count),
        vignetting=between(rng, kind.vignetting),
        flare=_always(between(rng, kind.flare)),
        exposure=_always(between(rng, kind.exposure)),
        full_well=_always(full_well),
        read_noise=read_noise,
        balance_error=0.0,
        saturation=_always(between(rng, kind.saturation)),
        contrast=_always(between(rng, kind.contrast)),
        sharpening=_always(between(rng, kind.sharpening)),
        quality=_always(finer_quality(between(rng, kind.quality), count)),
        denoise=0.0,
        session=session,
        delivery=delivery if video else replace(delivery, quantiser=0),
    )


def _always(value: float) -> Range:
    return value, value


def merging(resolution: float) -> tuple[int, float]:
    """Return how many by how many photosites are merged, and the merged ones per delivered pixel.

    Rendering costs by the square of the side, and a reduction averages what is finer than the delivered pixels anyway.
    So a sensor at least twice as fine as they are is rendered as one that merges its photosites, to one to one and a
    half per delivered pixel: each of these averages over the area of all, so that noise, blur, and the rasters of
    screens and prints fade as by the reduction. Between `FINEST` and 2 a sensor is taken for one twice as fine.
    """
    if resolution <= FINEST:
        return 1, resolution
    count = max(2, math.floor(resolution))
    return count, max(resolution, 2.0) / count


def finer_quality(quality: float, count: int) -> float:
    """Return the JPEG quality whose steps are those of `quality` divided by `count`.

    A picture compressed before it is reduced by averaging `count` x `count` pixels keeps that share of its error.
    (Steps are scaled by 50 / quality below 50, by 2 - quality / 50 above: libjpeg's jpeg_quality_scaling.)
    """
    scale = (50 / quality if quality < 50 else 2 - quality / 50) / count
    return 50 / scale if scale > 1 else 50 * (2 - scale)


def _draw_session(kind: Kind, count: int, rng: np.random.Generator) -> Session:
    stops, warmth, tint = rng.standard_normal(3)
    return Session(
        stops=_cut(kind.stops * stops, LARGEST_ERROR),
        flicker=between(rng, kind.flicker),
        rows=between(rng, kind.rows),
        merged=count,
        white=0.9,
        adapted=between(rng, ADAPTED),
        warmth=kind.warmth * _cut(warmth, 2),
        tint=kind.tint * _cut(tint, 2),
        gamma=between(rng, kind.gamma),
        wraps=False,
    )


def _cut(value: float, most: float) -> float:
    """Return the value, or the nearer of -`most` and `most`."""
    return float(min(max(value, -most), most))


def _draw_delivery(kind: Kind, resolution: float, count: int, noise: float, rng: np.random.Generator) -> Delivery:
    """Return what happens to the pictures of a sensor with this relative noise at its mean level."""
    strength, uneven = between(rng, kind.denoising), between(rng, (0.5, 1.5))
    own, chance = min(max(resolution * log_between(rng, (0.6, 2.0)), OWN_SIDES[0]), OWN_SIDES[1]), rng.random()
    output = own / resolution if chance < kind.scaled else 1.0
    kernels = _drawn_kernel(output > 1, rng), _drawn_kernel(output * resolution < 1, rng)
    subsampling = SUBSAMPLINGS[int(rng.integers(len(SUBSAMPLINGS)))]
    quantiser = min(between(rng, kind.quantiser), COARSEST + 6 * math.log2(min(resolution * count, 1))) - 6 * math.log2(
        count
    )
    filmed, again = rng.random() < kind.filmed, rng.random() < kind.again
    again_quality = round(between(rng, kind.again_quality))
    offsets = [int(way) for way in rng.integers(OFFSETS, size=4)]
    return Delivery(
        luma=strength * (1.5 + 80 * noise),
        chroma=min(3.0, strength * uneven * (0.4 + 8 * noise)),
        output=output,
        halo=between(rng, kind.halo),
        kernels=kernels,
        subsampling="4:4:4" if count > 1 else subsampling,
        quantiser=round(quantiser) if filmed else 0,
        offset=(offsets[0], offsets[1]),
        again=again_quality if again else 0,
        again_offset=(offsets[2], offsets[3]),
    )


def _drawn_kernel(enlarging: bool, rng: np.random.Generator) -> Kernel:
    kernels = ENLARGING if enlarging else REDUCING
    return kernels[int(rng.random() * len(kernels))]
