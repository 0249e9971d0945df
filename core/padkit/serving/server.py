"""Runs the application in one or several processes until it is told to end. Imports no torch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from padkit.errors import SettingsError
from padkit.serving.app import VARIABLE, create_app
from padkit.serving.service import Service

IDLE = 10  # seconds that a connection without a request stays open
CONNECTIONS = 512  # of a worker, beyond those that wait: health, metrics, pages


def serve(service: Service, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are then answered.

    Args:
        service: What is served.
        host: Address to listen on.
        port: 0 takes a free one.
        workers: Processes, each with the model in memory.

    Raises:
        SettingsError: The address cannot be listened on.
        PadkitError: The model cannot be loaded.
    """
    import uvicorn

    port = free_port(host, port)
    if workers > 1:
        tried(service)
    shown = f"[{host}]" if ":" in host else host
    with tempfile.TemporaryDirectory(prefix="padkit-serve-") as folder:
        service = replace(service, metrics=folder)
        app = create_app(service) if workers == 1 else "padkit.serving.app:from_environment"
        os.environ[VARIABLE] = service.to_json()
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn ends, and then sends itself the signal once more
            signal.signal(number, lambda *_: None)
        print(f"padkit serves http://{shown}:{port}/ (Ctrl-C ends it)", flush=True)
        uvicorn.run(
            app, factory=workers > 1, host=host, port=port, workers=workers, log_level="warning", access_log=False,
            server_header=False, timeout_keep_alive=IDLE, timeout_graceful_shutdown=int(service.limits.seconds) + 1,
            limit_concurrency=service.limits.waiting + CONNECTIONS,
        )  # fmt: skip


def tried(service: Service) -> None:
    """Make the application in a process that ends at once: what is wrong is said once, and this process stays small.

    Raises:
        PadkitError: The model or its face finder cannot be loaded.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_try, service).result()


def _try(service: Service) -> None:
    create_app(service)


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
