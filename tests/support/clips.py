"""Real encoded video of a few frames, for miniature dataset trees."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CODECS = {".avi": "mpeg4", ".mov": "mpeg4", ".mp4": "mpeg4"}


def moving_frames(count: int, width: int = 96, height: int = 128, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return `count` frames uint8 [height, width, 3] of which each can be told from its neighbours.

    The mean grey value of frame i is near 40 + 8 * i (below 248), the texture is drawn from `seed`.
    """
    texture = np.random.default_rng(seed).integers(-20, 21, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    return [np.clip(texture + min(40 + 8 * i, 248), 0, 255).astype(np.uint8) for i in range(count)]


def write_clip(path: Path, frames: Iterable[NDArray[np.uint8]], rate: int = 25) -> None:
    """Encode frames uint8 RGB [H, W, 3], H and W even, in the container that the suffix of `path` names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix.lower()], rate=rate)
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.bit_rate = 4_000_000
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def mark_matrix(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Write into an MP4 or MOV that the point (x, y) is to be shown at (a x + c y, b x + d y).

    The display matrix stands in the track header (ISO/IEC 14496-12, 8.3.2), 16.16 fixed point, the last column 2.30.
    """
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4
    assert content[start] == 0, "version 1 has longer times"
    a, b, c, d = (round(value * 65536) for value in (a, b, c, d))
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    content[start + 40 : start + 40 + len(matrix)] = matrix
    path.write_bytes(content)


def mark_turn(path: Path, degrees: int) -> None:
    """Write into an MP4 or MOV that it is to be shown turned clockwise by 0, 90, 180 or 270 degrees."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    mark_matrix(path, cosine, sine, -sine, cosine)
