"""The page: complete, self-contained, safe against odd names."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from padkit.errors import DataError
from padkit.evaluation.results import ProtocolSummary, Results, evaluate
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.report.judgements import run_view
from padkit.report.page import flatten, write_page

EVIL = "<script>alert(1)</script>"
LOG = [{"step": i, "epoch": 0, "live": 1 / (i + 1), "fr": 0.5} for i in range(5)]
VOID = {"meta", "img", "source", "link", "br"}


class Page(HTMLParser):
    """Collects elements and complains about unbalanced ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def scores(seed: int) -> Scores:
    label = np.arange(60) % 2
    values = np.clip(np.random.default_rng(seed).normal(0.35 + 0.3 * label, 0.15), 0, 1)
    names = {"presentation": [f"p{i}{EVIL}" for i in range(60)], "device": ["phone1"] * 60}
    return presentation_scores(names | {"label": label, "species": np.where(label == 1, "", "printer1")}, values)


def results(scored: Scores, source_dev: Scores | None, **change: object) -> Results:
    protocol = ProtocolSummary(name=f"x->{EVIL}", convention="all", sources=("x",), target=EVIL, simulated=True)
    policies = ("source-dev", "target-eer") if source_dev else ("target-eer",)
    protocol = dataclasses.replace(protocol, **change)
    return evaluate(scored, protocol=protocol, seed=11, policies=policies, source_dev=source_dev)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("run")
    found = results(scores(1), scores(0))
    path = write_page(
        folder,
        results=found,
        target=scores(1),
        source_dev=scores(0),
        log=iter(LOG),
        settings={"aligner": "daa", "teachers": {"fr": EVIL}, "url": "https://example.org/x.png"},
        environment={"torch": "2.9.0", "plugins": ["one", "two"]},
    )
    return path, found


def test_the_page_is_where_it_belongs_with_its_figures_beside_it(written) -> None:
    path, _ = written
    assert path.parts[-2:] == ("report", "index.html")
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "histogram.png",
        "index.html",
        "roc.png",
        "training.png",
    ]


def test_no_element_asks_for_anything_outside_the_page(written) -> None:
    text = written[0].read_text()
    page = Page(text)
    resources = [
        value
        for _, attrs in page.elements
        for name, value in attrs.items()
        if name in {"src", "srcset", "href", "data"}
    ]
    assert len(resources) == 6  # three figures, light and dark
    for value in resources:
        assert value.startswith("data:image/png;base64,")
        assert base64.b64decode(value.split(",")[1], validate=True).startswith(b"\x89PNG")
    assert not re.search(r"url\(|@import|<link|<script|<iframe", text)
    assert text.count("http") == text.count("http-equiv") + 1  # the address among the settings, as plain text
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_names_cannot_become_markup(written) -> None:
    page = Page(written[0].read_text())
    assert "script" not in {tag for tag, _ in page.elements}
    assert EVIL in page.text


def test_the_page_tells_what_was_run_and_what_came_out(written) -> None:
    path, found = written
    text = Page(path.read_text()).text
    assert "(at source-dev)" in text
    values = [found.results[0].values["hter"], found.values["auc"], found.results[1].values["acer"]]
    values += [found.source_dev.result.values["bpcer"], found.results[0].apcer_by_species["printer1"]]
    for value in values:
        assert f"{100 * value:.2f}" in text
    parts = ["source-dev", "target-eer", "chosen on test set", "seed 11", "Checkpoint selection source-dev"]
    parts += ["Simulated data", "teachers.fr", "daa", "2.9.0", "one, two", "printer1", "phone1"]
    for part in parts:
        assert part in text
    target = scores(1)
    passed = int(np.sum((target.label == 0) & (target.score >= found.results[0].threshold)))
    assert f"Attacks that passed ({passed})" in text
    worst = target.presentation[np.argmax(np.where(target.label == 0, target.score, -1))]
    assert str(worst) in text


def test_the_page_is_fit_for_phones_and_dark_mode(written) -> None:
    text = written[0].read_text()
    assert 'name="viewport"' in text
    assert text.count("prefers-color-scheme: dark") == 4  # the style sheet and three pictures
    assert all(attrs.get("alt") for tag, attrs in Page(text).elements if tag == "img")


def test_the_same_run_gives_the_same_page(written, tmp_path) -> None:
    arguments = {"settings": {"a": 1}, "environment": {}, "log": LOG, "target": scores(1), "source_dev": scores(0)}
    pages = [
        write_page(tmp_path / name, results=results(scores(1), scores(0)), **arguments).read_bytes() for name in "ab"
    ]
    assert pages[0] == pages[1]


def test_a_test_set_choice_and_real_data_are_told_without_source_scores_or_log(tmp_path) -> None:
    found = results(scores(1), None, simulated=False, target="y")
    path = write_page(tmp_path, results=found, target=scores(1), settings={}, environment={})
    text = " ".join(Page(path.read_text()).text.split())
    assert "Chosen on the test set: the threshold. Comparable with the literature" in text
    assert "imulated" not in text
    assert "(at target-eer)" not in text  # the head of the column that held-out source scores would fill
    assert not (path.parent / "training.png").exists()
    both = dataclasses.replace(found, checkpoint_selection="target-best")
    path = write_page(tmp_path, results=both, target=scores(1), settings={}, environment={})
    assert "Chosen on the test set: the checkpoint and the threshold." in " ".join(Page(path.read_text()).text.split())


@pytest.mark.parametrize(("policy", "label", "step"), [("fixed:0", 0, -1), ("fixed:1", 1, 1)])
def test_the_worst_errors_are_listed_worst_first(tmp_path, policy: str, label: int, step: int) -> None:
    target = scores(1)
    found = evaluate(target, protocol=results(target, None).protocol, seed=0, policies=(policy,))
    text = Page(write_page(tmp_path, results=found, target=target, settings={}, environment={}).read_text()).text
    own = np.flatnonzero(target.label == label)
    order = own[np.argsort(target.score[own])][::step]
    listed = re.findall(r"p\d+(?=<script>)", text.split("Worst errors")[1])
    assert listed == [str(name).removesuffix(EVIL) for name in target.presentation[order[:5]]]


def test_flatten_names_leaves_with_dots() -> None:
    content = {"a": {"b": 1, "c": {"d": [1, 2], "e": {}}}, "f": None, "g": False}
    assert flatten(content) == [("a.b", "1"), ("a.c.d", "1, 2"), ("a.c.e", ""), ("f", ""), ("g", "False")]


def test_a_folder_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "report").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_page(tmp_path, results=results(scores(1), None), target=scores(1), settings={}, environment={})
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("simulated", [False, True])
def test_published_figures_stand_beside_a_real_run_of_the_four_protocols(tmp_path: Path, simulated: bool) -> None:
    names = {"name": "O&C&I->M", "sources": ("O", "C", "I"), "target": "M", "simulated": simulated}
    found = results(scores(1), scores(0), **names)
    path = write_page(tmp_path, results=found, target=scores(1), settings={}, environment={})
    text = " ".join(Page(path.read_text()).text.split())
    console = Console(width=80)
    with console.capture() as capture:
        console.print(run_view(found))
    for shown in (text, " ".join(capture.get().split())):
        for part in (
            "MADDG 2019",
            "17.69",
            "DTDA 2024",
            "not measured",
            "arXiv:2401.01102",
            "chosen on the target test",
        ):
            assert (part in shown) == (not simulated)
    own = f"{100 * found.results[1].values['hter']:.2f}"
    assert (f"this{own}" in text) == (not simulated)
