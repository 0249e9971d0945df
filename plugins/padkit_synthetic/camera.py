"""The camera chain: scene radiance in linear light -> lens -> sensor -> development; one function per stage.

What becomes of the developed picture before it reaches a detector is in `padkit_synthetic.delivery`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from padkit_synthetic.delivery import Delivery, delivered
from padkit_synthetic.imaging import (
    Bytes,
    Floats,
    between,
    blurred,
    fine_noise,
    floats,
    log_between,
    luminance,
    mixed,
    saturation_matrix,
)

Range = tuple[float, float]
APERTURE = 12**-0.5
LEVELS = (0.045, 0.55)  # mean luminance, share of full scale: beyond these nobody would see a face


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What one capture session adds to a camera: values, not ranges. By default nothing, and no random number.

    Attributes:
        stops: Error of the exposure in stops; -1 halves the light, +1 doubles it and clips the highlights.
        flicker: Strength of the bright and dark bands that pulsed lamps and a rolling shutter make, in [0, 1].
        rows: Deviation of the offset that all photosites of a row share, in photoelectrons.
        merged: How many by how many photosites are merged into one before development; 1 is none.
        white: Share of full scale above which a photosite counts as saturated; where all three colours are, the
            picture is white. 1 leaves them as they are.
        adapted: Share of a cast of light that the white balance removes.
        warmth: Error of the white balance from cold (negative) to warm, ln(red gain / blue gain).
        tint: Its error from magenta (negative) to green, ln(green gain).
        gamma: Exponent applied to the encoded picture; above 1 it is darker.
        wraps: Whether shake takes what is beyond a border from the opposite one, as in version 3 of the world.
    """

    stops: float = 0.0
    flicker: float = 0.0
    rows: float = 0.0
    merged: int = 1
    white: float = 1.0
    adapted: float = 0.8
    warmth: float = 0.0
    tint: float = 0.0
    gamma: float = 1.0
    wraps: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera; a value is drawn from each range once per presentation, because it varies between capture sessions.

    Attributes:
        name: Name of the device.
        resolution: Range of the side of the sensor's face crop per side of the delivered crop, which varies with the
            distance of the face; below 1 the crop is enlarged.
        defocus: Range of the lens blur's deviation in photosites.
        misfocus: Probability that the focus is missed, which about doubles the blur.
        shake: Range of the motion blur's length in photosites.
        vignetting: Loss of light in the corners, in [0, 1].
        flare: Range of the light that the lens scatters over the whole picture, share of its mean.
        exposure: Range of the mean luminance that automatic exposure aims at, share of full scale.
        full_well: Range of photoelectrons at full scale; fewer in dim light, where the gain is higher.
        read_noise: Deviation of the read noise in photoelectrons.
        balance_error: Deviation of the white balance's error per channel (natural logarithm).
        crosstalk: Share of light that leaks between colour channels.
        saturation: Range of the saturation of the developed picture.
        contrast: Range of the strength of the S-shaped tone curve, in [0, 1].
        sharpening: Range of the unsharp mask's strength.
        quality: Range of JPEG quality.
        denoise: Deviation in photosites of the blur that removes noise before sharpening.
        session, delivery: What a drawn camera has beyond these (`padkit_synthetic.drawn.cameras`). They are not in the
            camera's text, whose checksum freezes version 3 of the world: its cameras have none.
    """

    name: str
    resolution: Range = (0.9, 1.2)
    defocus: Range = (0.3, 0.6)
    misfocus: float = 0.05
    shake: Range = (0.0, 1.2)
    vignetting: float = 0.15
    flare: Range = (0.0, 0.12)
    exposure: Range = (0.13, 0.28)
    full_well: Range = (300.0, 6000.0)
    read_noise: float = 4.0
    balance_error: float = 0.04
    crosstalk: float = 0.06
    saturation: Range = (0.95, 1.25)
    contrast: Range = (0.1, 0.5)
    sharpening: Range = (0.2, 0.6)
    quality: Range = (75.0, 92.0)
    denoise: float = 0.0
    session: Session = field(default=Session(), repr=False)
    delivery: Delivery = field(default=Delivery(), repr=False)

    def side(self, size: int, rng: np.random.Generator) -> int:
        """Return the sensor's side in photosites, an even number, for delivered crops of `size` pixels."""
        return 2 * round(between(rng, self.resolution) * size / 2)


def focused(scene: Floats, defocus: float, side: int) -> Floats:
    """Return the irradiance [T, 3, side, side] of the photosites, from a scene of the same or a finer resolution.

    The lens blurs, and each photosite averages over its own area (a box of one sample, deviation 0.29), so that finer
    structure fades or aliases as on a real sensor.
    """
    return blurred(scene, math.hypot(defocus, APERTURE), scene.shape[-1] // side)


def shaken(image: Floats, length: float, angle: float, *, wraps: bool = True) -> Floats:
    """Return the irradiance blurred along a straight path of `length` photosites, sampled at three positions.

    The borders wrap around, or, if not `wraps`, go on as they are; the path is a few photosites at most.
    """
    step_x, step_y = round(0.5 * length * math.cos(angle)), round(0.5 * length * math.sin(angle))
    if not step_x and not step_y:
        return image
    if wraps:
        ends = np.roll(image, (step_y, step_x), (-2, -1)) + np.roll(image, (-step_y, -step_x), (-2, -1))
        return floats((image + ends) * (1 / 3))
    reach, (height, width) = max(abs(step_x), abs(step_y)), image.shape[-2:]
    wider = np.pad(image, [(0, 0), (0, 0), (reach, reach), (reach, reach)], mode="edge")
    total = image.copy()
    for way in (-1, 1):
        top, left = reach + way * step_y, reach + way * step_x
        total += wider[..., top : top + height, left : left + width]
    total *= np.float32(1 / 3)
    return total


def vignetted(image: Floats, loss: float) -> Floats:
    """Return the irradiance dimmed towards the corners by `loss` (a quadratic fit of the cos^4 law)."""
    axis = np.linspace(-1, 1, image.shape[-1], dtype=np.float32)
    return image * (1 - (0.5 * loss) * (axis[:, None] ** 2 + axis[None, :] ** 2))


def flared(image: Floats, share: float) -> Floats:
    """Return the irradiance with scattered light, `share` of each channel's mean, which brightens dark parts."""
    return floats(image + np.float32(share) * image[..., ::4, ::4].mean(axis=(-2, -1), keepdims=True))


def exposed(image: Floats, target: float, rng: np.random.Generator) -> Floats:
    """Return the image scaled so that its centre-weighted mean luminance is `target`; one gain for the whole clip."""
    quarter = image.shape[-1] // 6
    centre = luminance(image[..., quarter:-quarter:2, quarter:-quarter:2]).mean()
    whole = luminance(image[..., ::4, ::4]).mean()
    metered = float(0.7 * centre + 0.3 * whole)
    gains = np.exp(0.02 * rng.standard_normal((image.shape[0], 1, 1, 1))).astype(np.float32)
    return image * (gains * (target / max(metered, 1e-6)))


def misjudged(target: float, stops: float) -> float:
    """Return the mean luminance that exposure reaches in place of `target` if it is off by `stops`, within `LEVELS`.

    Automatic exposure meters the whole view: a window behind a face makes it dark, a dark room makes it too bright.
    What is then beyond 1, the sensor clips.
    """
    return min(max(target * 2.0**stops, LEVELS[0]), LEVELS[1]) if stops else target


def flickered(image: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Return the image with horizontal bands of relative `strength`, half a band to three bands high, in every frame.

    Lamps on mains pulse at 100 or 120 Hz, and a rolling shutter exposes row after row (about 10 to 30 ms a picture).
    """
    if not strength:
        return image
    rows = np.linspace(0, 2 * math.pi * between(rng, (0.5, 3.0)), image.shape[-2], dtype=np.float32)
    phase = rng.uniform(0, 2 * math.pi, (image.shape[0], 1)).astype(np.float32)
    return floats(image * (1 + np.float32(strength) * np.cos(rows + phase))[:, None, :, None])


def mosaicked(image: Floats) -> Floats:
    """Return the RGGB mosaic [T, H, W] of planar images [T, 3, H, W]."""
    mosaic = image[:, 1].copy()
    mosaic[:, 0::2, 0::2] = image[:, 0, 0::2, 0::2]
    mosaic[:, 1::2, 1::2] = image[:, 2, 1::2, 1::2]
    return mosaic


def leaked(image: Floats, leak: float) -> Floats:
    """Return the mosaic of images whose colour channels leak: half of `leak` from each channel into each other."""
    mosaic = mosaicked(image)
    mosaic *= 1 - 1.5 * leak
    total = image[:, 0] + image[:, 1]
    total += image[:, 2]
    total *= leak / 2
    mosaic += total
    return mosaic


def sensed(mosaic: Floats, full_well: float, read_noise: float, rng: np.random.Generator) -> Floats:
    """Return the mosaic with photon shot noise (Gaussian limit) and read noise, clipped and quantised to 10 bits."""
    noisy = np.maximum(mosaic, 0)
    noisy *= 1 / full_well
    noisy += (read_noise / full_well) ** 2
    np.sqrt(noisy, out=noisy)
    for number in range(noisy.shape[0]):
        noisy[number] *= fine_noise(rng, noisy.shape[1:])
    noisy += mosaic
    np.clip(noisy, 0, 1, out=noisy)
    noisy *= 1023
    np.rint(noisy, out=noisy)
    noisy *= 1 / 1023
    return noisy


def rowed(image: Floats, deviation: float, rng: np.random.Generator) -> Floats:
    """Return an image [T, ..., H, W] with row noise: one offset per row and frame, of `deviation` times full scale.

    All photosites of a row are read against the same reference, whose noise they share.
    """
    if not deviation:
        return image
    shape = (image.shape[0], *[1] * (image.ndim - 3), image.shape[-2], 1)
    return image + np.float32(deviation) * rng.standard_normal(shape, np.float32)


def merged(image: Floats, full_well: float, read_noise: float, count: int, rng: np.random.Generator) -> Floats:
    """Return planes [T, 3, H, W] as `count` x `count` photosites of an RGGB mosaic record each sample together.

    Of these a quarter are red, half are green and a quarter are blue. m photosites hold m times the electrons, and the
    variances of their read noise add up.
    """
    result = np.empty_like(image)
    for channel, share in enumerate((0.25, 0.5, 0.25)):
        photosites = max(1.0, share * count * count)
        noise = read_noise * photosites**0.5
        result[:, channel] = sensed(image[:, channel], full_well * photosites, noise, rng)
    return result


def demosaicked(mosaic: Floats) -> Floats:
    """Return planar images [T, 3, H, W] by bilinear interpolation of an RGGB mosaic [T, H, W]."""
    taller = np.concatenate([mosaic[:, 1:2], mosaic, mosaic[:, -2:-1]], axis=1)
    padded = np.concatenate([taller[:, :, 1:2], taller, taller[:, :, -2:-1]], axis=2)
    # All rows in one line: a neighbour is so many samples further on. What the border gets is left out.
    line, row = padded.reshape(-1), padded.shape[-1]
    first, last = row + 1, line.size - row - 1
    means = np.empty((4, *padded.shape), np.float32)
    sides, above, diagonal, cross = means.reshape(4, -1)[:, first:last]

    def add_up(total: Floats, *ways: int) -> None:
        near = [line[first + way : last + way] for way in ways]
        np.add(near[0], near[1], out=total)
        for other in near[2:]:
            total += other
        total *= 1 / len(ways)

    add_up(sides, -1, 1)
    add_up(above, -row, row)
    add_up(diagonal, -row - 1, -row + 1, row - 1, row + 1)
    np.add(sides, above, out=cross)
    cross *= 0.5
    centre = mosaic
    sides, above, diagonal, cross = means[..., 1:-1, 1:-1]
    result = np.empty((mosaic.shape[0], 3, *mosaic.shape[1:]), np.float32)
    for channel, (row, column) in ((0, (0, 0)), (2, (1, 1))):
        plane, other_row, other_column = result[:, channel], 1 - row, 1 - column
        plane[:, row::2, column::2] = centre[:, row::2, column::2]
        plane[:, row::2, other_column::2] = sides[:, row::2, other_column::2]
        plane[:, other_row::2, column::2] = above[:, other_row::2, column::2]
        plane[:, other_row::2, other_column::2] = diagonal[:, other_row::2, other_column::2]
    green = result[:, 1]
    green[...] = centre
    green[:, 0::2, 0::2] = cross[:, 0::2, 0::2]
    green[:, 1::2, 1::2] = cross[:, 1::2, 1::2]
    return result


def balanced(image: Floats, error: float, rng: np.random.Generator, adapted: float = 0.8) -> Floats:
    """Return the image white-balanced towards a grey world: by the share `adapted`, with a random error per channel."""
    means = np.maximum(image[..., ::4, ::4].mean(axis=(0, 2, 3)), 1e-4)
    grey = np.array([1.18, 1.0, 0.86], np.float32)  # faces are warmer than grey
    gains = (means[1] / means * grey) ** adapted * np.exp(error * rng.standard_normal(3))
    gains[1] = 1.0
    return image * floats(np.clip(gains, 0.4, 2.8))[None, :, None, None]


def recorded(image: Floats, camera: Camera, full_well: float, rng: np.random.Generator) -> Floats:
    """Return what the sensor records [T, 3, H, W] of the light on its photosites, all colours at every place.

    A sensor whose crop is at least twice as fine as the delivered one is not rendered photosite by photosite: they are
    merged as the later reduction would merge them. All colours are then known everywhere, so there is no mosaic.
    """
    session, leak = camera.session, camera.crosstalk
    if session.merged == 1:
        mosaic = sensed(leaked(image, leak), full_well, camera.read_noise, rng)
        return demosaicked(rowed(mosaic, session.rows / full_well, rng))
    leaking = floats((1 - 1.5 * leak) * np.eye(3) + leak / 2)
    planes = merged(mixed(image, leaking), full_well, camera.read_noise, session.merged, rng)
    return rowed(planes, session.rows / (full_well * session.merged**0.5), rng)


def tinged(image: Floats, warmth: float, tint: float) -> Floats:
    """Return the image under a white balance that is off: ln(red/blue) by `warmth`, ln(green) by `tint`.

    The luminance of grey stays.
    """
    if not (warmth or tint):
        return image
    gains = np.exp(floats([warmth / 2, tint, -warmth / 2]))
    gains /= gains @ floats([0.2126, 0.7152, 0.0722])
    return image * gains[:, None, None]


def whitened(image: Floats, raw: Floats, white: float) -> Floats:
    """Return the image with white where all colours of `raw`, what the sensor recorded, are between `white` and 1.

    A saturated photosite no longer tells the colour; gains of the white balance would make one up.
    """
    if white >= 1:
        return image
    least = raw.min(axis=1, keepdims=True)
    if least.max() <= white:
        return image
    share = np.clip((least - white) * np.float32(1 / (1 - white)), 0, 1)
    return floats(image + share * np.maximum(1 - image, 0))


@cache
def _encoded_levels() -> Floats:
    level = np.arange(4096, dtype=np.float32) / 4095
    return np.where(level <= 0.0031308, 12.92 * level, 1.055 * level ** (1 / 2.4) - 0.055)


def toned(image: Floats, contrast: float, gamma: float = 1.0) -> Bytes:
    """Return gamma-encoded uint8 images of linear images: the sRGB curve to the power `gamma`, blended with an S-curve.

    Negative `contrast` flattens the middle tones, as cameras do that lighten shadows.
    """
    encoded = _encoded_levels() if gamma == 1 else _encoded_levels() ** np.float32(gamma)
    curved = encoded + contrast * (encoded * encoded * (3 - 2 * encoded) - encoded)
    table: Bytes = np.round(255 * curved).astype(np.uint8)
    level = image * 4095
    np.clip(level, 0, 4095, out=level)
    return table.take(level.astype(np.intp))


def capture(scene: Floats, side: int, camera: Camera, size: int, rng: np.random.Generator) -> Bytes:
    """Return the delivered frames of a clip, uint8 RGB [T, size, size, 3].

    Args:
        scene: Radiance [T, 3, H, W], H a multiple of `side`; the photosites sample finer scenes.
        side: The sensor's side in photosites, even.
        camera: The camera.
        size: Side of the delivered frames.
        rng: Source of the session's settings and of the sensor's noise.
    """
    session = camera.session
    missed = between(rng, (1.7, 2.4)) if rng.random() < camera.misfocus else 1.0
    image = focused(scene, between(rng, camera.defocus) * missed, side)
    image = shaken(image, between(rng, camera.shake), between(rng, (0.0, math.pi)), wraps=session.wraps)
    image = flared(vignetted(image, camera.vignetting), between(rng, camera.flare))
    image = exposed(image, misjudged(between(rng, camera.exposure), session.stops), rng)
    image = flickered(image, session.flicker, rng)
    raw = recorded(image, camera, log_between(rng, camera.full_well), rng)
    image = balanced(raw, camera.balance_error, rng, session.adapted)
    image = tinged(image, session.warmth, session.tint)
    image = whitened(image, raw, session.white)
    image = mixed(image, saturation_matrix(between(rng, camera.saturation) * (1 + 1.2 * camera.crosstalk)))
    developed = toned(blurred(image, camera.denoise), between(rng, camera.contrast), session.gamma)
    sharpening, quality = between(rng, camera.sharpening), round(between(rng, camera.quality))
    return delivered(developed.transpose(0, 2, 3, 1), size, sharpening, quality, camera.delivery)
