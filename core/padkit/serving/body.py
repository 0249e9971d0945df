"""Reads the picture out of a request, never more of it than is allowed. Imports no torch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from padkit.errors import one_line
from padkit.serving.refusal import RefusalError
from padkit.serving.service import ServeLimits

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

FORM = "multipart/form-data"
BYTES = "application/octet-stream"
HEADERS_OF_PARTS = 2**14  # bytes that a form may have beside the picture
MOST_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that was sent.

    Attributes:
        content: The file's bytes.
        name: Its name, as the client says.
    """

    content: bytes
    name: str


async def read_upload(request: Request, limits: ServeLimits) -> Upload:
    """Return the picture of a request: its whole body, or the one file of a form.

    Raises:
        RefusalError: 413 as soon as the limit is known to be exceeded, 408 if the body is slow, 415 for a type that
            is neither a picture nor a form, 422 for a form without exactly one file.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in (FORM, BYTES) or kind.startswith("image/")):
        asked = f"{kind!r}" if kind else "no type"
        remedy = f"send a picture (image/* or {BYTES}) or a form ({FORM}): curl -F image=@FILE"
        raise RefusalError(415, "content_type", f"the body has {asked}; {remedy}", close=True)
    if (encoding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise RefusalError(415, "content_encoding", f"the body is encoded as {encoding!r}; send it plain", close=True)
    most = limits.most_bytes + (HEADERS_OF_PARTS if kind == FORM else 0)
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length) > most:
        raise _too_long(limits)
    bounded = Request(request.scope, _bounded(request.receive, most, limits))
    try:
        async with asyncio.timeout(limits.seconds):
            upload = await _file_of(bounded) if kind == FORM else Upload(await bounded.body(), "body")
    except TimeoutError as error:
        detail = f"the body did not arrive within {limits.seconds:g} s"
        raise RefusalError(408, "slow_body", detail, close=True) from error
    if len(upload.content) > limits.most_bytes:
        raise _too_long(limits)
    return upload


def _bounded(receive: Receive, most: int, limits: ServeLimits) -> Receive:
    """Return `receive`, which now refuses to hand out more than `most` bytes."""
    seen = 0

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusalError(400, "disconnected", "the client left before the body was complete")
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_long(limits)
        return message

    return bounded


async def _file_of(request: Request) -> Upload:
    try:
        form = await request.form(max_files=1, max_fields=8, max_part_size=2**12)
    except RefusalError:
        raise
    except Exception as error:  # the parser's own, and what damaged forms provoke
        cause = str(getattr(error, "detail", "")) or one_line(error)
        raise RefusalError(422, "form", f"the form cannot be read ({cause}); it takes one file", close=True) from error
    try:
        files = [value for value in form.values() if not isinstance(value, str)]
        if not files:
            raise RefusalError(422, "form", "the form has no file: curl -F image=@FILE")
        name = "".join(letter for letter in files[0].filename or "" if letter.isprintable())
        return Upload(await files[0].read(), name[:MOST_NAME] or "body")
    finally:
        await form.close()  # its temporary file


def _too_long(limits: ServeLimits) -> RefusalError:
    detail = f"a picture may have {limits.most_bytes} bytes; send a smaller one"
    return RefusalError(413, "too_many_bytes", detail, close=True)
