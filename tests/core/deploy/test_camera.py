"""The camera's thread: a fresh picture at any time, errors handed on, and an end."""

from __future__ import annotations

import threading
import time

import pytest
from PIL import Image

from padkit.deploy.camera import LiveCamera
from padkit.errors import DataError


def numbered(count, closed=None):
    try:
        for number in range(count):
            yield number, Image.new("RGB", (2, 2), (number % 256, number // 256, 0))
    finally:
        if closed is not None:
            closed.set()


def number_of(picture):
    low, high, _ = picture.getpixel((0, 0))
    return low + 256 * high


def test_a_picture_is_newer_than_the_call():
    steps, shown = threading.Semaphore(0), []

    def frames():
        for item in numbered(100):
            steps.acquire()
            shown.append(item[0])
            yield item

    with LiveCamera(frames(), patience=5) as camera:
        for _ in range(10):
            steps.release()
        while len(shown) < 10:
            time.sleep(0.001)
        threading.Timer(0.05, lambda: [steps.release() for _ in range(5)]).start()
        assert number_of(camera.take()) >= 10, "one of the pictures from before the call would be an old one"
        for _ in range(5):
            steps.release()


def test_the_camera_is_closed_at_the_end():
    closed = threading.Event()
    with LiveCamera(numbered(2**15, closed), patience=5) as camera:
        camera.take()
    assert closed.wait(5)
    assert not camera._thread.is_alive()


def test_a_camera_that_ends_or_gives_nothing_or_breaks_is_one_line():
    with LiveCamera(numbered(1), patience=5) as camera, pytest.raises(DataError, match=r"no picture .it stopped."):
        camera.take()
    stuck = threading.Event()

    def silent():
        stuck.wait(5)
        yield from ()

    with LiveCamera(silent(), patience=0.05) as camera, pytest.raises(DataError, match="it gives no picture"):
        camera.take()
    stuck.set()

    def broken():
        raise RuntimeError("cable\nout")
        yield

    with LiveCamera(broken(), patience=5) as camera, pytest.raises(DataError, match=r"no picture .*cable") as error:
        camera.take()
    assert "\n" not in str(error.value)

    def refused():
        raise DataError("webcam 3: cannot be opened.")
        yield

    with LiveCamera(refused(), patience=5) as camera, pytest.raises(DataError, match="webcam 3: cannot be opened"):
        camera.take()
