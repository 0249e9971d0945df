"""Decodes the frames of a video in order from its beginning (PyAV, FFmpeg's libraries)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from PIL import Image

from padkit.data.media.orientation import shown, square_size
from padkit.data.media.pictures import Frame, rotate
from padkit.data.media.sources import FrameSource, ShorterError
from padkit.errors import DataError
from padkit.files import regular_size

# Packets that recorders write for a dropped frame are shorter than this; they may hold a frame or none.
LEAST_PACKET = 16  # bytes
MOST_IN_MEMORY = 2**27  # bytes of a file whose packets are kept; a larger one is read once more to decode it
BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"pnot", b"moof", b"mfra", b"sidx", b"styp"}


class Video(FrameSource):
    """The frames of a file's first video stream, upright by the file's display matrix and then by `rotation`.

    Frames have square pixels. They are counted by the compressed packets, which stay in memory unless the file is
    large, not by the header; if packets look like dropped frames, all frames are decoded to count them. Decoding starts
    at the beginning, because only then frame numbers are exact, and stops at the last requested frame.

    Args:
        path: The file.
        rotation: Degrees (0, 90, 180, 270) to rotate every frame clockwise.

    Raises:
        DataError: The file is missing, empty, truncated or not a video.
    """

    def __init__(self, path: Path, rotation: int = 0) -> None:
        self._path = path
        self._rotation = rotation
        self._packets: list[Packet[VideoStream]] = []
        self._kept = True
        self._count = -1
        size, self._missing = _sizes(path)
        if not size:
            raise DataError(f"{path}: the file is empty.")
        self._kept = size <= MOST_IN_MEMORY
        self._container, self._stream = self._opened()
        context = self._stream.codec_context
        _refuse_bomb(context.width * context.height, path)

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        try:
            container = _open(self._path)
        except av.FFmpegError as error:
            cut = f"cut short by {self._missing} bytes, or " if self._missing else ""
            raise DataError(f"{self._path}: {cut}not a video that FFmpeg can read ({_reason(error)}).") from error
        if not container.streams.video:
            container.close()
            raise DataError(f"{self._path}: the file holds no video stream.")
        stream = container.streams.video[0]
        # One process per core is at work; threads would only compete.
        stream.codec_context.thread_count = 1
        return container, stream

    def __len__(self) -> int:
        if self._count < 0:
            found = shown_frames = 0
            dropped = corrupt = False
            try:
                for packet in self._container.demux(self._stream):
                    if not packet.size:
                        continue
                    if self._kept:
                        self._packets.append(packet)
                    found, shown_frames = found + 1, shown_frames + (not packet.is_discard)
                    dropped, corrupt = dropped or packet.size < LEAST_PACKET, packet.is_corrupt
            except av.FFmpegError as error:
                raise DataError(f"{self._path}: damaged video ({_reason(error)}).") from error
            self._refuse_cut(found, self._stream.frames, corrupt=corrupt)
            self._count = shown_frames
            if dropped:
                self._count = sum(1 for _ in self._decoded())
            if not self._count:
                raise DataError(f"{self._path}: the video holds no frames.")
        return self._count

    def _refuse_cut(self, found: int, stated: int, *, corrupt: bool) -> None:
        """Refuse a truncated file; headers of complete files may also be wrong, so bytes must be missing too."""
        if corrupt or (self._missing and found < (stated or found + 1)):
            there = f"{found} of {stated} frames" if stated else f"{found} frames"
            raise DataError(f"{self._path}: the video is cut short; {there} are there.")

    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Decode up to the last requested frame; frames that were not requested are not converted.

        Raises:
            DataError: A frame before it is damaged.
            ShorterError: The decoder gives fewer frames than there are packets.
        """
        wanted = iter(numbers)
        due = next(wanted, -1)
        if due < 0:
            return
        number = -1
        for number, frame in enumerate(self._decoded()):
            if number == due:
                yield number, self._upright(frame)
                due = next(wanted, -1)
                if due < 0:
                    return
        self._count = number + 1
        raise ShorterError(f"{self._path}: the video ends before frame {due}; it has {self._count}.")

    def close(self) -> None:
        """Close the file."""
        self._packets = []
        self._container.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count = len(self)
        done = 0
        if not self._kept:
            self._container.close()
            self._container, self._stream = self._opened()
        context = self._stream.codec_context
        try:
            # Start again from the beginning if this is the second pass.
            context.flush_buffers()
            for packet in itertools.chain(self._packets if self._kept else self._stored(), [None]):
                for frame in context.decode(packet):
                    done += 1
                    yield frame
        except av.FFmpegError as error:
            raise DataError(f"{self._path}: frame {done} of {count} cannot be decoded ({_reason(error)}).") from error

    def _stored(self) -> Iterator[Packet[VideoStream]]:
        return (packet for packet in self._container.demux(self._stream) if packet.size)

    def _upright(self, frame: av.VideoFrame) -> Frame:
        aspect = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        width, height = square_size(frame.width, frame.height, aspect, str(self._path))
        _refuse_bomb(width * height, self._path)
        if (width, height) != (frame.width, frame.height):
            frame = frame.reformat(width, height, "rgb24", interpolation="BICUBIC")
        pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
        try:
            matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        except ValueError:
            # A kind of side data (EXIF of a JPEG, say) that is newer than PyAV hides all; the turn is told beside it.
            return rotate(pixels, (self._rotation - round(frame.rotation / 90) * 90) % 360)
        return rotate(shown(pixels, bytes(matrix) if matrix is not None else b""), self._rotation)


def _refuse_bomb(pixels: int, path: Path) -> None:
    if pixels > (Image.MAX_IMAGE_PIXELS or pixels):
        raise DataError(f"{path}: too many pixels for a video of a face.")


def _open(path: Path) -> InputContainer:
    try:
        return av.open(str(path))
    except UnicodeDecodeError:
        # Metadata (names of songs or cameras) may have any encoding and are not used.
        return av.open(str(path), metadata_errors="ignore")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).partition(":")[0]


def _sizes(path: Path) -> tuple[int, int]:
    """Return the file's size, and how many bytes are missing according to its container (AVI and QuickTime/MP4)."""
    try:
        size = regular_size(path)
        with path.open("rb") as file:
            return size, max(_stated_size(file, size) - size, 0)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _stated_size(file: BinaryIO, size: int) -> int:
    """Return how many bytes the file should have, or 0 if its format does not say."""
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        length = int.from_bytes(head[4:8], "little")
        # Recorders that were switched off leave 0 or all ones here.
        return 0 if length in (0, 0xFFFFFFFF) else length + 8
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        if head[4:8] not in BOXES:
            return 0
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        # 0 means to the end of the file.
        if length < 8:
            return 0
        place += length
    return place
