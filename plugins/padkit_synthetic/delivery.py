"""Delivery: what becomes of developed pictures in a camera's processor, a driver and an app; one function per stage.

Noise removal -> the camera's own size -> sharpening -> JPEG or H.264 -> the delivered size -> a second JPEG. Pictures
are Pillow's, RGB or YCbCr.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from padkit.errors import PluginError, extra_needed
from padkit_synthetic.imaging import Bytes

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
# The first four average over what they leave out. `points` does not: bilinear interpolation between the nearest pixels
# alone, as OpenCV's default and many drivers reduce, so that fine structure aliases.
Kernel = Literal["box", "bilinear", "bicubic", "lanczos", "points"]
AVERAGING = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# In order of preference, with their options: frames come out at once, as in a call.
ENCODERS = {"libx264": {"preset": "superfast", "tune": "zerolatency"}, "libopenh264": {}}
X264 = re.compile(rb"x264 - (core \d+)")  # libx264 names itself at the head of a stream
VIDEO = "H.264 of the simulated cameras"
ENCODER = "H.264"  # what `made_with` calls the encoder
LUMA_BLUR = 1.2  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What happens to developed pictures; by default they are scaled to the delivered size and compressed as JPEG.

    Attributes:
        luma: Contrast in grey levels (0..255) below which fine structure of the luma is taken for noise; 0 is none.
        chroma: Deviation in photosites of the blur of the two chroma planes.
        output: Side of the camera's own pictures per side of the developed ones; None is the delivered side.
        halo: Deviation in pixels of the unsharp mask's blur, on luma only; 0 is the mask of version 3 of the world.
        kernels: Interpolation to the camera's own size and to the delivered one.
        subsampling: Chroma planes of the camera's JPEG.
        quantiser: H.264 in place of the camera's JPEG, with this quantiser (1..51, from fine to coarse); 0 is JPEG.
        offset: Columns and rows between the crop's corner and that of the blocks of the camera's JPEG or H.264.
        again: Quality of a second JPEG, of the delivered picture; 0 is none.
        again_offset: Columns and rows between the crop's corner and that of the blocks of the second JPEG.
    """

    luma: float = 0.0
    chroma: float = 0.0
    output: float | None = None
    halo: float = 0.0
    kernels: tuple[Kernel, Kernel] = ("bicubic", "bicubic")
    subsampling: Subsampling = "4:2:0"
    quantiser: int = 0
    offset: tuple[int, int] = (0, 0)
    again: int = 0
    again_offset: tuple[int, int] = (0, 0)


def softened(plane: Image.Image, deviation: float) -> Image.Image:
    """Return a plane blurred by a box whose deviation in pixels is this, as small processors blur.

    The deviation of a box of width w is sqrt((w^2 - 1) / 12).
    """
    width = (12 * deviation * deviation + 1) ** 0.5
    return plane.filter(ImageFilter.BoxBlur((width - 1) / 2))


def denoised(picture: Image.Image, luma: float, chroma: float) -> Image.Image:
    """Return the picture with less noise, as webcams and phones remove it: more in the chroma than in the luma.

    Chroma is blurred. In the luma, the difference d to a blurred copy is scaled by d^2 / (d^2 + luma^2), Wiener's rule
    for a signal of power d^2 in noise of power luma^2: weak texture goes, edges stay.
    """
    if not (luma or chroma):
        return picture
    grey, *colours = picture.convert("YCbCr").split()
    if luma:
        soft = np.asarray(softened(grey, LUMA_BLUR))
        difference = np.subtract(np.asarray(grey), soft, dtype=np.int16)
        difference += 255
        grey = Image.fromarray((soft + _cored(luma).take(difference)).astype(np.uint8))
    if chroma:
        colours = [softened(plane, chroma) for plane in colours]
    return Image.merge("YCbCr", [grey, *colours])


@lru_cache(maxsize=1)
def _cored(threshold: float) -> NDArray[np.int16]:
    """Return what is left of the differences -255..255; the frames of a clip share it."""
    difference = np.arange(-255, 256, dtype=np.float32)
    square = difference * difference
    kept: NDArray[np.int16] = np.rint(difference * square / (square + threshold * threshold)).astype(np.int16)
    return kept


def scaled(picture: Image.Image, side: int, kernel: Kernel) -> Image.Image:
    """Return the picture resampled to `side` x `side` pixels."""
    if picture.width == side:
        return picture
    if kernel in AVERAGING:
        return picture.resize((side, side), AVERAGING[kernel])
    step = picture.width / side
    return picture.transform(
        (side, side), Image.Transform.AFFINE, (step, 0, 0, 0, step, 0), resample=Image.Resampling.BILINEAR
    )


def sharpened(picture: Image.Image, strength: float, halo: float) -> Image.Image:
    """Return the picture plus `strength` (below 2) times its difference to a blurred copy, which leaves halos at edges.

    With `halo` the copy is blurred by this deviation in pixels, and colours stay. With 0 all channels are sharpened,
    by a copy of half the resolution.
    """
    if strength <= 0.02:
        return picture
    if not halo:
        return Image.fromarray(_unsharp(picture, picture.reduce(2).resize(picture.size), strength))
    grey, *colours = picture.convert("YCbCr").split()
    grey = Image.fromarray(_unsharp(grey, softened(grey, halo), strength))
    return Image.merge("YCbCr", [grey, *colours])


def _unsharp(picture: Image.Image, blurred: Image.Image, strength: float) -> Bytes:
    frame = np.asarray(picture)
    sharp = np.subtract(frame, np.asarray(blurred), dtype=np.int16)
    sharp *= np.int16(round(64 * strength))
    sharp >>= 6
    sharp += frame
    np.clip(sharp, 0, 255, out=sharp)
    result: Bytes = sharp.astype(np.uint8)
    return result


def jpeg(
    picture: Image.Image, quality: int, subsampling: Subsampling = "4:2:0", offset: tuple[int, int] = (0, 0)
) -> Image.Image:
    """Return the picture, RGB, after JPEG of this quality, whose blocks begin `offset` columns and rows before it."""
    buffer, whole = io.BytesIO(), _extended(picture, *offset)
    whole.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    # Without Image.open, which would first look for metadata.
    decoded = Image.frombytes("RGB", whole.size, buffer.getvalue(), "jpeg", "RGB", "")
    return _cut(decoded, picture.size, *offset)


def filmed(pictures: Sequence[Image.Image], quantiser: int, offset: tuple[int, int] = (0, 0)) -> list[Image.Image]:
    """Return the pictures, RGB, after H.264: the first is coded by itself, the others from the one before.

    Encoder and decoder are FFmpeg's (PyAV), in one thread, so that the same pictures give the same result. Chroma is
    subsampled (4:2:0) and enlarged here, because FFmpeg's scaler starts threads for it.

    Args:
        pictures: Frames of one size.
        quantiser: 1 (fine) to 51 (coarse); 6 more double the steps.
        offset: Columns and rows by which the blocks begin before the picture; one more where a side would be odd.

    Raises:
        PluginError: There is no encoder.
    """
    name = h264_encoder()
    import av
    from av.video.codeccontext import VideoCodecContext

    size = pictures[0].size
    right, down = (way + (way + length) % 2 for way, length in zip(offset, size, strict=True))
    packets = _encoded([_extended(picture, right, down) for picture in pictures], name, quantiser)
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    decoded = [
        np.asarray(frame.to_ndarray(), np.uint8) for packet in [*packets, None] for frame in decoder.decode(packet)
    ]
    assert len(decoded) == len(pictures)
    return [_cut(_from_video_planes(planes), size, right, down).convert("RGB") for planes in decoded]


def _encoded(pictures: Sequence[Image.Image], name: str, quantiser: int) -> list[Packet[VideoStream]]:
    """Return the packets of pictures with even sides."""
    import av
    from av.video.codeccontext import VideoCodecContext

    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, VideoCodecContext)
    (encoder.width, encoder.height), encoder.pix_fmt = pictures[0].size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(30), Fraction(1, 30)
    encoder.qmin = encoder.qmax = quantiser
    encoder.options = ENCODERS[name]
    encoder.thread_count = 1
    packets = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(_video_planes(picture), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return packets + encoder.encode(None)


def _video_planes(picture: Image.Image) -> Bytes:
    """Return luma and both chroma planes at half the resolution, one below the other: uint8 [3 H / 2, W]."""
    grey, *colours = picture.convert("YCbCr").split()
    planes = [np.asarray(plane) for plane in (grey, *(plane.reduce(2) for plane in colours))]
    return np.concatenate([plane.ravel() for plane in planes]).reshape(-1, picture.width)


def _from_video_planes(planes: Bytes) -> Image.Image:
    """Return the YCbCr picture of what `_video_planes` returns."""
    height, width = 2 * planes.shape[0] // 3, planes.shape[1]
    halves = planes[height:].reshape(2, height // 2, width // 2)
    colours = [Image.fromarray(half).resize((width, height), Image.Resampling.BILINEAR) for half in halves]
    return Image.merge("YCbCr", [Image.fromarray(planes[:height]), *colours])


@cache
def h264_encoder() -> str:
    """Return the name of the H.264 encoder that PyAV has here. Frames depend on it and its version (`h264_version`).

    Raises:
        PluginError: PyAV is not installed, or was built without such an encoder.
    """
    with extra_needed(VIDEO, "padkit[video]"):
        import av
    for name in ENCODERS:
        try:
            av.Codec(name, "w")
        except ValueError:  # UnknownCodecError
            continue
        return name
    known = ", ".join(ENCODERS)
    raise PluginError(f"{VIDEO}: PyAV {av.__version__} has no encoder {known}; pip install --force-reinstall av.")


@cache
def h264_version() -> str:
    """Return the encoder with its version, such as `libx264 core 165, libavcodec 62.28.102`.

    Raises:
        PluginError: There is no encoder.
    """
    name = h264_encoder()
    import av

    stream = b"".join(map(bytes, _encoded([Image.new("RGB", (64, 64))], name, 30)))
    told = [found[1].decode()] if (found := X264.search(stream)) else []
    library = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"{' '.join([name, *told])}, libavcodec {library}"


def made_with(*, drawn: bool, video: bool) -> dict[str, str]:
    """Return what a reader's frames of the world depend on beside padkit; `drawn` is world 4."""
    return {ENCODER: h264_version()} if drawn and video else {}


def _extended(picture: Image.Image, right: int, down: int) -> Image.Image:
    """Return the picture with `right` columns and `down` rows more before it, its mirror image."""
    if not (right or down):
        return picture
    width, height = picture.size
    whole = picture.crop((-right, -down, width, height))
    if right:
        whole.paste(ImageOps.mirror(picture.crop((0, 0, right, height))), (0, down))
    if down:
        whole.paste(ImageOps.flip(whole.crop((0, down, width + right, 2 * down))), (0, 0))
    return whole


def _cut(whole: Image.Image, size: tuple[int, int], right: int, down: int) -> Image.Image:
    """Return the picture that `_extended` made `whole` of."""
    return whole.crop((right, down, right + size[0], down + size[1])) if right or down else whole


def _picture(frame: Bytes) -> Image.Image:
    """Return a picture of a frame [H, W, 3]; quick if its channels lie one after the other, as a camera leaves them."""
    return Image.merge("RGB", [Image.fromarray(frame[..., channel]) for channel in range(3)])


PLAIN = Delivery()


def delivered(frames: Bytes, size: int, sharpening: float, quality: int, delivery: Delivery = PLAIN) -> Bytes:
    """Return the delivered frames uint8 RGB [T, size, size, 3] of a developed clip uint8 RGB [T, S, S, 3].

    Args:
        frames: The clip.
        size: Side of the delivered frames.
        sharpening: Strength of the unsharp mask, below 2.
        quality: Quality of the camera's JPEG.
        delivery: Everything else.

    Raises:
        PluginError: The clip is filmed, and there is no encoder of H.264.
    """
    to_own, to_delivered = delivery.kernels
    own = size if delivery.output is None else round(delivery.output * frames.shape[1])
    pictures = [denoised(_picture(frame), delivery.luma, delivery.chroma) for frame in frames]
    pictures = [scaled(picture, own, to_own) for picture in pictures]
    pictures = [sharpened(picture, sharpening, delivery.halo) for picture in pictures]
    if delivery.quantiser:
        pictures = filmed(pictures, delivery.quantiser, delivery.offset)
    else:
        pictures = [jpeg(picture, quality, delivery.subsampling, delivery.offset) for picture in pictures]
    pictures = [scaled(picture, size, to_delivered) for picture in pictures]
    if delivery.again:
        pictures = [jpeg(picture, delivery.again, offset=delivery.again_offset) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in pictures])
