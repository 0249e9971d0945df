"""The page in a real headless Chromium: the threshold tool counts as padkit does, nothing leaves the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_scores import scores, toy_page

from padkit.evaluation.metrics import error_rates
from padkit.evaluation.results import Results
from padkit.evaluation.scores import Scores

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="the page was not driven in a browser: chromium or its chromedriver is not installed (Debian packages "
    "chromium and chromium-driver)",
)
PHONE, DESK = 390, 1200


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    return toy_page(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def driver(page: tuple[Path, Results]) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.execute_cdp_cmd("Network.enable", {})
    browser.get(page[0].as_uri())
    yield browser
    browser.quit()


@pytest.fixture(autouse=True)
def no_complaint_and_no_request(driver: Any, page: tuple[Path, Results]) -> Iterator[None]:
    """After each test: nothing in the console, and nothing was asked for but the page and what it carries."""
    yield
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    own = page[0].as_uri()
    assert [url for url in asked if not url.startswith(("data:", own))] == []


def resize(driver: Any, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    until(driver, lambda: driver.execute_script("return window.innerWidth") == width)


def until(driver: Any, holds: Callable[[], bool]) -> None:
    """Wait for what the browser does in its own time."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60).until(lambda _: holds())


def threshold(driver: Any) -> float:
    return float(driver.find_element("id", "tool-number").get_property("value"))


def rates(driver: Any) -> dict[str, str]:
    cells = "[...document.querySelectorAll('[data-rate]')].map((cell) => [cell.dataset.rate, cell.textContent])"
    return dict(driver.execute_script(f"return Object.fromEntries({cells})"))


def expected(found: Scores, value: float) -> dict[str, str]:
    counted = error_rates(found.label, found.score, value, found.pai_species)
    shares = {name: getattr(counted, name) for name in ("hter", "apcer", "bpcer", "apcer_pooled")}
    shares |= {f"apcer:{name}": share for name, share in counted.apcer_by_species.items()}
    return {name: f"{100 * share:.2f}" for name, share in shares.items()}


def slide(driver: Any, place: int) -> None:
    driver.execute_script(
        "const s = document.getElementById('tool-slider'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input', {bubbles: true}))", place,
    )  # fmt: skip


def type_in(driver: Any, text: str) -> None:
    driver.execute_script(
        "const f = document.getElementById('tool-number'); f.value = arguments[0];"
        "f.dispatchEvent(new Event('input', {bubbles: true}))", text,
    )  # fmt: skip


def test_the_page_opens_at_the_policy_that_is_quoted(driver: Any, page: tuple[Path, Results]) -> None:
    entry = page[1].results[0]
    assert threshold(driver) == entry.threshold
    assert rates(driver) == expected(scores(1), entry.threshold)
    assert rates(driver)["hter"] == f"{100 * entry.values['hter']:.2f}"
    assert driver.find_element("id", "tool").is_displayed()


def test_moving_the_slider_gives_the_rates_that_padkit_counts(driver: Any) -> None:
    target, seen = scores(1), set()
    for place in (0, 1, 250, 333, 412, 500, 500, 618, 750, 1000):
        slide(driver, place)
        assert threshold(driver) == pytest.approx(place / 1000)
        assert rates(driver) == expected(target, threshold(driver))
        seen.add(rates(driver)["hter"])
    assert len(seen) > 5
    accepted = int(np.sum((target.label == 0) & (target.score >= 1)))
    assert f"{accepted} of 64 attacks pass" in driver.find_element("id", "tool-sentence").text


def test_arrow_keys_move_the_slider_as_on_any_page(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    slide(driver, 400)
    driver.find_element("id", "tool-slider").send_keys(Keys.ARROW_RIGHT)
    assert threshold(driver) == pytest.approx(0.401)
    assert rates(driver) == expected(scores(1), threshold(driver))


def test_a_threshold_that_is_a_score_accepts_it_and_the_next_number_above_does_not(driver: Any) -> None:
    target = scores(1)
    for score in np.sort(target.score)[[0, 17, 40, -2]]:
        for value in (float(score), float(np.nextafter(score, 2))):
            type_in(driver, repr(value))
            assert threshold(driver) == value
            assert rates(driver) == expected(target, value)


def test_what_is_no_threshold_is_marked_and_changes_nothing(driver: Any) -> None:
    slide(driver, 500)
    before = rates(driver)
    field = driver.find_element("id", "tool-number")
    for text in ("1.5", "-0.1", ""):
        type_in(driver, text)
        assert field.get_attribute("aria-invalid") == "true"
        assert rates(driver) == before
    type_in(driver, "0.25")
    assert field.get_attribute("aria-invalid") is None
    assert rates(driver) == expected(scores(1), 0.25)


def test_buttons_go_to_the_policies_thresholds(driver: Any, page: tuple[Path, Results]) -> None:
    buttons = driver.find_elements("css selector", "#tool-policies button")
    assert [button.text.partition(":")[0] for button in buttons] == ["source-dev", "target-eer (test set)"]
    for button, entry in zip(buttons, page[1].results, strict=True):
        button.click()
        assert threshold(driver) == entry.threshold
        assert rates(driver) == expected(scores(1), entry.threshold)


def test_held_out_source_can_be_looked_at_instead(driver: Any) -> None:
    slide(driver, 500)
    driver.find_element("css selector", "#tool-set option:nth-child(2)").click()
    assert rates(driver) == expected(scores(0), 0.5)
    assert driver.find_element("id", "tool-sentence").text.startswith("held-out source:")
    driver.find_element("css selector", "#tool-set option:nth-child(1)").click()
    assert rates(driver) == expected(scores(1), 0.5)


def test_the_drawing_counts_every_presentation_and_marks_the_wrong_ones(driver: Any) -> None:
    target = scores(1)
    slide(driver, 500)
    bars = driver.execute_script(
        "const size = (kind) => [...document.querySelectorAll(`#tool-figure rect.${kind}`)].length;"
        "return ['bona-fide', 'attack'].map(size)"
    )
    bins = np.minimum((target.score * 50).astype(int), 49)
    for drawn, label, wrong in zip(bars, (1, 0), (target.score < 0.5, target.score >= 0.5), strict=True):
        own = target.label == label
        assert drawn == len(np.unique(bins[own])) + len(np.unique(bins[own & wrong]))
    lines = driver.find_elements("css selector", "#tool-figure line.policy")
    assert len(lines) == 2


def test_the_stretched_axis_changes_places_and_no_rate(driver: Any) -> None:
    slide(driver, 500)
    box = driver.find_element("id", "tool-stretch")
    box.click()
    assert threshold(driver) == 0.5
    assert rates(driver) == expected(scores(1), 0.5)
    slide(driver, 550)
    assert threshold(driver) == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)
    assert rates(driver) == expected(scores(1), threshold(driver))
    box.click()


@pytest.mark.parametrize("width", [PHONE, 320, DESK])
def test_nothing_sticks_out_sideways(driver: Any, width: int) -> None:
    resize(driver, width)
    for closed in driver.find_elements("css selector", "details:not([open])"):
        driver.execute_script("arguments[0].open = true", closed)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_print_opens_what_is_folded_and_hides_the_controls(driver: Any) -> None:
    resize(driver, DESK)
    driver.execute_script("for (const part of document.querySelectorAll('details')) part.open = false")
    driver.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert driver.find_elements("css selector", "details:not([open])") == []
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not driver.find_element("id", "tool-slider").is_displayed()
    assert driver.find_element("id", "tool-rates").is_displayed()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_dark_mode_changes_the_figures_too(driver: Any) -> None:
    def shown() -> tuple[str, str]:
        colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        return colour, driver.execute_script("return document.querySelector('#curves img').currentSrc.slice(-60)")

    def ask_for(features: list[dict[str, str]]) -> None:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    light = shown()
    ask_for([{"name": "prefers-color-scheme", "value": "dark"}])
    # A picture's source changes once the other image is decoded, not at once.
    until(driver, lambda: all(new != old for new, old in zip(shown(), light, strict=True)))
    ask_for([])
    until(driver, lambda: shown() == light)
