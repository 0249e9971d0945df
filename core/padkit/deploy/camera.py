"""A camera that runs on while a person gets ready: what it shows now is there at any time. Imports no torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Self

from PIL import Image

from padkit.errors import DataError, PadkitError, one_line

NEWER = 2  # the picture that is being read when one is asked for may have been taken before


class LiveCamera:
    """Reads a camera in a thread of its own and keeps its latest picture; use it as a context.

    Args:
        frames: (number, picture of mode RGB) as the camera gives them, such as `padkit.deploy.inputs.webcam` yields.
        patience: Seconds to wait for a picture.
    """

    def __init__(self, frames: Iterator[tuple[int, Image.Image]], patience: float = 15.0) -> None:
        self._frames = frames
        self._patience = patience
        self._news = threading.Condition()
        self._count = 0
        self._picture: Image.Image | None = None
        self._error: Exception | None = None
        self._ended = self._closing = False
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join(self._patience)

    def take(self) -> Image.Image:
        """Return a picture that was taken after the call.

        Raises:
            PadkitError: The camera cannot be opened, stopped, or gives no picture.
        """
        with self._news:
            wanted = self._count + NEWER
            self._news.wait_for(lambda: self._count >= wanted or self._ended, self._patience)
            if self._count >= wanted and self._picture is not None:
                return self._picture
            if isinstance(self._error, PadkitError):
                raise self._error
            cause = one_line(self._error) if self._error else "it stopped" if self._ended else "it gives no picture"
        raise DataError(f"camera: no picture ({cause}); check that it is there and that no other program uses it.")

    def _read(self) -> None:
        try:
            for _, picture in self._frames:
                with self._news:
                    self._picture, self._count = picture, self._count + 1
                    self._news.notify_all()
                if self._closing:
                    break
            close = getattr(self._frames, "close", None)
            if close is not None:
                close()  # here, because a generator belongs to the thread that runs it
        except Exception as error:  # noqa: BLE001 - of any library, handed to whoever asks for a picture
            self._error = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()
