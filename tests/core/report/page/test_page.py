"""The page: complete, self-contained, honest, safe against odd names."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from toy_scores import EVIL, picture, results, scores, toy_page, toy_run

from padkit.errors import DataError
from padkit.evaluation.assessment import intervals_of
from padkit.evaluation.results import Results, evaluate
from padkit.evaluation.thresholds import Threshold
from padkit.report.page import summary as story
from padkit.report.page.mistakes import LICENSED, Faces, mistakes
from padkit.report.page.page import RESAMPLES, leaves, write_page
from padkit.report.tables.evaluation import run_view

VOID = {"meta", "img", "source", "link", "br", "input"}
DRAWN = ("alignment", "det", "histogram", "roc", "training")


class Page(HTMLParser):
    """Collects elements and text, and complains about unbalanced ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, Results]:
    return toy_page(tmp_path_factory.mktemp("run"))


def test_the_page_is_where_it_belongs_with_its_figures_beside_it(written) -> None:
    path, _ = written
    assert path.parts[-2:] == ("report", "index.html")
    assert sorted(entry.name for entry in path.parent.iterdir()) == sorted(
        ["index.html", *(f"{name}.png" for name in DRAWN)]
    )


def test_no_element_asks_for_anything_outside_the_page(written) -> None:
    text = written[0].read_text()
    page = Page(text)
    resources = [
        value
        for _, attrs in page.elements
        for name, value in attrs.items()
        if name in {"src", "srcset", "data", "poster", "action"}
    ]
    figures = [value for value in resources if value.startswith("data:image/png;base64,")]
    faces = [value for value in resources if value.startswith("data:image/jpeg;base64,")]
    assert len(figures) == 2 * len(DRAWN)  # light and dark
    assert faces
    assert len(resources) == len(figures) + len(faces)
    for value in figures:
        assert base64.b64decode(value.split(",")[1], validate=True).startswith(b"\x89PNG")
    anchors = {value for tag, attrs in page.elements for name, value in attrs.items() if name == "href"}
    ids = {f"#{attrs['id']}" for _, attrs in page.elements if "id" in attrs}
    assert anchors
    assert anchors <= ids
    assert not re.search(r"url\(|@import|<link|<iframe|fetch\(|XMLHttp|WebSocket|import\(", text)
    script, shape = "https://example.org/x.png", "http://www.w3.org/2000/svg"
    allowed = text.count("http-equiv") + text.count(script) + text.count(shape)
    assert text.count("http") == allowed == 3  # an address among the settings, as plain text; the name of SVG


def test_only_the_pages_own_script_may_run(written) -> None:
    page = Page(written[0].read_text())
    scripts = [attrs for tag, attrs in page.elements if tag == "script"]
    assert [attrs.get("type") for attrs in scripts] == ["application/json", None]
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_names_cannot_become_markup(written) -> None:
    text = written[0].read_text()
    assert EVIL not in text
    assert EVIL in Page(text).text


def test_the_scores_of_the_tool_are_those_of_the_run(written) -> None:
    _, found = written
    data = json.loads(Page(written[0].read_text()).scripts[0])
    target = scores(1)
    assert [entry["name"] for entry in data["sets"]] == [f"{EVIL} (test)", "held-out source"]
    species = {entry["name"]: entry["scores"] for entry in data["sets"][0]["species"]}
    assert set(species) == {"printer1", "screen1"}
    for text, rows in (
        (data["sets"][0]["bona_fide"], target.label == 1),
        (species["screen1"], target.species == "screen1"),
    ):
        assert np.array_equal(np.frombuffer(base64.b64decode(text)), np.sort(target.score[rows]))
    assert [entry["threshold"] for entry in data["policies"]] == [entry.threshold for entry in found.results]
    assert [entry["test_set_choice"] for entry in data["policies"]] == [False, True]


def test_the_top_tells_in_plain_words_what_was_run_and_what_came_out(written) -> None:
    path, found = written
    top = Page(path.read_text()).text.partition("Result on")[0]
    target, threshold = scores(1), found.results[0].threshold
    passed = int(np.sum((target.label == 0) & (target.score >= threshold)))
    rejected = int(np.sum((target.label == 1) & (target.score < threshold)))
    assert passed
    assert rejected
    parts = ["Simulated data", "seed 11", f"(student timm resnet18, aligner daa, teachers fr ({EVIL}))"]
    parts += ["trained on 900 frames of 300 presentations of 40 subjects from x"]
    parts += [f"32 simulated bona fide presentations and 64 simulated attacks (96 frames) of {EVIL}"]
    parts += ["chosen on held-out source presentations (policy source-dev)", f"{passed} of 64 attacks pass"]
    parts += [f"{rejected} of 32 bona fide presentations are rejected"]
    for part in parts:
        assert part in top


def test_the_page_tells_rates_with_intervals_data_and_how_to_run_it_again(written) -> None:
    path, found = written
    text = Page(path.read_text()).text
    assert "each judged by the mean of the logits of five views" in text
    values = [found.results[0].values["hter"], found.values["auc"], found.results[1].values["acer"]]
    values += [found.source_dev.result.values["bpcer"], found.results[0].apcer_by_species["printer1"]]
    for value in values:
        assert f"{100 * value:.2f}" in text
    entry = found.results[0]
    threshold = Threshold(entry.policy, entry.threshold, "", test_set_choice=False)
    _, ends = intervals_of(scores(1), [threshold], resamples=RESAMPLES)
    for key in (("source-dev", "hter"), ("", "auc"), ("source-dev", "apcer:screen1")):
        assert f"[{100 * ends[key].low:.2f}, {100 * ends[key].high:.2f}]" in text
    parts = [
        "1000 resamples (seed 0) of 32 subjects",
        "(test set)",
        "flatters",
        "teachers.fr",
        "2.9.0",
        "one, two broken",
    ]
    parts += ["Dataset toy (world 9), face crops of 32 x 32 pixels", "1 of 7 files or presentations could not be read"]
    parts += ["x: 20 % of the subjects of train", "Warning: subjects are unknown"]
    parts += ["git revision abc123 and changes that were not committed", "python recipes/dtda.py --target 'a b'"]
    parts += ["padkit train --num_processes 2 --mixed_precision bf16 recipes/dtda.py --config"]
    for part in parts:
        assert part in text


def test_the_page_is_fit_for_phones_dark_mode_and_paper(written) -> None:
    text = written[0].read_text()
    assert 'name="viewport"' in text
    assert text.count("screen and (prefers-color-scheme: dark)") == 1 + len(DRAWN)  # the style sheet and the pictures
    assert text.count("@media print") == 1
    assert all(attrs.get("alt") for tag, attrs in Page(text).elements if tag == "img")
    assert len(text) < 2_000_000


def test_the_same_run_gives_the_same_page(written, tmp_path) -> None:
    one, other = written[0], toy_page(tmp_path)[0]
    assert one.read_text().replace(str(one.parents[1]), "") == other.read_text().replace(str(other.parents[1]), "")


def test_a_test_set_choice_and_real_data_are_told_without_source_scores_or_log(tmp_path) -> None:
    found = results(scores(1), None, simulated=False, target="y")
    path = write_page(toy_run(tmp_path, found, scores(1)), Faces(pictures=picture, note=LICENSED))
    page = Page(path.read_text())
    assert "Chosen on the test set: the threshold. Comparable with the literature" in page.text
    assert "imulated" not in page.text
    assert "held-out source (at" not in page.text
    assert "The command was not recorded" in page.text
    assert "#training" not in {attrs.get("href") for _, attrs in page.elements}
    assert not (path.parent / "training.png").exists()
    assert "pass this page on only as far as its licence allows" in page.text
    both = dataclasses.replace(found, checkpoint_selection="target-best")
    assert story.chosen_on_test_set(both) == ["the checkpoint", "the threshold"]
    assert story.choices(both)[0][2]
    page = Page(write_page(toy_run(tmp_path / "both", both, scores(1))).read_text())
    assert "Chosen on the test set: the checkpoint and the threshold." in page.text
    assert "target-best: the best checkpoint on the test set, as often in the literature: flatters" in page.text
    assert "checkpoint target-best (test set): errors by threshold policy" in page.text


def test_the_worst_mistakes_are_shown_with_their_faces(written) -> None:
    path, found = written
    text = path.read_text()
    shown = re.findall(r"<li>(?:<img [^>]*base64,([^\"]*)\">)?\s*<div><b>([\d.]+)</b>.*?(p\d+)&lt;", text, re.DOTALL)
    kinds = mistakes(scores(1), found.results[0].threshold, picture)
    told = [one for kind in kinds for one in kind.worst]
    assert told
    assert shown == [(one.picture, f"{one.score:.4f}", one.presentation.removesuffix(EVIL)) for one in told]
    page = Page(text)
    for kind in kinds:
        assert f"{kind.title}: {kind.count} of {kind.among}" in page.text
    facts = {(one.kind, *one.facts.values()) for one in told}
    assert all(f"{kind}{domain} · {subject}" in page.text for kind, domain, subject in facts)


def test_leaves_are_named_with_dots() -> None:
    content = {"a": {"b": 1, "c": {"d": [1, 2], "e": {}}}, "f": None, "g": False, "h": [{"x": 1, "y": ""}]}
    assert leaves(content) == [("a.b", "1"), ("a.c.d", "1, 2"), ("a.c.e", ""), ("f", ""), ("g", "False"), ("h", "1")]


def test_a_folder_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "report").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_page(toy_run(tmp_path, results(scores(1), None), scores(1)))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("simulated", [False, True])
def test_published_figures_stand_beside_a_real_run_of_the_four_protocols(tmp_path: Path, simulated: bool) -> None:
    names = {"name": "O&C&I->M", "sources": ("O", "C", "I"), "target": "M", "simulated": simulated}
    found = results(scores(1), scores(0), **names)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(run_view(found))
    path = write_page(toy_run(tmp_path, found, scores(1)))
    page = Page(path.read_text())
    parts = ["MADDG 2019", "17.69", "DTDA 2024", "not measured", "arXiv:2401.01102", "chosen on the target test"]
    for shown in (page.text, " ".join(capture.get().split())):
        for part in parts:
            assert (part in shown) == (not simulated)
    own = f"{100 * found.results[1].values['hter']:.2f}"
    assert (f"this{own}" in page.text) == (not simulated)
    assert ("#published" in {attrs.get("href") for _, attrs in page.elements}) == (not simulated)


def test_several_targets_are_assessed_alone_as_well_and_can_be_looked_at_in_the_tool(tmp_path: Path) -> None:
    target = scores(1)
    target = dataclasses.replace(target, domain=np.where(np.arange(len(target)) % 2, "C", "M"))
    protocol = dataclasses.replace(results(target, None).protocol, target="C&M")
    found = evaluate(target, protocol=protocol, seed=0, source_dev=scores(0), targets=("C", "M"))
    path = write_page(toy_run(tmp_path, found, target, scores(0)))
    page = Page(path.read_text())
    alone = found.targets[1]
    cells = [f"{alone.counts.bona_fide}", f"{alone.counts.attack}"]
    cells += [f"{100 * share:.2f}" for share in (*(e.values["hter"] for e in alone.results), alone.values["auc"])]
    assert f"M{''.join(cells)}" in page.text
    sets = json.loads(page.scripts[0])["sets"]
    assert [entry["name"] for entry in sets] == ["C&M (test)", "C (test)", "M (test)", "held-out source"]
    bona_fide = np.frombuffer(base64.b64decode(sets[2]["bona_fide"]))
    assert np.array_equal(bona_fide, np.sort(target.score[(target.domain == "M") & (target.label == 1)]))
