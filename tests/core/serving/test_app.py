"""The endpoint: typed results, coded reasons for bad pictures, coded errors for bad requests, early refusals."""

from __future__ import annotations

import asyncio
import io
import random
import re
import time

import pytest
from PIL import Image
from tests.core.deploy.test_predictor import bundle, noisy, redness

from padkit.deploy.predictor import Predictor

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")
pytest.importorskip("httpx2")

from fastapi.testclient import TestClient

from padkit.serving.app import create_app
from padkit.serving.service import ServeLimits, Service

MOST = 40_000
PNG = {"content-type": "image/png"}


def whole(**settings) -> Predictor:
    return Predictor(
        **{"bundle": bundle(sha256="ab" * 32), "score": redness, "face": "none", "limits": None} | settings
    )


def app(predictor: Predictor | None = None, **limits):
    service = Service(
        model="toy", limits=ServeLimits(**{"most_bytes": MOST, "most_pixels": 20_000, "seconds": 5} | limits)
    )
    return create_app(service, predictor or whole())


@pytest.fixture(scope="module")
def client():
    with TestClient(app(), raise_server_exceptions=True) as found:
        yield found


def file_of(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


GOOD = file_of(noisy(220, 80, 60))


def test_a_form_and_a_raw_body_give_the_same_typed_result(client):
    raw = client.post("/judge", content=GOOD, headers=PNG)
    form = client.post("/judge", files={"image": ("ünï.png", GOOD, "image/png")})
    assert (raw.status_code, form.status_code) == (200, 200)
    first, second = raw.json(), form.json()
    assert raw.headers["x-model-sha256"] == first["sha256"] == "ab" * 32
    assert (first["width"], first["height"], first["simulated"]) == (80, 60, True)
    (one,), (other,) = first["results"], second["results"]
    assert (one.pop("source"), other.pop("source")) == ("body", "ünï.png")
    assert one == other
    assert (one["verdict"], one["reason"], one["threshold"], one["policy"]) == ("bona fide", None, 0.5, "source-dev")
    (judged,) = whole().judge(noisy(220, 80, 60))
    assert one["score"] == judged.score


def test_the_description_names_every_field_of_an_answer(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    answer = client.post("/judge", content=GOOD, headers=PNG).json()
    assert schemas["Answer"]["properties"].keys() == answer.keys()
    assert schemas["Result"]["properties"].keys() == answer["results"][0].keys()


def test_every_face_is_in_the_answer_and_too_many_are_refused(monkeypatch):
    from padkit.data.presentation import FaceHint

    faces = [FaceHint(box=(2 + 20 * n, 5, 18 + n, 18 + n)) for n in range(3)]
    monkeypatch.setattr("padkit.deploy.predictor.finder", lambda name, model: lambda picture, hint: faces)
    for most, reasons in ((3, [None] * 3), (2, ["several_faces"])):
        with TestClient(app(whole(face="lbp"), most_faces=most)) as found:
            results = found.post("/judge", content=GOOD, headers=PNG).json()["results"]
        assert [one["reason"] for one in results] == reasons
        assert [one["faces"] for one in results] == [3] * len(reasons)
    assert "3 faces, limit 2" in results[0]["detail"]


BAD_PICTURES = {
    "empty": (b"", "unreadable"),
    "text": (b"hello", "unreadable"),
    "cut": (GOOD[: len(GOOD) // 2], "unreadable"),
    "many pixels": (file_of(Image.new("1", (200, 200))), "too_large"),
    "bomb": (file_of(Image.new("1", (30_000, 1_000))), "too_large"),
    "strip": (file_of(Image.new("L", (900, 20))), "unreadable"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_a_picture_that_cannot_be_judged_is_an_answer_with_a_reason(client, content, reason):
    for sent in ({"content": content, "headers": PNG}, {"files": {"image": ("a.png", content)}}):
        found = client.post("/judge", **sent)
        assert found.status_code == 200
        (one,) = found.json()["results"]
        assert (one["verdict"], one["score"], one["reason"]) == ("not judged", None, reason)
        assert one["detail"]


def test_mutated_files_are_answers_with_a_reason(client):
    """A seeded sample; benchmarks/mutated_inputs.py sends a thousand."""
    rng, seen = random.Random(0), set()
    sources = [file_of(noisy(90, 40, 40), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")]
    for _ in range(80):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        content = bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data)
        found = client.post("/judge", content=content, headers={"content-type": "application/octet-stream"})
        assert found.status_code == 200, found.text
        for one in found.json()["results"]:
            assert (one["score"] is None) == (one["reason"] is not None)
            seen.add(one["reason"])
    assert {None, "unreadable"} <= seen


FORM = {"content-type": "multipart/form-data; boundary=x"}
BAD_REQUESTS = {
    "no type": ({"content": GOOD}, 415, "content_type"),
    "text": ({"content": GOOD, "headers": {"content-type": "text/plain"}}, 415, "content_type"),
    "compressed": ({"content": GOOD, "headers": PNG | {"content-encoding": "gzip"}}, 415, "content_encoding"),
    "no file": ({"data": {"image": "hello"}, "files": {"": ("", b"")}}, 422, "form"),
    "two files": ({"files": [("a", ("a.png", GOOD)), ("b", ("b.png", GOOD))]}, 422, "form"),
    "no boundary": ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422, "form"),
    "damaged form": ({"content": b"--x\r\nno header", "headers": FORM}, 422, "form"),
    "no form": ({"content": b"\0\xff" * 99, "headers": FORM}, 422, "form"),
    "parameter": ({"content": GOOD, "headers": PNG, "params": {"explain": "perhaps"}}, 422, "parameter"),
    "no weights": ({"content": GOOD, "headers": PNG, "params": {"explain": "true"}}, 501, "explain"),
    "too long": ({"content": b"x" * (MOST + 1), "headers": PNG}, 413, "too_many_bytes"),
    "form too long": ({"files": {"image": b"x" * (MOST + 1)}}, 413, "too_many_bytes"),
    "form far too long": ({"files": {"image": b"x" * 2 * MOST}}, 413, "too_many_bytes"),
}


@pytest.mark.parametrize(("sent", "status", "code"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_wrong_request_has_a_coded_error_in_one_line(client, sent, status, code):
    found = client.post("/judge", **sent)
    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (status, code), found.text
    assert error["detail"]
    assert "\n" not in error["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/judge", 405), ("GET", "/a/../b", 404), ("PUT", "/", 405)]
)
def test_an_address_that_is_not_served_names_those_that_are(client, method, path, status):
    found = client.request(method, path)
    assert (found.status_code, found.json()["error"]["code"]) == (status, "address")
    assert "/judge" in found.json()["error"]["detail"]


class Body:
    """A client as ASGI sees it, which counts what is taken of it."""

    def __init__(self, chunks: int, size: int, pause: float = 0.0) -> None:
        self.left = chunks
        self.size = size
        self.pause = pause
        self.taken = 0

    async def receive(self):
        await asyncio.sleep(self.pause)
        if not self.left:
            return {"type": "http.disconnect"}
        self.left -= 1
        self.taken += self.size
        return {"type": "http.request", "body": b"x" * self.size, "more_body": self.left > 0}


def post(asked, body: Body, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/judge",
        "root_path": "", "raw_path": b"/judge", "query_string": b"", "scheme": "http", "client": ("c", 1),
        "server": ("s", 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(asked(scope, body.receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("kind", ["image/png", FORM["content-type"]])
def test_a_length_that_is_too_large_is_refused_before_a_byte_is_read(kind):
    body = Body(1000, 1000)
    status, headers = post(app(), body, {"content-type": kind, "content-length": "1000000"})
    assert (status, body.taken, headers["connection"]) == (413, 0, "close")


@pytest.mark.parametrize("kind", ["image/png", FORM["content-type"]])
def test_a_body_without_a_length_is_read_to_the_limit_and_no_further(kind):
    first = b"--x\r\nContent-Disposition: form-data; name=a; filename=a.png\r\n\r\n"
    body = Body(1000, 1000)
    plain = body.receive

    async def receive():
        message = await plain()
        if body.taken == body.size and kind.startswith("multipart"):
            message["body"] = first + message["body"]
        return message

    body.receive = receive
    status, _ = post(app(), body, {"content-type": kind, "transfer-encoding": "chunked"})
    assert status == 413
    assert body.taken <= MOST + 2**14 + body.size


def test_a_slow_body_is_given_up():
    start = time.monotonic()
    status, headers = post(app(seconds=0.2), Body(10**6, 1, pause=0.05), {"content-type": "image/png"})
    assert (status, headers["connection"]) == (408, "close")
    assert time.monotonic() - start < 2


def test_a_client_that_leaves_is_no_failure():
    body = Body(3, 10)
    body.left = 0
    assert post(app(), body, {"content-type": "image/png"})[0] == 400


def test_a_judge_that_takes_too_long_is_503_and_the_rest_is_answered():
    def slow(crops):
        time.sleep(0.5 if crops[0, 0, 0, 0] == 255 else 0)
        return redness(crops)

    white = file_of(Image.new("RGB", (40, 40), (255, 255, 255)))
    with TestClient(app(whole(score=slow), seconds=0.2)) as found:
        late = found.post("/judge", content=white, headers=PNG)
        assert (late.status_code, late.json()["error"]["code"]) == (503, "timeout")
        assert late.headers["retry-after"] == "1"
        assert found.get("/health").status_code in (200, 503)
        time.sleep(0.5)
        assert found.get("/health").status_code == 200
        assert found.post("/judge", content=GOOD, headers=PNG).status_code == 200


def test_a_failure_within_is_500_in_one_line_and_the_server_goes_on(caplog):
    def broken(crops):
        if crops.mean() > 250:
            raise RuntimeError("secret")
        return redness(crops)

    white = file_of(Image.new("RGB", (40, 40), (255, 255, 255)))
    with TestClient(app(whole(score=broken)), raise_server_exceptions=False) as found:
        failed = found.post("/judge", content=white, headers=PNG)
        assert (failed.status_code, failed.json()["error"]["code"]) == (500, "internal")
        assert "secret" not in failed.text
        assert "secret" in caplog.text
        assert found.post("/judge", content=GOOD, headers=PNG).status_code == 200


def test_health_model_and_figures(client):
    assert client.get("/health").json() == {"status": "ok", "model": "ab" * 32, "waiting": 0}
    about = client.get("/model").json()
    assert (about["threshold"], about["policy"], about["explain"]) == (0.5, "source-dev", False)
    assert about["views"] == "one"
    assert "real faces" in about["not_for"][0]
    before = figures(client)
    client.post("/judge", content=GOOD, headers=PNG)
    client.post("/judge", content=b"x", headers=PNG)
    client.post("/judge", content=GOOD)
    after = figures(client)
    grown = {
        name: after[name] - before[name] for name in after if after[name] != before[name] and "seconds" not in name
    }
    assert grown['padkit_responses_total{status="200"}'] == 3  # one is the first reading of these figures
    assert grown['padkit_responses_total{status="415"}'] == 1
    assert grown['padkit_results_total{verdict="bona fide"}'] == 1
    assert grown['padkit_not_judged_total{reason="unreadable"}'] == 1
    assert grown["padkit_received_bytes_total"] == len(GOOD) + 1
    assert grown["padkit_score_count"] == 1


def figures(client) -> dict[str, float]:
    text = client.get("/metrics").text
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_the_page_asks_for_nothing_from_elsewhere(client):
    for path in ("/", "/page.css", "/page.js"):
        found = client.get(path)
        assert found.status_code == 200
        assert "default-src 'none'" in found.headers["content-security-policy"]
        hosts = set(re.findall(r"https?://[\w.]+", found.text)) - {"http://localhost", "http://www.w3.org"}
        assert hosts == set()
    assert client.get("/docs").status_code == 404  # FastAPI's own loads scripts from another host
