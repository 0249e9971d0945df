"""Videos, stills and folders of stills as frames by number: exact, upright, and one line for what is damaged."""

from __future__ import annotations

import random
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import mark_matrix, mark_turn, moving_frames, write_clip
from PIL import Image

from padkit.data.media.opening import open_media
from padkit.data.media.sources import ShorterError
from padkit.data.media.stills import natural
from padkit.data.media.video import Video
from padkit.errors import DataError

SUFFIXES = [".avi", ".mov", ".mp4"]


def taken(path: Path, numbers, rotation: int = 0) -> dict[int, np.ndarray]:
    with open_media(path, rotation) as source:
        assert len(source)
        return dict(source.take(numbers))


def refused(path: Path, *parts: str, numbers=(0,)) -> None:
    with pytest.raises(DataError) as error:
        taken(path, numbers)
    text = str(error.value)
    assert "\n" not in text
    for part in (path.name, *parts):
        assert part in text, text


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frames_by_number_are_those_written(tmp_path, suffix):
    frames = moving_frames(23)
    path = tmp_path / f"a b ü 顔{suffix}"
    write_clip(path, frames)
    with open_media(path) as source:
        assert len(source) == 23
        found = dict(source.take([0, 6, 17, 22]))
        again = dict(source.take([21]))
    assert list(found) == [0, 6, 17, 22]
    for number, frame in (found | again).items():
        assert (frame.shape, frame.dtype) == ((128, 96, 3), np.uint8)
        assert abs(frame.mean() - frames[number].mean()) < 2  # neighbours differ by 8
    assert taken(path, []) == {}


def test_reordered_frames_are_counted_as_they_are_shown(tmp_path):
    path = tmp_path / "b.mp4"
    frames = moving_frames(20)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 128, "yuv420p", 4_000_000
        stream.codec_context.max_b_frames = 2
        for packet in [p for frame in frames for p in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24"))]:
            container.mux(packet)
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert times != sorted(times), "this clip must hold B-frames"
    found = taken(path, range(20))
    assert all(abs(found[number].mean() - frames[number].mean()) < 2 for number in range(20))


@pytest.mark.parametrize("stored", [0, 90, 180, 270])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_files_turn_and_then_the_records(tmp_path, stored, rotation):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, 48:] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    write_clip(tmp_path / "a.mp4", [picture] * 3)
    mark_turn(tmp_path / "a.mp4", stored)
    frame = taken(tmp_path / "a.mp4", [2], rotation=rotation)[2]
    wanted = np.rot90(picture, -(stored + rotation) // 90)
    assert frame.shape == wanted.shape
    assert np.abs(frame.astype(int) - wanted).mean() < 6


MIRRORED = {
    (-1, 0, 0, 1): lambda picture: picture[:, ::-1],
    (1, 0, 0, -1): lambda picture: picture[::-1],
    (0, 1, 1, 0): lambda picture: picture.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda picture: np.rot90(picture, 2).transpose(1, 0, 2),
}


def corners() -> np.ndarray:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    return picture


@pytest.mark.parametrize("matrix", MIRRORED)
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_mirrored_video_is_shown_as_its_matrix_says(tmp_path, matrix, rotation):
    """Front cameras of phones write the first one; FFmpeg's `rotation` of it is 180 degrees."""
    write_clip(tmp_path / "a.mp4", [corners()] * 3)
    mark_matrix(tmp_path / "a.mp4", *matrix)
    frame = taken(tmp_path / "a.mp4", [2], rotation=rotation)[2]
    wanted = np.rot90(MIRRORED[matrix](corners()), -rotation // 90)
    assert frame.shape == wanted.shape
    assert np.abs(frame.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(
    ("aspect", "size"), [("4/3", (128, 64)), ("3/4", (96, 85)), ("1/1", (96, 64)), ("0", (96, 64))]
)
def test_pixels_become_square(tmp_path, suffix, aspect, size):
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 4_000_000
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode())
    frame = taken(path, [2])[2]
    assert frame.shape == (size[1], size[0], 3)
    due = np.asarray(Image.fromarray(corners()).resize(size, Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(frame - due).mean() < 6


def test_a_large_file_is_decoded_without_keeping_it(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4", moving_frames(20))
    wanted = taken(tmp_path / "a.mp4", [3, 19])
    monkeypatch.setattr("padkit.data.media.video.MOST_IN_MEMORY", 10)
    with Video(tmp_path / "a.mp4") as video:
        assert len(video) == 20
        for _ in range(2):
            found = dict(video.take([3, 19]))
            assert all(np.array_equal(found[number], wanted[number]) for number in wanted)
        assert not video._packets


def test_a_video_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4", moving_frames(2))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    refused(tmp_path / "a.mp4", "too many pixels")


def test_a_turn_that_is_not_in_the_file_is_none(tmp_path):
    write_clip(tmp_path / "a.avi", [np.full((64, 96, 3), 99, np.uint8)] * 2)
    assert taken(tmp_path / "a.avi", [1])[1].shape == (64, 96, 3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_truncated_video_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    write_clip(path, moving_frames(30))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


@pytest.mark.parametrize("cut", [3, 200])
def test_a_truncated_video_with_its_index_in_front_is_refused(tmp_path, cut):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 128, "yuv420p"
        for frame in moving_frames(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    whole = path.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    path.write_bytes(whole[:-cut])
    refused(path, "cut short", "of 30 frames")


def test_no_video_is_refused(tmp_path):
    (tmp_path / "zero.avi").write_bytes(b"")
    refused(tmp_path / "zero.avi", "the file is empty")
    (tmp_path / "noise.mov").write_bytes(random.Random(0).randbytes(3000))
    refused(tmp_path / "noise.mov", "not a video")
    refused(tmp_path / "gone.mp4", "cannot be read", "No such file")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    refused(tmp_path / "sound.mp4", "no video stream")


@pytest.mark.parametrize("stated", [0, 5, 5000])
def test_the_header_of_an_avi_may_lie(tmp_path, stated):
    path = tmp_path / "a.avi"
    write_clip(path, moving_frames(20))
    content = bytearray(path.read_bytes())
    # Total frames of the main header and length of the stream's header (AVI RIFF file reference).
    struct.pack_into("<I", content, content.index(b"avih") + 8 + 16, stated)
    struct.pack_into("<I", content, content.index(b"strh") + 8 + 32, stated)
    path.write_bytes(content)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == stated
    with open_media(path) as source:
        assert len(source) == 20
        assert [number for number, _ in source.take([19])] == [19]


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 10**6])
def test_an_avi_that_misstates_its_length_is_whole_if_all_frames_are_there(tmp_path, length):
    path = tmp_path / "a.avi"
    write_clip(path, moving_frames(20))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 4, length)
    path.write_bytes(content)
    assert list(taken(path, [19])) == [19]


def test_a_damaged_frame_is_refused_where_it_matters(tmp_path):
    path = tmp_path / "a.avi"
    write_clip(path, moving_frames(20))
    replace_packet(path, 10, lambda content: bytes(len(content)))
    assert list(taken(path, [9])) == [9]
    refused(path, "frame 10 of 20 cannot be decoded", numbers=[12])


def test_a_dropped_frame_is_no_frame(tmp_path):
    path = tmp_path / "a.avi"
    write_clip(path, moving_frames(20))
    # A picture that is not coded: VOP of type P, no modulo time, time 10, vop_coded 0 (ISO/IEC 14496-2).
    replace_packet(path, 10, lambda _: bytes([0, 0, 1, 0xB6, 0b01010101, 0b01001111]))
    with open_media(path) as source:
        assert len(source) == 19
        assert [number for number, _ in source.take([18])] == [18]


def replace_packet(path: Path, number: int, change) -> None:
    """Write the clip anew with another content of one packet."""
    copy = path.with_name("copy.avi")
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for place, packet in enumerate(packet for packet in source.demux(stream) if packet.size):
            new = av.Packet(change(bytes(packet)) if place == number else bytes(packet))
            new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
            new.is_keyframe, new.stream = packet.is_keyframe, copied
            target.mux(new)
    copy.replace(path)


def test_metadata_in_another_encoding_is_no_obstacle(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "umlaut"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 128, "yuv420p"
        for frame in moving_frames(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"umlaut", "ümlaut".encode("latin-1")))
    assert list(taken(path, [4])) == [4]


def test_fewer_frames_than_packets_are_counted_anew(tmp_path, monkeypatch):
    path = tmp_path / "a.avi"
    write_clip(path, moving_frames(20))
    with Video(path) as video:
        assert len(video) == 20
        video._packets = video._packets[:15]  # as if five packets held no frame
        with pytest.raises(ShorterError, match="15"):
            list(video.take([3, 19]))
        assert len(video) == 15
        assert [number for number, _ in video.take([3, 14])] == [3, 14]


def test_a_still_is_one_frame(tmp_path):
    image = np.arange(12 * 8 * 3, dtype=np.uint8).reshape(12, 8, 3)
    Image.fromarray(image).save(tmp_path / "a.png")
    with open_media(tmp_path / "a.png", rotation=270) as source:
        assert len(source) == 1
        ((number, frame),) = source.take([0])
    assert number == 0
    assert np.array_equal(frame, np.rot90(image))
    (tmp_path / "x.jpg").write_bytes(b"")
    refused(tmp_path / "x.jpg", "empty")
    (tmp_path / "x.xyz").write_bytes(b"what is this?")
    refused(tmp_path / "x.xyz", "not an image")


def test_a_folder_of_stills_is_in_natural_order(tmp_path):
    folder = tmp_path / "clip.mp4"  # a folder whatever it is called
    folder.mkdir()
    for number in (1, 2, 10, 9, 100):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"f_{number}.png")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_bytes(b"x")
    with open_media(folder) as source:
        assert len(source) == 5
        assert [int(frame[0, 0, 0]) for _, frame in source.take(range(5))] == [1, 2, 9, 10, 100]
        assert [number for number, _ in source.take([1, 4])] == [1, 4]
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no images")


def test_natural_order():
    names = ["b", "a10", "a2", "A3", "a2b", "2", "10", "a02"]
    assert sorted(names, key=natural) == ["2", "10", "a02", "a2", "a2b", "A3", "a10", "b"]


def test_side_data_that_pyav_does_not_know_are_passed_over(tmp_path):
    """FFmpeg tells a JPEG's EXIF as side data of a kind that PyAV's list may lack."""
    image = Image.new("RGB", (64, 48), (10, 200, 30))
    exif = image.getexif()
    exif[0x010F] = "a camera"
    path = tmp_path / "one.mp4"
    image.save(path, "JPEG", exif=exif)
    with Video(path) as source:
        ((_, frame),) = source.take([0])
    assert frame.shape == (48, 64, 3)
