"""`padkit new`: writes a new distribution with one component and its tests, which pass at once."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from padkit.commands.parser import Parser
from padkit.errors import PluginError, SettingsError
from padkit.plugins import discover

LAUNCH = "padkit train dtda"
# Role: its option of the recipe, one of its settings, small settings for its test, what its summary says, licence hint.
ROLES: dict[str, tuple[str, str, str, str, str]] = {
    "teacher": (
        "--teachers.fr",
        "--teachers.fr.channels 64",
        '{"channels": 8}',
        "Random convolutions (replace me).",
        "The weights may have another one: say so in the record's `licence`, which `padkit plugins show` prints.",
    ),
    "aligner": (
        "--aligner",
        "--aligner.weight 0.5",
        '{"weight": 0.5}',
        "Draws the mean features of the domains together (replace me).",
        "Name the paper of the method in the docstring of the class.",
    ),
    "student": (
        "--student",
        "--student.width 64",
        '{"width": 4}',
        "Four convolutions (replace me).",
        "The weights may have another one: say so in the record's `licence`, which `padkit plugins show` prints.",
    ),
    "dataset": (
        "--data",
        "--data.image_size 96",
        '{"image_size": 32, "clips": 1}',
        "Rendered stripes, no real data (replace me).",
        "The data have their own: say in the record's `licence` where they are had, and ship none of them.",
    ),
}
# Written file: template.
FILES = {
    "pyproject.toml": "pyproject.toml.j2",
    "README.md": "README.md.j2",
    ".gitignore": "gitignore.j2",
    ".github/workflows/test.yaml": "workflow.yaml.j2",
    "{package}/__init__.py": "package.py.j2",
    "{package}/{role}.py": "{role}.py.j2",
    "tests/test_{package}.py": "test.py.j2",
}
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    parser = Parser(prog="padkit new", description="Write a distribution padkit-NAME with one component and its tests.")
    parser.add_argument("role", choices=tuple(ROLES), help="what the component is")
    parser.add_argument("name", help="what a user types: lower case letters, digits, - and _")
    parser.add_argument("--into", metavar="DIR", default=".", help="folder to write padkit-NAME into (here)")
    options = parser.parse_args(arguments)
    folder = write_distribution(options.role, options.name, Path(options.into))
    place = f"./{folder}" if not folder.is_absolute() else str(folder)
    print(f"{folder}: {options.role} {options.name!r}, ready to be replaced by yours. Next:")
    print(f"  pip install pytest -e {place}\n  pytest {folder}\n  {LAUNCH} {ROLES[options.role][0]} {options.name}")
    return 0


def write_distribution(role: str, name: str, parent: Path) -> Path:
    """Write `parent`/padkit-NAME, whole or not at all, and return it.

    Raises:
        SettingsError: The name is not valid, or the folder exists or cannot be written.
        PluginError: An installed component or package has the name.
    """
    if not _NAME.fullmatch(name) or name == "none" or name.startswith(("padkit-", "padkit_")):
        raise SettingsError(
            f"{name!r} is no name for a {role}; use a-z, 0-9 and single - or _, a letter first, without padkit-."
        )
    distribution, package = f"padkit-{name}", f"padkit_{name.replace('-', '_')}"
    folder = parent / distribution
    if folder.exists():
        raise SettingsError(f"{folder} exists already; choose another name or remove it.")
    for component in discover().components:
        if (component.role, component.spec.name) == (role, name):
            owner = component.plugin.distribution
            raise PluginError(f"{role} {name!r} is offered by {owner} already; choose another name.")
    if importlib.util.find_spec(package) is not None:
        raise PluginError(f"a package {package} is installed already; choose another name.")
    option, example, settings, summary, licence_hint = ROLES[role]
    words = {
        "role": role,
        "name": name,
        "distribution": distribution,
        "package": package,
        "class_name": "".join(word.capitalize() for word in re.split("[-_]", name)) + role.capitalize(),
        "settings": settings,
        "summary": summary,
        "licence_hint": licence_hint,
        "launch": f"{LAUNCH} {option} {name}",
        "option": example,
    }
    try:
        _write(folder, _rendered(words))
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror or error}); choose another folder."
        ) from error
    return folder


def _rendered(words: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file, by its path in the distribution."""
    templates = Environment(  # noqa: S701 - Python and TOML, no HTML
        loader=PackageLoader("padkit", "templates"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return {
        path.format(**words): templates.get_template(template.format(**words)).render(words)
        for path, template in FILES.items()
    }


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        made.chmod(0o755)
        for path, text in files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, encoding="utf-8")
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
