"""Real encoded video of a few frames, for miniature dataset trees."""

from __future__ import annotations

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
