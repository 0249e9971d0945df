"""Spectra of pictures, which show periodic structure such as halftone dots or display pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit_synthetic.imaging import Bytes

Spectrum = NDArray[np.float64]
# Below this frequency, faces and backgrounds have structure too (cycles per pixel).
LOWEST = 0.12


def spectrum(frame: Bytes) -> Spectrum:
    """Return the power spectrum [S, S] of a frame uint8 [S, S, 3] in dB, zero frequency in the middle.

    Channels are added as powers, since colour moire cancels in their sum; a Hann window hides the borders.
    """
    side = frame.shape[0]
    window = np.hanning(side)[:, None] * np.hanning(side)
    planes = frame.astype(np.float64).transpose(2, 0, 1)
    planes -= planes.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(planes * window)) ** 2).sum(axis=0)
    return np.asarray(10 * np.log10(np.fft.fftshift(power) + 1e-9))


def _radius(side: int) -> NDArray[np.float64]:
    axis = np.fft.fftshift(np.fft.fftfreq(side))
    return np.hypot(axis[:, None], axis[None, :])


def excess(levels: Spectrum) -> Spectrum:
    """Return by how many dB each point of a spectrum [S, S] exceeds the median of its spatial frequency."""
    side = levels.shape[0]
    ring = np.round(_radius(side) * side).astype(int).ravel()
    order = np.argsort(ring, kind="stable")
    groups = np.split(levels.ravel()[order], np.flatnonzero(np.diff(ring[order])) + 1)
    medians = np.array([np.median(group) for group in groups])
    return np.asarray(levels - medians[np.searchsorted(np.unique(ring), ring)].reshape(side, side))


def line_strength(frame: Bytes) -> float:
    """Return by how many dB the strongest line above `LOWEST` exceeds the median of its spatial frequency."""
    levels = excess(spectrum(frame))
    return float(levels[(_radius(levels.shape[0]) > LOWEST)].max())
