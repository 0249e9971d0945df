"""The addresses of the server: the page, `POST /judge`, `/model`, `/health`, `/metrics`. Imports no torch."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from padkit.deploy.predictor import Predictor
from padkit.errors import one_line
from padkit.serving.body import BYTES, FORM, read_upload
from padkit.serving.judging import Answer
from padkit.serving.line import Line
from padkit.serving.metrics import Metrics
from padkit.serving.refusal import RefusalError
from padkit.serving.service import Service

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
PICTURE = {"schema": {"type": "string", "format": "binary"}}
FILE_FORM = {"schema": {"type": "object", "properties": {"image": PICTURE["schema"]}, "required": ["image"]}}
TAKES = {"requestBody": {"required": True, "content": {FORM: FILE_FORM, "image/*": PICTURE, BYTES: PICTURE}}}
REFUSED = {
    408: "The body was too slow.", 413: "The body has too many bytes.", 415: "The body is no picture and no form.",
    422: "The form or a parameter is wrong.", 501: "No explanation can be given.", 503: "Busy, or out of time.",
}  # fmt: skip

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
LOG = logging.getLogger("padkit.serving")


def create_app(service: Service, predictor: Predictor | None = None, *, workers: int = 1) -> FastAPI:
    """Return the application.

    Args:
        service: What is served.
        predictor: The model, if it is loaded already; for one worker.
        workers: How many pictures are judged at a time; from 2 on by processes of their own.

    Raises:
        PadkitError: The model or its face finder cannot be loaded; see `padkit.load`.
    """
    line, metrics = Line(service, workers, predictor), Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        line.close()

    # FastAPI's own pages load scripts from another host.
    app = FastAPI(title="padkit", version=version("padkit"), docs_url=None, redoc_url=None, lifespan=lifespan)
    at = Addresses(line, metrics)
    app.add_api_route(
        "/judge", at.judge, methods=["POST"], response_model=Answer, openapi_extra=TAKES,
        responses={status: {"description": text} for status, text in REFUSED.items()},
        summary="Judge the faces of a picture: the body, or the one file of a form",
    )  # fmt: skip
    app.add_api_route("/model", at.model, methods=["GET"], summary="What is served, and its limits")
    app.add_api_route("/health", at.health, methods=["GET"], summary="200 as long as pictures can be judged")
    app.add_api_route("/metrics", at.figures, methods=["GET"], summary="Figures for Prometheus")
    for address, (name, kind) in PAGE.items():
        content = files("padkit.serving.page").joinpath(name).read_bytes()
        answer = functools.partial(Response, content, media_type=kind)
        app.add_api_route(address, _constant(answer), methods=["GET"], include_in_schema=False)
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(404, _no_such)
    app.add_exception_handler(405, _no_such)
    app.add_middleware(Outermost, metrics=metrics)
    return app


class Addresses:
    """What is done for each address."""

    def __init__(self, line: Line, metrics: Metrics) -> None:
        self.line = line
        self.metrics = metrics

    async def judge(self, request: Request, explain: bool = False) -> Response:
        """Judge the faces of a picture, the largest first; `explain=true` adds Grad-CAM where the server can."""
        start = time.perf_counter()
        with self.line.admitted():
            upload = await read_upload(request, self.line.limits)
            try:
                answer = await self.line.answer(upload.content, upload.name, explain=explain)
            except RefusalError:
                raise
            except Exception as error:  # whatever a picture provokes, the server goes on
                LOG.exception("a picture could not be judged")
                raise RefusalError(500, "internal", "judging failed; the server's log says why") from error
        self.metrics.judged(answer.results, len(upload.content), time.perf_counter() - start)
        return JSONResponse(asdict(answer), headers={"X-Model-SHA256": answer.sha256})

    async def model(self) -> Response:
        """Return what the model says of itself, and the limits."""
        return JSONResponse(self.line.about)

    async def health(self) -> Response:
        """Return 503 if judging a picture has been taking far longer than it may: start the server anew."""
        stuck = self.line.stuck
        content = {
            "status": "stuck" if stuck else "ok",
            "model": self.line.about["sha256"],
            "waiting": self.line.inside,
        }
        return JSONResponse(content, status_code=503 if stuck else 200)

    async def figures(self) -> Response:
        """Return the figures."""
        return Response(self.metrics.text(self.line.about["sha256"]), media_type=PROMETHEUS)


class Outermost:
    """Counts every answer, adds headers that every answer has, and lets no exception out.

    Args:
        app: The application within.
        metrics: Where answers are counted.
    """

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, as ASGI asks for."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self.metrics.responded(message["status"])
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except Exception:
            LOG.exception("a request failed")
            if not begun:
                await _error(500, "internal", "the request failed; the server's log says why")(scope, receive, sent)


def _error(status: int, code: str, detail: str, *, close: bool = False) -> JSONResponse:
    headers = {"Connection": "close"} if close else {}
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse({"error": {"code": code, "detail": detail}}, status_code=status, headers=headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return _error(error.status, error.code, one_line(error), close=error.close)


async def _wrong_parameter(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _error(422, "parameter", f"{'.'.join(map(str, first['loc']))}: {first['msg']}", close=True)


async def _no_such(request: Request, error: Exception) -> Response:
    status = int(getattr(error, "status_code", 404))
    remedy = "POST a picture to /judge; GET /, /model, /health, /metrics or /openapi.json"
    return _error(status, "address", f"{request.method} {request.url.path[:200]} is not served; {remedy}", close=True)


def _constant(answer: Callable[[], Response]) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return answer()

    return respond
