"""The `padkit` command, in a process of its own: what it prints, and what it must not import."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from padkit.catalog import Catalog
from padkit.plugins import OWN_COMMANDS

COMMANDS = ", ".join(sorted([*OWN_COMMANDS, "simulate", "world"]))
HEAVY = ["torch", "numpy", "jsonargparse", "rich", "yaml", "accelerate", "timm", "open_clip", "insightface", "onnx"]
WATCHED = """
import json, sys
from padkit.cli import main
sys.argv = ["padkit", *sys.argv[1:]]
try:
    status = main()
except SystemExit as end:
    status = end.code
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


def searched(path: object) -> str:
    """Return the module search path: `path` before what this process was given."""
    return os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH", "")]))


def padkit(*argv: str, path: object = "", **variables: str) -> tuple[int, str, list[str]]:
    """Run the command; return its status, its output and the modules it left loaded."""
    environment = os.environ | {"PYTHONPATH": searched(path)} | variables
    command = [sys.executable, "-c", WATCHED, *argv]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    status, modules = json.loads(done.stderr)
    return status, done.stdout, modules


def error(*argv: str, path: object = "") -> str:
    """Run the command; return the one line of its error."""
    environment = os.environ | {"PYTHONPATH": searched(path)}
    command = [sys.executable, "-c", WATCHED, *argv]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    line, state = done.stderr.splitlines()
    assert json.loads(state)[0] == 2
    return line


def joined(text: str) -> str:
    """Undo the wrapping of a help text."""
    return re.sub(r"\n {8,}", " ", text)


def rows(text: str) -> list[list[str]]:
    heads, *lines = text.splitlines()
    assert heads.split() == ["role", "name", "distribution", "version", "status"]
    starts = [heads.index(head) for head in heads.split()]
    return [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]


def test_plugins_lists_every_component_and_imports_nothing_heavy():
    status, text, modules = padkit("plugins")
    assert status == 0
    expected = {(c.role, c.spec.name, c.plugin.distribution, c.plugin.version) for c in Catalog().discovery.components}
    assert len(expected) >= 11
    found = rows(text)
    assert {tuple(row[:4]) for row in found} == expected
    assert {row[4][:4] for row in found} == {"ok: "}
    assert {row[3] for row in found if row[2] == "padkit"} == {version("padkit")}
    assert "padkit.plugins" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_help_imports_nothing_heavy():
    status, text, modules = padkit("--help")
    assert status == 0
    assert "list every component" in text
    assert re.search(r"^ +simulate +make simulated print and replay attacks .*\(padkit\)$", joined(text), re.MULTILINE)
    assert [name for name in HEAVY if name in modules] == []


def test_without_a_command_there_is_help():
    status, text, _ = padkit()
    assert (status, text.startswith("usage: padkit")) == (0, True)


def test_version():
    assert padkit("--version")[:2] == (0, f"padkit {version('padkit')}\n")


def test_one_role():
    _, text, _ = padkit("plugins", "--role", "aligner")
    assert {row[0] for row in rows(text)} == {"aligner"}


def test_a_broken_plugin_is_shown_with_its_reason(install):
    site = install("padkit-bad", "bad", "raise RuntimeError('no licence')")
    status, text, _ = padkit("plugins", path=site)
    assert status == 0
    assert ["plugin", "bad", "padkit-bad", "1.2", "RuntimeError: no licence"] in rows(text)
    assert "daa" in {row[1] for row in rows(text)}


def test_a_denied_plugin_is_shown(install):
    site = install("padkit-bad", "bad", "raise RuntimeError('imported')")
    _, text, modules = padkit("plugins", path=site, PADKIT_PLUGINS_DENY="bad")
    assert ["plugin", "bad", "padkit-bad", "1.2", "denied by PADKIT_PLUGINS_DENY"] in rows(text)
    assert "bad" not in modules


def test_a_clash_is_shown_on_both_rows(install):
    source = """
        from padkit.hookspecs import hookimpl
        from padkit.specs import AlignerSpec

        @hookimpl
        def padkit_aligners():
            return [AlignerSpec(name="daa", summary="two\\nlines", factory=dict)]
    """
    site = install("padkit-evil", "evil", source)
    _, text, _ = padkit("plugins", path=site)
    clashing = [row for row in rows(text) if row[1] == "daa"]
    assert {row[2] for row in clashing} == {"padkit", "padkit-evil"}
    assert all("padkit:daa and by padkit-evil:evil" in row[4] for row in clashing)


def test_a_summary_stays_in_its_row(install):
    source = """
        from padkit.hookspecs import hookimpl
        from padkit.specs import AlignerSpec

        @hookimpl
        def padkit_aligners():
            return [AlignerSpec(name="mine", summary="two\\n  lines", factory=dict)]
    """
    _, text, _ = padkit("plugins", path=install("padkit-mine", "mine", source))
    assert ["aligner", "mine", "padkit-mine", "1.2", "ok: two lines"] in rows(text)


COMMAND = """
    from padkit.hookspecs import hookimpl
    from padkit.specs import CommandSpec

    @hookimpl
    def padkit_commands():
        return [CommandSpec(name="{name}", summary="100% of\\n  it", factory="greeting:main")]
"""
GREETING = """
from padkit.errors import DataError

def main(arguments):
    print("greeting", *arguments)
    if "fail" in arguments:
        raise DataError("nobody to greet; bring a friend.")
    return {"three": 3, "nothing": None}.get(arguments[0], 0)
"""


def commanding(install, name: str = "greet") -> object:
    site = install("padkit-greet", "greetings", COMMAND.format(name=name))
    (site / "greeting.py").write_text(GREETING)
    return site


def test_a_plugins_command_is_in_the_help_and_not_imported(install):
    _, text, modules = padkit("--help", path=commanding(install))
    assert re.search(r"^ +greet +100% of it \(padkit-greet\)$", text, re.MULTILINE)
    assert "greeting" not in modules


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["three", "--role", "x"], 3), (["nothing"], 0), (["fail"], 2)]
)
def test_a_plugins_command_gets_its_words_and_gives_its_status(install, words, status):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from padkit.cli import main; sys.exit(main())", "greet", *words],
        capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": searched(commanding(install))},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (status, f"greeting {' '.join(words)}\n")
    assert done.stderr == ("error: nobody to greet; bring a friend.\n" if status == 2 else "")


def test_commands_are_listed_and_clashes_are_problems(install):
    site = commanding(install)
    assert ["command", "greet", "padkit-greet", "1.2", "ok: 100% of it"] in rows(padkit("plugins", path=site)[1])
    install("padkit-rude", "rude", COMMAND.format(name="greet"))
    _, text, _ = padkit("plugins", "--role", "command", path=site)
    clashing = [row[4] for row in rows(text) if row[1] == "greet"]
    assert len(clashing) == 2
    assert all("padkit-greet:greetings and by padkit-rude:rude" in status for status in clashing)
    assert "greet" not in padkit("--help", path=site)[1]
    assert error("greet", path=site).startswith("error: command 'greet' of padkit-greet is not usable: name offered by")


def test_a_command_of_padkit_cannot_be_taken(install):
    site = commanding(install, "plugins")
    status, text, _ = padkit("plugins", path=site)
    assert status == 0
    (row,) = [row for row in rows(text) if row[:2] == ["command", "plugins"]]
    assert row[4] == "padkit itself has a command of this name; report it to the authors of padkit-greet:greetings"


def test_a_broken_plugin_does_not_break_the_help(install):
    status, text, _ = padkit("--help", path=install("padkit-bad", "bad", "raise RuntimeError('no licence')"))
    assert (status, "simulate" in text) == (0, True)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("plugin", f"error: unknown command 'plugin'. Did you mean 'plugins'? Known: {COMMANDS}."),
        ("simulat", f"error: unknown command 'simulat'. Did you mean 'simulate'? Known: {COMMANDS}."),
        ("daa", "error: unknown command 'daa'. 'daa' is an aligner."),
    ],
)
def test_an_unknown_command_is_refused(word, line):
    assert error(word) == line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data"], "error: the following arguments are required: DIR|NAME; see padkit data --help."),
        (
            ["data", "x", "--columns", "many"],
            "error: argument --columns: expected int >= 1, got 'many'; see padkit data",
        ),
        (["plugins", "shw"], "error: argument show NAME: invalid choice: 'shw'"),
        (["plugins", "--role", "techer"], "error: argument --role: invalid choice: 'techer'"),
        (["plugins", "show"], "error: the following arguments are required: name; see padkit plugins show --help."),
        (["new", "techer", "mine"], "error: argument role: invalid choice: 'techer'"),
        (["new", "teacher"], "error: the following arguments are required: name; see padkit new --help."),
        (["--vershon"], "error: unrecognized arguments: --vershon; see padkit --help."),
    ],
)
def test_a_mistake_is_one_line(words, line):
    assert error(*words).startswith(line)


def test_the_simulation_shows_its_own_help_without_torch():
    status, text, modules = padkit("simulate", "--help")
    assert (status, text.startswith("usage: padkit simulate")) == (0, True)
    assert "torch" not in modules


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_a_closed_pipe_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    command = [
        sys.executable,
        "-c",
        "import sys; from padkit.cli import main; sys.argv[1:] = ['plugins']; sys.exit(main())",
    ]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=600)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
