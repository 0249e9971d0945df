"""Runs the application until it is told to end. Imports no torch."""

from __future__ import annotations

import signal
import socket

from padkit.errors import SettingsError
from padkit.serving.app import create_app
from padkit.serving.service import Service

IDLE = 10  # seconds that a connection without a request stays open
CONNECTIONS = 512  # beyond those that wait: health, metrics, pages


def serve(service: Service, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are then answered.

    Args:
        service: What is served.
        host: Address to listen on.
        port: 0 takes a free one.
        workers: How many pictures are judged at a time.

    Raises:
        SettingsError: The address cannot be listened on.
        PadkitError: The model cannot be loaded.
    """
    import uvicorn

    port = free_port(host, port)
    app = create_app(service, workers=workers)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn ends, and then sends itself the signal once more
        signal.signal(number, lambda *_: None)
    print(f"padkit serves http://{f'[{host}]' if ':' in host else host}:{port}/ (Ctrl-C ends it)", flush=True)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False,
        timeout_keep_alive=IDLE, timeout_graceful_shutdown=int(service.limits.seconds) + 1,
        limit_concurrency=service.limits.waiting + CONNECTIONS,
    )  # fmt: skip


def free_port(host: str, port: int) -> int:
    """Return the port if it can be listened on, or a free one for 0.

    Raises:
        SettingsError: It is taken, or the host is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
            return int(trial.getsockname()[1])
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{host}:{port} cannot be listened on ({cause}); choose another --port or --host."
        ) from error
