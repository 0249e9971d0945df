"""Decodes the frames of a video in order from its beginning (PyAV, FFmpeg's libraries)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from padkit.data.media.pictures import Frame, rotate
from padkit.data.media.sources import FrameSource, ShorterError
from padkit.errors import DataError

# Packets that recorders write for a dropped frame are shorter than this; they may hold a frame or none.
LEAST_PACKET = 16  # bytes
BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"pnot", b"moof", b"mfra", b"sidx", b"styp"}


class Video(FrameSource):
    """The frames of a file's first video stream, upright by the file's display matrix and then by `rotation`.

    Frames are counted by the compressed packets, which stay in memory (a few megabytes), not by the header; if packets
    look like dropped frames, all frames are decoded to count them. Decoding starts at the beginning, because only then
    frame numbers are exact, and stops at the last requested frame.

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
        self._count = -1
        size, self._missing = _sizes(path)
        if not size:
            raise DataError(f"{path}: the file is empty.")
        try:
            self._container = _open(path)
        except av.FFmpegError as error:
            cut = f"cut short by {self._missing} bytes, or " if self._missing else ""
            raise DataError(f"{path}: {cut}not a video that FFmpeg can read ({_reason(error)}).") from error
        if not self._container.streams.video:
            self.close()
            raise DataError(f"{path}: the file holds no video stream.")
        self._stream = self._container.streams.video[0]
        # One process per core is at work; threads would only compete.
        self._stream.codec_context.thread_count = 1

    def __len__(self) -> int:
        if self._count < 0:
            try:
                self._packets = [packet for packet in self._container.demux(self._stream) if packet.size]
            except av.FFmpegError as error:
                raise DataError(f"{self._path}: damaged video ({_reason(error)}).") from error
            self._refuse_cut(len(self._packets), self._stream.frames)
            self._count = sum(not packet.is_discard for packet in self._packets)
            if any(packet.size < LEAST_PACKET for packet in self._packets):
                self._count = sum(1 for _ in self._decoded())
            if not self._count:
                raise DataError(f"{self._path}: the video holds no frames.")
        return self._count

    def _refuse_cut(self, found: int, stated: int) -> None:
        """Refuse a truncated file; headers of complete files may also be wrong, so bytes must be missing too."""
        within = found and self._packets[-1].is_corrupt
        if within or (self._missing and found < (stated or found + 1)):
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
        context = self._stream.codec_context
        done = 0
        try:
            # Start again from the beginning if this is the second pass.
            context.flush_buffers()
            for packet in (*self._packets, None):
                for frame in context.decode(packet):
                    done += 1
                    yield frame
        except av.FFmpegError as error:
            raise DataError(f"{self._path}: frame {done} of {count} cannot be decoded ({_reason(error)}).") from error

    def _upright(self, frame: av.VideoFrame) -> Frame:
        # The display matrix counts counter-clockwise.
        turn = (self._rotation - round(frame.rotation / 90) * 90) % 360
        return rotate(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False), turn)


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
        size = path.stat().st_size
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
