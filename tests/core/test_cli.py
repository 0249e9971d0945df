"""The `padkit` command, in a process of its own: what it prints, and what it must not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from padkit.catalog import Catalog

HEAVY = ["torch", "numpy", "jsonargparse", "rich", "yaml", "accelerate", "timm"]
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


def padkit(*argv: str, path: object = "", **variables: str) -> tuple[int, str, list[str]]:
    """Run the command; return its status, its output and the modules it left loaded."""
    environment = os.environ | {"PYTHONPATH": str(path)} | variables
    command = [sys.executable, "-c", WATCHED, *argv]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=60)
    status, modules = json.loads(done.stderr)
    return status, done.stdout, modules


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
    assert "plugins" in text
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


def test_an_unknown_command_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "plugin"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "invalid choice: 'plugin'" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])[0] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_a_closed_pipe_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    command = [
        sys.executable,
        "-c",
        "import sys; from padkit.cli import main; sys.argv[1:] = ['plugins']; sys.exit(main())",
    ]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
