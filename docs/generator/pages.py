"""MkDocs hooks: pages made from helps and constructors when the site is built; nothing made is kept.

Also pages from elsewhere in the repository, links between all of them, and the marks in pages of roles:
`<!-- checks TeacherSuite -->` becomes the suite's checks, `<!-- built-in teacher -->` padkit's own components;
`<!-- understood labels -->` becomes a table of what readers understand.
What is described by docstrings alone, such as docs/reference/hooks.md, is mkdocstrings' work.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator.helps import RECIPES, as_markdown, help_of, plain
from generator.inputs import understood
from padkit.catalog import Catalog
from padkit.plugins import OWN_COMMANDS, ROLES, Component, discover
from padkit.settings.describe import described_settings

ROOT = Path(__file__).parents[2]
# Pages that lie elsewhere in the repository.
ELSEWHERE = {"plugins/padkit_synthetic/README.md": "synthetic.md", "CONTRIBUTING.md": "contributing.md"}
COMPONENT_ROLES = [role for role in ROLES if role != "command"]
# Words after a command that have a help of their own, and what that help is called.
FURTHER = {"plugins": ("show", "`padkit plugins show`"), "prepare": ("folder", "Options of every dataset")}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections of the navigation that mkdocs.yml leaves empty."""
    made = {
        "Commands": [{"Overview": "commands/index.md"}, *(f"commands/{name}.md" for name in _commands())],
        "Recipes": [f"recipes/{name}.md" for name in RECIPES],
        "Components": [f"components/{role}s.md" for role in COMPONENT_ROLES],
    }
    assert config.nav is not None
    for section in config.nav:
        for title, pages in section.items():
            if title in made:
                assert pages == [], f"section {title} of mkdocs.yml is filled here"
                section[title] = made[title]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file in docs/ holds."""
    for place, text in _made():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Fill the marks; turn links within the repository into links within the site."""
    markdown = re.sub(r"<!-- checks (\w+) -->", lambda mark: _checks(mark[1]), markdown)
    markdown = re.sub(r"<!-- built-in (\w+) -->", lambda mark: _built_in(mark[1]), markdown)
    markdown = re.sub(r"<!-- understood (\w+) -->", lambda mark: understood(mark[1]), markdown)
    site = page.file.src_uri
    home = {there: here for here, there in ELSEWHERE.items()}.get(site, f"docs/{site}")
    return _relinked(markdown, posixpath.dirname(home), posixpath.dirname(site))


def _made() -> Iterator[tuple[str, str]]:
    """Yield the place in the site and the text of each page."""
    for source, place in ELSEWHERE.items():
        yield place, (ROOT / source).read_text(encoding="utf-8")
    yield "commands/index.md", _command_index()
    for name in _commands():
        yield f"commands/{name}.md", _command_page(name)
    for name in RECIPES:
        yield f"recipes/{name}.md", _recipe_page(name)
    for role in COMPONENT_ROLES:
        yield f"components/{role}s.md", _component_page(role)


def _own(role: str) -> list[Component]:
    """Return padkit's own components of a role: what else is installed beside it is not of this site."""
    return [c for c in discover().components if c.role == role and c.plugin.distribution == "padkit"]


def _commands() -> dict[str, str]:
    own = {name: summary for name, (summary, _) in OWN_COMMANDS.items()}
    return dict(sorted((own | {c.spec.name: c.summary for c in _own("command")}).items()))


def _command_index() -> str:
    rows = {f"[`padkit {name}`]({name}.md)": summary for name, summary in _commands().items()}
    rows |= {f"[`{name}.py`](../recipes/{name}.md)": _recipe_text(name).splitlines()[0] for name in RECIPES}
    told = "Made from their helps when this site is built. Plugins add commands of their own, "
    told += "[as these are added](../roles/command.md); `padkit --help` lists what is installed."
    return f"# Commands\n\n{told}\n\n{_table('command', 'what it does', rows)}\n"


def _table(left: str, right: str, rows: dict[str, str]) -> str:
    lines = [f"| {name} | {plain(text).replace('|', '&#124;')} |" for name, text in rows.items()]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *lines])


def _command_page(name: str) -> str:
    parts = [f"# padkit {name}", as_markdown(help_of(name))]
    if name in FURTHER:
        word, title = FURTHER[name]
        common = help_of(name, [word]).partition(f"\n{word}:\n")[0]  # without the settings of one dataset
        parts += [f"## {title}", as_markdown(common, level=3)]
    if name == "prepare":
        parts.append("The further options of each dataset are [its settings](../components/datasets.md).")
    return "\n\n".join(parts) + "\n"


def _recipe_page(name: str) -> str:
    told = "All options of the components chosen by default; `--help` shows those of the ones you choose."
    return "\n\n".join([f"# {name}.py", plain(_recipe_text(name)), told, as_markdown(help_of(name))]) + "\n"


def _recipe_text(name: str) -> str:
    return ast.get_docstring(ast.parse(RECIPES[name].read_text(encoding="utf-8"))) or ""


def _component_page(role: str) -> str:
    told = "padkit's own, made from their constructors when this site is built. `padkit plugins show NAME` tells the "
    told += f"same, also of what other packages add. [How to write one](../roles/{role}.md)."
    return "\n\n".join([f"# {role.capitalize()}s", told, *map(_component, _own(role))]) + "\n"


def _component(component: Component) -> str:
    spec = component.spec
    factory = Catalog().factory(component.role, spec.name)
    explanation = re.split(r"^\w+:\n +", inspect.getdoc(factory) or "", maxsplit=1, flags=re.MULTILINE)[0]
    parts = [f"## {spec.name}", plain(component.summary), plain(explanation)]
    parts.append(f"Licence: {plain(' '.join(spec.licence.split()) or 'not stated')}. Module: `{spec.factory}`.")
    for setting in described_settings(factory):
        default = "needed" if setting.default is None else f"default `{setting.default}`"
        facts = ", ".join(filter(None, (plain(setting.type), default)))
        parts.append(f"`{setting.name}`\n:   {plain(setting.text)} *({facts})*")
    return "\n\n".join(parts)


def _built_in(role: str) -> str:
    """Return a table of padkit's own components; its links hold for pages in any folder below docs/."""
    link = "../commands/{}.md" if role == "command" else f"../components/{role}s.md#{{}}"
    rows = {f"[`{c.spec.name}`]({link.format(c.spec.name)})": c.summary for c in _own(role)}
    return _table("name", "what it is", rows)


def _checks(suite: str) -> str:
    found = getattr(importlib.import_module("padkit.testing"), suite)
    told = {name: (inspect.getdoc(getattr(found, name)) or "").partition("\n")[0] for name in dir(found)}
    checks = {name.removeprefix("test_"): text for name, text in told.items() if name.startswith("test_")}
    return "\n".join(f"- **{name.replace('_', ' ')}**: {plain(text)}" for name, text in checks.items())


def _relinked(markdown: str, folder: str, site_folder: str) -> str:
    """Turn links relative to a file of the repository into links of the site.

    Args:
        markdown: The page.
        folder: Where its file is in the repository.
        site_folder: Where it is in the site.
    """

    def there(found: re.Match[str]) -> str:
        mark, text, target = found["mark"], found["text"], found["target"]
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, hash_sign, anchor = target.partition("#")
        place = posixpath.normpath(posixpath.join(folder, path))
        page = ELSEWHERE.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        if page is None:  # a file of the repository, which is no page
            return text if text.startswith("`") else f"{text} (`{place}`)"
        return f"{mark}[{text}]({posixpath.relpath(page, site_folder or '.')}{hash_sign}{anchor})"

    return re.sub(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", there, markdown)
