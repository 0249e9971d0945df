"""The documentation site: complete, of one piece with the code, and it asks nothing of the network."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from generator import helps
from padkit import testing
from padkit.catalog import Catalog
from padkit.commands import train
from padkit.commands.new import write_distribution
from padkit.plugins import OWN_COMMANDS, ROLES, discover

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "padkit"
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "link": "href",
    "use": "href",
}
OWN = [component for component in discover().components if component.plugin.distribution == "padkit"]
SLOTS = {"data", "student", "aligner", "teachers", "augmentation"}
COMMANDS = [*OWN_COMMANDS, *(component.spec.name for component in OWN if component.role == "command")]
RECIPE = re.compile(r"(?:.*[/.])?recipes[/.](\w+?)(?:\.py)?$")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it, warnings being errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


class Reader(HTMLParser):
    """Collects what a page loads, its headings and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.within = ""
        self.labelled = False  # a label such as `abstractmethod` is no part of its heading

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in LOADED and given.get(LOADED[tag]) and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given[LOADED[tag]])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((tag, ""))
            self.within = tag
        self.labelled = tag == "small" or self.labelled

    def handle_endtag(self, tag):
        if tag == "small":
            self.labelled = False
        if tag == self.within:
            self.headings[-1] = tag, self.headings[-1][1].strip()
            self.within = ""

    def handle_data(self, data):
        self.words.append(data)
        if self.within and not self.labelled:
            tag, text = self.headings[-1]
            self.headings[-1] = tag, text + data.replace("¶", "")


@functools.cache
def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def text_of(page: Path) -> str:
    return " ".join("".join(read(page).words).split())


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    loads = {(page.name, load) for page in pages for load in read(page).loads}
    assert any(load.endswith(".css") for _, load in loads)
    assert any(load.endswith(".js") for _, load in loads)
    assert not [found for found in loads if re.match(r"([a-z]+:)?//", found[1])]
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']+", sheet.read_text(encoding="utf-8"))


def canonical(signature: str) -> str:
    if "(" not in signature:  # a property
        return " ".join(signature.split())
    return ast.unparse(ast.parse(f"def {signature}: ..."))


def definitions(body: list[ast.stmt]) -> set[str]:
    """The signatures of a module's or a class's public functions, as the source writes them, without self."""
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__call__"):
            if any(ast.unparse(each) == "property" for each in node.decorator_list):
                found.add(f"{node.name}: {ast.unparse(node.returns)}")
                continue
            shown = f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"
            found.add(canonical(re.sub(r"\(self(, )?", "(", shown, count=1)))
    return found


def test_every_hook_is_in_the_reference_with_its_signature(site):
    hooks = definitions(ast.parse((CORE / "hookspecs.py").read_text()).body)
    assert len(hooks) == len(ROLES) == 8
    shown = [text for tag, text in read(site / "reference" / "hooks.html").headings if tag == "h3"]
    assert {canonical(text) for text in shown if text.startswith("padkit_")} == hooks


@pytest.mark.parametrize("source", ["specs.py", "roles.py", "data/reader.py", "data/native.py", "data/augmentation.py"])
def test_every_record_and_role_is_in_the_reference(site, source):
    page = site / "reference" / "hooks.html"
    sections: dict[str, set[str]] = {}
    for tag, text in read(page).headings:
        if tag == "h3":
            sections[text.rpartition(".")[2]] = set()
        elif tag == "h4":
            sections[[*sections][-1]].add(canonical(text))
    classes = [node for node in ast.parse((CORE / source).read_text()).body if isinstance(node, ast.ClassDef)]
    assert classes
    for node in classes:
        assert node.name in sections
        wanted = definitions(node.body)
        assert sections[node.name] == wanted
        fields = [
            f"{ast.unparse(n.target)}: {ast.unparse(n.annotation)}" for n in node.body if isinstance(n, ast.AnnAssign)
        ]
        for field in fields:
            name = field.partition(":")[0]
            assert name in text_of(page)
            if source == "specs.py":
                assert field in text_of(page)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_on_its_page(site, command):
    printed = io.StringIO()
    own = importlib.import_module(OWN_COMMANDS[command][1]).main if command in OWN_COMMANDS else None
    run = own or Catalog().factory("command", command)
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        run(["folder", "--help"] if command == "prepare" else ["--help"])
    help_text = printed.getvalue().split("\nfolder:")[0]
    flags = set(re.findall(r"^ {2,4}(?:-\w, )?(--[\w-]+)", help_text, re.MULTILINE)) - {"--help"}
    assert flags or command in ("new", "train")
    page = text_of(site / "commands" / f"{command}.html")
    assert not [flag for flag in flags if flag not in page]


@pytest.mark.parametrize("recipe", sorted(path.stem for path in (ROOT / "recipes").glob("*.py")))
def test_every_recipe_has_its_page(site, recipe):
    page = text_of(site / "recipes" / f"{recipe}.html")
    first = (ROOT / "recipes" / f"{recipe}.py").read_text().removeprefix('"""').splitlines()[0]
    assert " ".join(first.split()) in page
    assert "--seed" in page


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_page(site, role):
    page = text_of(site / "roles" / f"{role}.html")
    assert "<!--" not in page
    names = [component.spec.name for component in OWN if component.role == role]
    assert names
    assert not [name for name in names if name not in page]
    if role != "command":
        suite = getattr(testing, f"{role.capitalize()}Suite")
        checks = [name[5:].replace("_", " ") for name in dir(suite) if name.startswith("test_")]
        assert len(checks) > 2
        assert not [check for check in checks if check not in page]
        shown = {text for tag, text in read(site / "components" / f"{role}s.html").headings if tag == "h2"}
        assert shown == set(names)


def test_the_examples_of_the_roles_are_files_that_tests_run():
    included = set()
    for page in (ROOT / "docs" / "roles").glob("*.md"):
        included |= set(re.findall(r'--8<-- "([^"]+)"', page.read_text()))
    package = ROOT / "tests" / "thirdparty" / "padkit_example"
    assert included == {path.relative_to(ROOT).as_posix() for path in package.glob("*.py")}


def blocks(page: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def unknown_options(line: str) -> list[str]:
    """Return the options of a shown command that its parser does not know."""
    words = shlex.split(line, comments=True)
    if words[:2] == ["padkit", "train"]:  # what stands before the recipe is for Accelerate's launcher
        at = next((place for place, word in enumerate(words) if word in train.recipes()), len(words) - 1)
        return [*_unknown(words[at], words[at + 1 :])] if words[at] in train.recipes() else []
    if words[:1] == ["padkit"] and len(words) > 1 and not words[1].startswith("-"):
        return [*_unknown(words[1], words[2:])]
    for position, word in enumerate(words):
        if recipe := RECIPE.match(word):
            return [*_unknown(recipe[1], words[position + 1 :])]
    return []


@functools.cache
def options_of(command: str, *chosen: str) -> set[str]:
    text = helps.help_of(command, chosen)
    assert text.startswith("usage: "), f"{command} {chosen} has no help"
    return helps.flags(text)


def _unknown(command: str, words: list[str]) -> list[str]:
    if "--" in words and command == "ablation":
        cut = words.index("--")
        return _unknown("ablation", words[:cut]) + _unknown("dtda", words[cut + 1 :])
    emptied = {word for word, value in pairwise(words) if value == "none"}
    asked = [word.partition("=")[0] for word in words if word.startswith("--") and word not in emptied]
    chosen: list[str] = []
    if command in ("dtda", "random_features", "pretrain_arcface", "pretrain_stargan"):
        chosen = _choices(words)
        asked = [flag.replace("-", "_").replace("__", "--", 1) for flag in asked]
    elif command == "evaluate" and "--adapter" in words:  # the dataset's options are its reader's
        asked = [flag for flag in asked if not flag.startswith("--data.")]
    elif command in ("teachers", "calibrate", "adapt") or (command == "evaluate" and "--data" in words):
        chosen = words
    elif command == "prepare" or words[:1] == ["show"]:
        chosen = words[:1]
    flags = options_of(command, *chosen)
    free = {"--config", "--help", "--h"} | {f"--{slot}" for slot in SLOTS}
    return [flag for flag in asked if flag not in flags | free and f"{flag}.name" not in flags]


def _choices(words: list[str]) -> list[str]:
    """Leave out what the help does not need: files that are not there, runs to resume."""
    kept, at = [], 0
    while at < len(words):
        named = words[at] == "--config" and not (ROOT / words[at + 1]).is_file() and "/" in words[at + 1]
        if words[at] == "--resume" or named:
            at += 2
            continue
        kept.append(words[at])
        at += 1
    return kept


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """What `padkit new teacher demo` and `pip install` leave, which README and tutorial go on with."""
    folder = write_distribution("teacher", "demo", tmp_path)
    info = tmp_path / "padkit_demo-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: padkit-demo\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[padkit]\ndemo = padkit_demo\n")
    for place in (tmp_path, folder):
        monkeypatch.syspath_prepend(place)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "padkit_demo"]:
        del sys.modules[name]


PAGES = [ROOT / "README.md", ROOT / "plugins/padkit_synthetic/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_shown_command_has_the_options_it_shows(page, demo, monkeypatch):
    monkeypatch.chdir(ROOT)
    for block in blocks(page, "", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            assert unknown_options(line) == [], line


def test_shown_commands_are_found_and_wrong_ones_noticed(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = [line for block in blocks(ROOT / "docs" / "tutorial.md", "bash") for line in block.splitlines()]
    assert sum(line.startswith(("padkit ", "accelerate ")) for line in shown) >= 10
    assert unknown_options("padkit evaluate runs/a --nonsense 1  # --more") == ["--nonsense"]
    assert unknown_options("padkit prepare folder --root a --tasks 3") == ["--tasks"]
    for launch in ("accelerate launch -m padkit.recipes.dtda", "padkit train --mixed_precision bf16 dtda"):
        assert unknown_options(f"{launch} --aligner dat --aligner.epsilon 1") == ["--aligner.epsilon"]
    assert unknown_options("python recipes/ablation.py --speeds 3 -- --seed 1 --sed 2") == ["--speeds", "--sed"]


def test_the_scripts_of_the_tutorial_run_as_far_as_they_can(tmp_path, monkeypatch):
    """`draw.py` writes what `prepare` reads; the photograph of `astronaut.py` is judged by a bundle, twice alike."""
    pytest.importorskip("skimage")
    scripts = blocks(ROOT / "docs" / "tutorial.md", "python")
    draw, photograph, judge, _ = scripts
    monkeypatch.chdir(tmp_path)
    few = draw.replace("in reader.records():", "in list(reader.records())[:2]:")
    few = few.replace('"tiny"', '"tiny", "image_size": 64')
    assert few.count("[:2]") == few.count("64") == 1
    exec(compile(few, "draw.py", "exec"), {})
    pictures = sorted(map(str, Path("photos").rglob("*.png")))
    assert pictures
    assert all(re.fullmatch(r"photos/\w+/train/(live|spoof/\w+)/[^/]+_\d+\.png", name) for name in pictures)

    from padkit.commands.predict import main
    from padkit.deploy.bundle import Bundle, BundleThreshold
    from padkit.deploy.stored import save_bundle
    from padkit.networks.detector import Detector

    settings = {"model": "test_resnet", "pretrained": False}
    detector = Detector(Catalog().build("student", "timm", settings))
    thresholds = (BundleThreshold(policy="source-dev", value=0.5),)
    facts = {"image_size": 64, "thresholds": thresholds, "simulated": True}
    save_bundle(Path("runs/first/model"), detector, Bundle(student="timm", settings=settings, **facts))
    exec(compile(photograph, "astronaut.py", "exec"), {})
    printed, shown = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["runs/first", "astronaut.png", "--json"]) == 0
    (face,) = map(json.loads, printed.getvalue().splitlines())
    assert face["verdict"] in ("bona fide", "attack")
    x, y, width, height = face["box"]
    assert x < 220 < x + width, "the astronaut's face is there"
    assert y < 120 < y + height
    with contextlib.redirect_stdout(shown):
        exec(compile(judge, "judge.py", "exec"), {})
    assert shown.getvalue().startswith(f"{face['verdict']} {face['score']}")


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not target.startswith("http")]
    assert len(targets) > 5
    assert not [target for target in targets if not (ROOT / target.partition("#")[0]).exists()]


def test_a_help_becomes_headings_text_as_it_is_and_prose():
    told = "usage: it <a>\n\nTakes <b> and `<c>`,\n*soon*.\n\nthe options:\n  --x X\n      for: <d>\n"
    told += "\n--y z:\n  a\n\n  b\n"
    assert helps.as_markdown(told).split("\n\n") == [
        "```text\nusage: it <a>\n```",
        "Takes &lt;b> and `<c>`,\n*soon*.",
        "## The options",
        "```text\n--x X\n    for: <d>\n```",
        "## `--y z`",
        "```text\na",
        "b\n```",
    ]
    assert helps.flags(told + "  -v, --version\n            --not-one") == {"--x", "--version"}
