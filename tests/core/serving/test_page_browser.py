"""The page in a real headless Chromium with its fake camera: verdicts, history, Grad-CAM, narrow and dark."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.serving.test_app import noisy, whole

pytest.importorskip("uvicorn")

import uvicorn

from padkit.serving.app import create_app
from padkit.serving.judging import Judging
from padkit.serving.server import free_port
from padkit.serving.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="the page was not driven in a browser: chromium or its chromedriver is not installed (Debian packages "
    "chromium and chromium-driver)",
)
WORDS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a thread; Grad-CAM is a drawing of the crop itself."""
    patch = pytest.MonkeyPatch()
    patch.setattr("padkit.serving.judging._unexplained", lambda predictor, backend: "")
    patch.setattr(Judging, "_explainer", lambda self, crop, verdict: noisy(90, 32, 32))
    port = free_port("127.0.0.1", 0)
    app = create_app(Service(model="toy"), whole())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(20)
    patch.undo()


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service as Driver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in WORDS:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Driver(DRIVER))
    browser.execute_cdp_cmd("Network.enable", {})
    yield browser
    browser.quit()


def until(driver: Any, holds: Callable[[], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60).until(lambda _: holds())


def count(driver: Any) -> int:
    return int(driver.find_element("id", "count").text)


def test_a_file_and_the_webcam_give_verdicts_and_nothing_leaves_the_server(
    address: str, driver: Any, tmp_path: Path
) -> None:
    find = driver.find_element
    driver.get(address)
    until(driver, lambda: "threshold 0.500 (source-dev" in find("id", "about").text)
    assert find("id", "simulated").is_displayed()

    picture, damaged = tmp_path / "a.png", tmp_path / "b.png"
    noisy(220, 80, 60).save(picture)
    damaged.write_bytes(b"no picture")
    find("id", "explain").click()
    find("id", "file").send_keys(str(picture))
    until(driver, lambda: count(driver) == 1)
    assert find("id", "verdict").text.startswith("bona fide, score 0.8")
    heat = until(driver, lambda: driver.find_elements("css selector", "#faces img"))
    until(driver, lambda: driver.execute_script("return arguments[0].naturalWidth", heat[0]) == 32)
    find("id", "explain").click()

    find("id", "file").send_keys(str(damaged))
    until(driver, lambda: count(driver) == 2)
    assert find("id", "verdict").text == "not judged"
    assert "cannot be read" in find("id", "detail").text

    find("id", "webcam").click()
    until(driver, lambda: count(driver) >= 5)
    assert find("id", "webcam").get_attribute("aria-pressed") == "true"
    assert find("id", "verdict").get_attribute("data-verdict") in ("bona fide", "attack")
    assert driver.execute_script("return document.getElementById('canvas').width") >= 320
    find("id", "webcam").click()
    time.sleep(0.6)
    stopped = count(driver)
    assert len(driver.find_elements("css selector", "#history .dot")) == stopped
    time.sleep(0.6)
    assert count(driver) == stopped

    looks: set[str] = set()
    for width in (320, 1200):
        for scheme in ("light", "dark"):
            metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            feature = {"name": "prefers-color-scheme", "value": scheme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            until(driver, lambda width=width: driver.execute_script("return window.innerWidth") == width)
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width
            looks.add(driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(looks) == 2

    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
