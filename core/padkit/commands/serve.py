"""`padkit serve`: a model behind HTTP. Imports no torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from padkit.commands.parser import Number, Parser
from padkit.errors import SettingsError, extra_needed
from padkit.settings.ranges import Count, Processes, Range

DESCRIPTION = """\
Serve a model: POST a picture to /judge and get every face's verdict as JSON; open the address in a browser to try it
with files or a webcam. Pictures are judged in memory and not kept. Only this machine can reach the server unless
--host says otherwise; it has neither passwords nor TLS, which are a proxy's work.

  padkit serve runs/dtda-webcam-seed0
  curl -F image=@photograph.jpg http://127.0.0.1:8000/judge
  curl -H 'Content-Type: image/jpeg' --data-binary @photograph.jpg http://127.0.0.1:8000/judge

/health answers 200 while pictures can be judged, /metrics gives figures for Prometheus, /openapi.json the description.
"""
Port = Annotated[int, Range(0, 65535)]
Seconds = Annotated[float, Range(0, 3600, open="left")]
LOCAL = ("127.0.0.1", "localhost", "::1")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong.
    """
    parser = Parser(
        prog="padkit serve", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("model", metavar="MODEL", help="a run's folder, its model/ folder, or owner/name on the Hugging Face Hub")
    add("--host", default=LOCAL[0], help="address to listen on; by default only this machine reaches it")
    add("--port", type=Number(Port), default=8000, metavar="N", help="0 takes a free one")
    add(
        "--workers",
        type=Number(Processes),
        default=1,
        metavar="N",
        help="pictures judged at a time; from 2 on, each by a process",
    )
    add("--policy", default="", help="threshold policy of the model, or fixed:VALUE; the model's first by default")
    add("--face", default="", metavar="FINDER", help="face finder: lbp (default) or scrfd")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--cropped", action="store_true", help="the pictures are face crops already: find nothing, take the square")
    add("--faces", choices=("all", "largest", "one"), default="all", help="which faces count; one: several are refused")
    add("--judge-all", action="store_true", help="judge whatever has a face: no limits on size, blur, light or pose")
    add("--backend", default="auto", help="what computes the scores: auto, torch or onnx")
    add("--threads", type=Number(Processes), metavar="N", help="CPU threads of a worker")
    add("--max-bytes", type=Number(Count), default=10 * 2**20, metavar="N", help="largest picture, in bytes")
    add("--max-pixels", type=Number(Count), default=25_000_000, metavar="N", help="largest picture, width x height")
    add("--max-faces", type=Number(Count), default=16, metavar="N", help="faces of a picture that is judged")
    add("--seconds", type=Number(Seconds), default=30.0, metavar="S", help="for a body to arrive, and for an answer")
    add("--waiting", type=Number(Count), default=128, metavar="N", help="requests held at a time; further ones get 503")
    line = parser.parse_args(arguments)
    if line.cropped and line.face:
        raise SettingsError("--cropped finds no faces, so it goes without --face; leave one of them out.")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; with one worker, the process ends with it."""
    line = parse(arguments)
    with extra_needed("padkit serve", "padkit[serve]"):
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    from padkit.deploy.bundle import model_folder, read_bundle
    from padkit.deploy.predictor import located
    from padkit.serving.server import serve
    from padkit.serving.service import ServeLimits, Service

    limits = ServeLimits(
        most_bytes=line.max_bytes, most_pixels=line.max_pixels, most_faces=line.max_faces, seconds=line.seconds,
        waiting=line.waiting,
    )  # fmt: skip
    folder = model_folder(located(line.model))
    if caution := read_bundle(folder).caution:
        print(f"note: {caution}", file=sys.stderr)
    if line.host not in LOCAL:
        print(f"note: whoever reaches {line.host} can use this server: it asks for no password.", file=sys.stderr)
    service = Service(model=str(folder), settings=_settings(line), judge_all=line.judge_all, limits=limits)
    serve(service, host=line.host, port=line.port, workers=line.workers)
    if line.workers == 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # all is closed; taking torch apart takes seconds, and would wait for a picture still being judged
    return 0


def _settings(line: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of `padkit.load`."""
    settings = {name: getattr(line, name) for name in ("backend", "threads", "policy", "faces")}
    if line.cropped:
        return settings | {"face": "none"}
    if line.face == "scrfd":
        from padkit.data.preparation.scrfd import scrfd_weights

        settings["face_model"] = str(scrfd_weights(line.face_model, download=False))
    return settings | ({"face": line.face} if line.face else {})
