"""Image arithmetic that all stages use; images are planar float32 in linear light."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Indices = NDArray[np.intp]
# Samples of an image that is blurred as a whole, because it stays in the processor's cache.
SMALL = 1 << 16


def floats(values: ArrayLike) -> Floats:
    """Return `values` as float32, without a copy if they are float32 already."""
    return np.asarray(values, np.float32)


def generator(*key: int) -> np.random.Generator:
    """Return a generator that depends only on the integers of `key`, on every platform."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def between(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Return a float drawn uniformly from `bounds`."""
    return bounds[0] + (bounds[1] - bounds[0]) * rng.random()


def log_between(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Return a float whose logarithm is drawn uniformly between those of the positive `bounds`."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


@cache
def retain_memory() -> None:
    """Let glibc keep freed memory for the next arrays, which saves a tenth of the rendering time.

    glibc raises its thresholds to the largest block ever freed (32 MiB at most, mallopt(3), M_MMAP_THRESHOLD), so
    allocating and freeing one unused block is enough; results do not depend on it.
    """
    np.empty((32 << 20) - (1 << 16), np.uint8)


@cache
def srgb_table() -> Floats:
    """Return the linear light [0, 1] of each sRGB code 0..255 (IEC 61966-2-1)."""
    code = np.arange(256) / 255.0
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_from_srgb(image: Bytes) -> Floats:
    """Return planar linear light [3, H, W] in [0, 1] of an sRGB image uint8 [H, W, 3]."""
    return srgb_table().take(np.ascontiguousarray(image.transpose(2, 0, 1)))


@cache
def linear_from_hex(code: str) -> Floats:
    """Return the linear RGB [3] of a colour such as `"f6ede4"`, read-only."""
    colour = srgb_table()[np.frombuffer(bytes.fromhex(code), np.uint8)]
    colour.setflags(write=False)
    return colour


def resized(image: Bytes, size: int) -> Bytes:
    """Return uint8 [H, W, 3] resampled to `size` x `size` pixels (Lanczos down, bicubic up)."""
    return image if image.shape[:2] == (size, size) else np.asarray(_resized(image, size))


def resized_planes(image: Bytes, size: int) -> Bytes:
    """Return what `resized` does as planes [3, size, size]."""
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    return np.stack([np.asarray(plane) for plane in _resized(image, size).split()])


def _resized(image: Bytes, size: int) -> Image.Image:
    kind = Image.Resampling.LANCZOS if size < image.shape[0] else Image.Resampling.BICUBIC
    return Image.fromarray(image).resize((size, size), kind)


def reduced(image: Bytes, share: float) -> Bytes:
    """Return uint8 [S, S, 3] without its finest detail, resampled to this share of its side; 1 changes nothing."""
    return resized(image, min(image.shape[0], max(8, round(share * image.shape[0]))))


def enlarged(plane: Floats, size: int, kind: Image.Resampling = Image.Resampling.BICUBIC) -> Floats:
    """Return a plane [h, w] resampled smoothly to [size, size]; bilinear takes half the time, for what is blurred.

    A plane of this size already is returned itself.
    """
    if plane.shape == (size, size):
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((size, size), kind), np.float32)


@cache
def _noise_sheet() -> Floats:
    return generator(77).standard_normal(1 << 20, np.float32)


def fine_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return white Gaussian noise of unit deviation, read-only: a part of one stored sheet from a random position.

    Drawing as many new numbers would take as long as the rest of a camera.
    """
    sheet, count = _noise_sheet(), math.prod(shape)
    start = int(rng.integers(sheet.size))
    if count > sheet.size:
        return rng.standard_normal(shape, np.float32)
    if start + count > sheet.size:
        return np.concatenate([sheet[start:], sheet[: start + count - sheet.size]]).reshape(shape)
    return sheet[start : start + count].reshape(shape)


def smooth_noise(rng: np.random.Generator, cells: int, size: int) -> Floats:
    """Return noise [size, size] of about zero mean and unit deviation that varies over `cells` cells per side."""
    return enlarged(rng.standard_normal((cells, cells), np.float32), size)


def smoothstep(values: NDArray[Any], low: float, high: float) -> Floats:
    """Return 0 below `low`, 1 above `high` and a smooth ramp between; the bounds may be in falling order."""
    ramp = np.subtract(values, low, dtype=np.float32)
    ramp *= np.float32(1.0 / (high - low))
    ramp = ramp.clip(0, 1)
    square = ramp * ramp
    ramp *= -2
    ramp += 3
    return floats(square * ramp)


def bump(squared: NDArray[Any]) -> Floats:
    """Return exp(-squared): a Gaussian bump over a squared, scaled distance."""
    return floats(np.exp(np.negative(squared, dtype=np.float32)))


def luminance(image: Floats) -> Floats:
    """Return the luminance of planar images [..., 3, H, W] as [..., H, W] (Rec. 709 weights)."""
    result = image[..., 1, :, :] * np.float32(0.7152)
    result += 0.2126 * image[..., 0, :, :]
    result += 0.0722 * image[..., 2, :, :]
    return floats(result)


def mixed(image: Floats, matrix: Floats) -> Floats:
    """Return planar images [..., 3, H, W] with their channels mixed by `matrix` [3, 3]."""
    result, part = np.empty_like(image), np.empty_like(image[..., 0, :, :])
    for row in range(3):
        plane = result[..., row, :, :]
        np.multiply(image[..., 0, :, :], matrix[row, 0], out=plane)
        plane += np.multiply(image[..., 1, :, :], matrix[row, 1], out=part)
        plane += np.multiply(image[..., 2, :, :], matrix[row, 2], out=part)
    return result


def saturation_matrix(amount: float) -> Floats:
    """Return the mixing matrix [3, 3] that keeps luminance and scales saturation by `amount`."""
    weights = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
    return (amount * np.eye(3, dtype=np.float32) + (1 - amount) * np.repeat(weights, 3, 0)).astype(np.float32)


@cache
def gaussian_taps(sigma_hundredths: int, centre_hundredths: int) -> tuple[tuple[int, float], ...]:
    """Return (offset, weight) pairs of a Gaussian around a centre; arguments in hundredths of a sample."""
    sigma, centre = max(sigma_hundredths, 1) / 100.0, centre_hundredths / 100.0
    reach = max(1, int(np.ceil(2.6 * sigma)))
    offsets = np.arange(int(np.floor(centre)) - reach + 1, int(np.ceil(centre)) + reach)
    weights = np.exp(-0.5 * ((offsets - centre) / sigma) ** 2)
    weights /= weights.sum()
    return tuple((int(o), float(w)) for o, w in zip(offsets, weights, strict=True) if w > 1e-3)


def _add_up(slices: list[Floats], weights: list[float], total: Floats) -> None:
    """Write the weighted sum of `slices` into `total`; taps that share a weight, first and last, are added first."""
    if len(slices) == 1:
        np.multiply(slices[0], weights[0], out=total)
        return
    np.add(slices[0], slices[-1], out=total)
    total *= weights[0]
    part = np.empty_like(total)
    for number in range(1, len(slices) // 2):
        np.add(slices[number], slices[-1 - number], out=part)
        part *= weights[number]
        total += part
    if len(slices) % 2:
        middle = len(slices) // 2
        total += np.multiply(slices[middle], weights[middle], out=part)


def _phases(planes: Floats, axis: int, step: int, before: int, after: int) -> list[Floats]:
    """Return every `step`-th row (axis -2) or column (-1) from the first, the second, ... on, each in own memory.

    Rows and columns are continued by the edge, `before` and `after` it. All results have the same size.
    """

    def part(first: int, last: int | None, step: int = 1) -> Floats:
        return planes[..., first:last:step, :] if axis == -2 else planes[..., first:last:step]

    count, found = -(-(before + planes.shape[axis] + after) // step), []
    for phase in range(step):
        left = max(0, -((phase - before) // step))
        inside = part(phase + left * step - before, None, step)
        right = count - left - inside.shape[axis]
        found.append(np.concatenate([part(0, 1)] * left + [inside] + [part(-1, None)] * right, axis))
    return found


def _blurred_planes(planes: Floats, taps: tuple[tuple[int, float], ...], step: int) -> Floats:
    """Return planes [..., H, W] blurred and decimated: first down the columns, then along the rows."""
    offsets, weights = [tap[0] for tap in taps], [tap[1] for tap in taps]
    before, after = max(0, -offsets[0]), max(0, offsets[-1] - step + 1)
    height, width = planes.shape[-2] // step, planes.shape[-1] // step
    starts = [divmod(offset + before, step) for offset in offsets]
    phases = _phases(planes, -2, step, before, after)
    rows: Floats = np.empty((*planes.shape[:-2], height, planes.shape[-1]), np.float32)
    _add_up([phases[phase][..., start : start + height, :] for start, phase in starts], weights, rows)
    # All rows in one line: a tap shifts the line. What comes from the next row is beyond `width`.
    phases = _phases(rows, -1, step, before, after)
    wide: Floats = np.empty(phases[0].shape, np.float32)
    length = wide.size - wide.shape[-1] + width
    lines = [phases[phase].reshape(-1)[start : start + length] for start, phase in starts]
    _add_up(lines, weights, wide.reshape(-1)[:length])
    return wide[..., :width]


def blurred(image: Floats, sigma: float, step: int = 1) -> Floats:
    """Return planar images [..., H, W] blurred by a Gaussian and sampled at every `step`-th position.

    Args:
        image: Irradiance on a grid `step` times as fine as the result.
        sigma: Standard deviation in samples of the *result*.
        step: Decimation; 1 keeps the size.
    """
    if step == 1 and sigma < 0.15:
        return image
    taps = gaussian_taps(round(100 * step * sigma), round(50 * (step - 1)))
    result = np.empty((*image.shape[:-2], image.shape[-2] // step, image.shape[-1] // step), np.float32)
    # Plane by plane, so that a plane stays in the processor's cache for all taps; small ones together.
    for place in np.ndindex(image.shape[:-2]) if image.size > SMALL else [()]:
        result[place] = _blurred_planes(image[place], taps, step)
    return result


def blackbody(kelvin: float) -> Floats:
    """Return the linear RGB [3] of a black body, relative to 6500 K and scaled to green = 1.

    Planck's law at 610, 550 and 465 nm.
    """
    wavelengths = np.array([610e-9, 550e-9, 465e-9])
    ratio = np.expm1(0.014387769 / (wavelengths * 6500.0)) / np.expm1(0.014387769 / (wavelengths * kelvin))
    return floats(ratio / ratio[1])
