"""Loads `padkit serve` with many clients at once: errors, latency, throughput, growth of memory.

    python benchmarks/serve_load.py MODEL [--clients 50] [--seconds 60] [--workers 2] [--picture FILE] [-- OPTION...]

It starts the server on a free port of this machine, warms it up for a tenth of the time (at most 5 s), and then lets
every client post the picture again and again over one connection. Options after `--` go to `padkit serve`. Exit status
1: an answer was not 200, or memory grew by more than 5 % and 32 MiB between the end of the warm-up and the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

COMMAND = "import sys\nfrom padkit.cli import main\nsys.argv[0] = 'padkit'\nsys.exit(main())"
GROWTH, LEAST = 0.05, 32 * 2**20


@dataclass(slots=True)
class Seen:
    """What the clients saw: seconds of each answer, and how often which status or failure."""

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


@contextlib.contextmanager
def served(model: str, words: list[str]) -> Iterator[int]:
    """Run the server; yield its port."""
    command = [sys.executable, "-c", COMMAND, "serve", model, "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r":(\d+)/", line)
            if found is None:
                sys.exit(f"the server did not start: {line}")
            yield int(found[1])
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            print(f"SIGTERM: exit status {process.wait(60)} after {time.monotonic() - start:.1f} s")
        finally:
            if process.poll() is None:
                process.kill()


async def client(port: int, request: bytes, end: float, seen: Seen) -> None:
    """Post the request until the time is over, on one connection while it lasts."""
    reader = writer = None
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert reader is not None
            writer.write(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
            seen.outcomes[head.split()[1]] += 1
            if "connection: close" in head:
                writer.close()
                writer = None
        except (OSError, EOFError) as error:
            seen.outcomes[type(error).__name__] += 1
            writer = None
            await asyncio.sleep(0.05)
        seen.seconds.append(time.monotonic() - start)
    if writer is not None:
        writer.close()


async def figure(port: int, name: str) -> float:
    """Return one of the server's own figures."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]


async def phase(port: int, request: bytes, clients: int, seconds: float) -> Seen:
    """Let the clients run for some time."""
    seen, end = Seen(), time.monotonic() + seconds
    await asyncio.gather(*(client(port, request, end, seen) for _ in range(clients)))
    return seen


async def ready(port: int) -> None:
    """Wait until the server listens."""
    for _ in range(1200):
        with contextlib.suppress(OSError, TypeError):
            await figure(port, "padkit_processes")
            return
        await asyncio.sleep(0.1)
    sys.exit("the server did not listen within two minutes")


async def measure(port: int, request: bytes, line: argparse.Namespace) -> dict[str, object]:
    """Return the figures of a warm-up and a measured phase."""
    await ready(port)
    await phase(port, request, line.clients, min(line.seconds / 10, 5))
    before = await figure(port, "padkit_resident_bytes")
    start = time.monotonic()
    seen = await phase(port, request, line.clients, line.seconds)
    took = time.monotonic() - start
    after = await figure(port, "padkit_resident_bytes")
    p50, p95, worst = np.percentile(seen.seconds, [50, 95, 100])
    return {
        "clients": line.clients, "workers": line.workers, "seconds": round(took, 1), "answers": dict(seen.outcomes),
        "per_second": round(len(seen.seconds) / took, 1), "p50_ms": round(1000 * p50), "p95_ms": round(1000 * p95),
        "max_ms": round(1000 * worst), "memory_mib": [round(before / 2**20, 1), round(after / 2**20, 1)],
    }  # fmt: skip


def portrait() -> bytes:
    """Return scikit-image's astronaut as JPEG."""
    from PIL import Image
    from skimage import data

    file = io.BytesIO()
    Image.fromarray(data.astronaut()).save(file, "JPEG", quality=92)
    return file.getvalue()


def main() -> int:
    """Run the benchmark and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="posted by every client; by default scikit-image's astronaut")
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    line, words = parser.parse_args(given[:cut]), given[cut + 1 :]
    body = line.picture.read_bytes() if line.picture else portrait()
    head = f"POST /judge HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    with served(line.model, ["--workers", str(line.workers), *words]) as port:
        found = asyncio.run(measure(port, head.encode() + body, line))
    print(json.dumps(found))
    before, after = found["memory_mib"]  # type: ignore[misc]
    grown = after - before > max(GROWTH * before, LEAST / 2**20)
    return int(set(found["answers"]) != {"200"} or grown)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
