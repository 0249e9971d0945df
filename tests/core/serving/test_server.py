"""`padkit serve` as a process: no torch with ONNX, early refusal on the wire, several workers, a clean end."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image
from tests.core.commands.test_predict import SIZE, model  # noqa: F401 - a fixture

from padkit.errors import PadkitError

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")

from padkit.commands.serve import main
from padkit.serving.server import free_port

WITHOUT_TORCH = "import sys\nsys.modules['torch'] = None\n"
COMMAND = "import sys\nfrom padkit.commands.serve import main\nsys.exit(main(sys.argv[1:]))"
WORDS = ["--port", "0", "--backend", "onnx", "--cropped", "--judge-all", "--threads", "1"]
NOTE = "note: this model was trained on simulated faces: its verdicts on real ones mean nothing."
JPEG = {"Content-Type": "image/jpeg"}


@contextlib.contextmanager
def served(*words: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the command, yield its process and port, and end it if it still runs."""
    command = [sys.executable, "-c", before + COMMAND, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, process.stderr and process.stderr.read()
            port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
            wait_for(port)
            yield process, port
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(
    port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def grey(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), (value, value, value)).save(file, "JPEG")
    return file.getvalue()


def test_onnx_is_served_without_torch_too_much_is_cut_off_and_sigterm_ends_it_cleanly(model):  # noqa: F811
    with served(model, *WORDS, "--max-bytes", "100000", before=WITHOUT_TORCH) as (process, port):
        status, content = ask(port, "POST", "/judge", grey(200), JPEG)
        assert (status, json.loads(content)["results"][0]["verdict"]) == (200, "bona fide")
        for head in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
            answer, sent = pour(port, head)
            assert b" 413 " in answer.partition(b"\r\n")[0]
            assert sent < 20 * 2**20, head  # of 1 GB; what lies in the buffers of the system counts here too
        open_one = socket.create_connection(("127.0.0.1", port))  # an idle connection does not hold the server up
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        open_one.close()
        assert process.stderr is not None
        assert process.stderr.read().splitlines() == [NOTE]


def pour(port: int, head: str) -> tuple[bytes, int]:
    """Send up to 1 GB and stop at the answer; return it, and the bytes that were sent."""
    sent, chunk = 0, b"x" * 2**16
    framed = chunk if head.startswith("Content-Length") else b"%x\r\n%s\r\n" % (len(chunk), chunk)
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(f"POST /judge HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n{head}\r\n\r\n".encode())
        while sent < 10**9:
            readable, writable, _ = select.select([client], [client], [], 20)
            if readable:
                break
            assert writable
            sent += client.send(framed)
        return client.recv(2**16), sent


def test_several_workers_share_the_work_one_that_dies_is_replaced_and_all_end_together(model):  # noqa: F811
    with served(model, *WORDS, "--workers", "2") as (process, port):
        children = workers_of(process)
        assert len(children) == 2
        for _ in range(4):
            assert ask(port, "POST", "/judge", grey(40), JPEG)[0] == 200
        for child in children:
            child.kill()
        assert ask(port, "POST", "/judge", grey(40), JPEG)[0] in (200, 503)
        end = time.monotonic() + 60
        while ask(port, "POST", "/judge", grey(40), JPEG)[0] != 200:
            assert time.monotonic() < end
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read().splitlines() == [NOTE]
        assert not [child for child in psutil.wait_procs(children, 10)[1] if child.is_running()]
    with pytest.raises(OSError, match="refused"):
        ask(port, "GET", "/health")


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The judging processes, without the tracker that multiprocessing starts beside them."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


MISTAKES = {
    "port": (["--port", "70000"], "--port: expected int in"),
    "workers": (["--workers", "0"], "--workers: expected int in"),
    "seconds": (["--seconds", "0"], "--seconds"),
    "cropped and finder": (["--cropped", "--face", "lbp"], "leave one of them out"),
    "host": (["--host", "192.0.2.1", "--cropped"], "cannot be listened on"),
    "policy": (["--policy", "eer", "--cropped", "--backend", "onnx", "--port", "0"], "not in this bundle"),
    "backend": (["--backend", "tensorflow", "--cropped", "--port", "0"], "invalid choice: 'tensorflow'"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(model, words, told):  # noqa: F811
    with pytest.raises(PadkitError, match=told) as error:
        main([model, *words])
    assert "\n" not in str(error.value)


def test_with_workers_too_a_mistake_is_one_line(model, capfd):  # noqa: F811
    with pytest.raises(PadkitError, match="not in this bundle"):
        main([model, *WORDS, "--workers", "2", "--policy", "eer"])
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PadkitError, match="Address already in use"):
        free_port("127.0.0.1", taken.getsockname()[1])
