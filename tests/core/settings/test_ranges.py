"""Ranges: what they contain and say, and that every numeric option of padkit declares one and is held to it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import sys
from collections.abc import Iterator
from typing import Annotated, Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from recipe_modules import recipe_module

from padkit import cli
from padkit.catalog import Catalog
from padkit.commands import parser as parsers
from padkit.commands.parser import Number, Parser
from padkit.commands.prepare import Output
from padkit.commands.teachers import Options as TeacherCheck
from padkit.data.preparation.options import CropOptions
from padkit.errors import SettingsError
from padkit.plugins import OWN_COMMANDS
from padkit.settings import Slot, ranges, read_settings
from padkit.settings.commands import read_options
from padkit.settings.describe import add_settings
from padkit.settings.ranges import Count, Range, ShareBelowOne, alternatives, bare, range_of
from padkit.training import TeacherOptions

COMPONENT_ROLES = ("dataset", "teacher", "aligner", "student", "augmentation")
REQUIRED = ("root", "file", "model", "out", "path", "folders")
ANY_REAL = {f"dataset {reader} bona_fide" for reader in ("folder", "huggingface", "manifest")}  # names of labels


@pytest.mark.parametrize(
    ("limits", "inside", "without", "words"),
    [
        (Range(1), [1, 7, 10**9], [0, -1, 0.5], ">= 1"),
        (Range(0, open="left"), [1e-30, 5], [0, -1e-30], "> 0"),
        (Range(0, 1, open="right"), [0, 0.999], [1, -0.1], "in [0, 1)"),
        (Range(0, 1, open="left"), [1e-9, 1], [0, 1.1], "in (0, 1]"),
        (Range(0, 1, open="both"), [0.5], [0, 1], "in (0, 1)"),
        (Range(64, 256, multiple=16), [64, 80, 256], [65, 48, 272], "in [64, 256], a multiple of 16"),
        (Range(high=3), [-5, 3], [4], "<= 3"),
        (Range(), [-5, 0, 1e300], [], "finite"),
    ],
)
def test_a_range_contains_what_it_says(limits, inside, without, words):
    assert str(limits) == words
    assert all(value in limits for value in inside)
    assert not any(value in limits for value in without)
    assert not any(value in limits for value in (math.inf, -math.inf, math.nan))


def numeric(hint: Any) -> bool:
    """Whether a type admits a number."""
    return any(
        option in (int, float) or any(map(numeric, getattr(option, "__args__", ())))
        for option in map(bare, alternatives(hint))
    )


def owners() -> dict[str, Any]:
    """Every class or function whose keyword-only parameters are options, by name."""
    catalog = Catalog()
    found = {f"{role} {name}": catalog.factory(role, name) for role in COMPONENT_ROLES for name in catalog.names(role)}
    own = {"prepare output": Output, "prepare choices": CropOptions, "teachers check": TeacherCheck}
    return found | own | {"teacher options": TeacherOptions}


OWNERS = owners()
RECIPES = ("dtda", "pretrain_arcface", "pretrain_experimental", "pretrain_stargan")
NAMES = [*OWNERS, *RECIPES]


@contextlib.contextmanager
def opened(name: str) -> Iterator[Any]:
    """The class of that name; a recipe's is known to Python within the block alone."""
    if name not in RECIPES:
        yield OWNERS[name]
        return
    with recipe_module(name) as module:
        yield module.Options


def options_of(factory: Any) -> dict[str, tuple[Any, Any]]:
    """Name -> type and default."""
    parser = ArgumentParser(exit_on_error=False)
    hints = add_settings(parser.add_argument_group("settings"), "it", factory)
    return {a.dest.removeprefix("it."): (hints[a.dest], a.default) for a in parser._actions if a.dest in hints}


def test_the_walk_sees_the_options():
    assert len(OWNERS) > 35
    assert sum(numeric(hint) for factory in OWNERS.values() for hint, _ in options_of(factory).values()) > 70


@pytest.mark.parametrize("owner", NAMES)
def test_every_numeric_option_declares_its_range(owner):
    with opened(owner) as factory:
        options = options_of(factory)
    for name, (hint, default) in options.items():
        if numeric(hint) and f"{owner} {name}" not in ANY_REAL:
            assert range_of(hint) is not None, f"{owner}: {name} declares no range: Annotated[..., Range(...)]"
            values = default if isinstance(default, list) else [default]
            assert all(value is None or value in range_of(hint) for value in values), f"{owner}: default of {name}"


def beyond(limits: Range) -> list[float]:
    """Numbers just out of a range."""
    step = limits.multiple
    low = [] if math.isinf(limits.low) else [limits.low - step] + [limits.low] * (limits.open in ("left", "both"))
    high = [] if math.isinf(limits.high) else [limits.high + step] + [limits.high] * (limits.open in ("right", "both"))
    return [*low, *high, *([limits.low + 1] if step > 1 else [])]


@pytest.mark.parametrize("owner", NAMES)
def test_an_option_out_of_its_range_is_one_line_that_names_both(owner):
    with opened(owner) as factory:
        options = options_of(factory)
        needed = [f"--{name}=it" for name in options if name in REQUIRED]
        for name, (hint, _) in options.items():
            limits, whole = range_of(hint), int in map(bare, alternatives(hint))
            for value in beyond(limits) if limits else ():
                words = [*needed, f"--{name}={int(value) if whole else value}"]
                with pytest.raises(SettingsError) as caught:
                    read_options({owner: factory}, words, "padkit it")
                assert f"setting {name!r}: expected " in str(caught.value)
                assert str(limits) in str(caught.value)
                assert "\n" not in str(caught.value)


COMMANDS = [*(name for name in OWN_COMMANDS), *Catalog().names("command"), "ablation.py"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_number_of_a_plain_command_is_a_number_with_a_range(command, monkeypatch):
    made: list[Parser] = []
    build = Parser.__init__
    monkeypatch.setattr(Parser, "__init__", lambda self, *a, **k: (made.append(self), build(self, *a, **k))[1])
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--help"])
    printed = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(printed):
        if command == "ablation.py":
            with recipe_module("ablation") as module:
                module.main()
        cli.run([command, "--help"])
    assert printed.getvalue()
    for parser in made:
        for action in parser._actions:
            limited = action.choices is not None or action.type not in (int, float)
            assert limited, f"{command} {action.option_strings}: use type=Number(...)"
            if isinstance(action.type, Number):
                limits = range_of(action.type.hint)
                assert str(limits) in " ".join(printed.getvalue().split())
                with pytest.raises(SettingsError, match=r"expected (int|float) "):
                    parser.parse_args([action.option_strings[-1], str(int(beyond(limits)[0]))])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Three:
    """Three numbers.

    Args:
        steps: How many.
        share: How much.
        maps: Which.
    """

    steps: Count | None = None
    share: ShareBelowOne = 0.5
    maps: list[Count] | None = None


@pytest.mark.parametrize(
    "words",
    [["--steps", "0"], ["--steps", "-1"], ["--steps", "1.5"], ["--share", "1"], ["--share", "inf"], ["--share", "5/4"],
     ["--share", "nan"], ["--maps", "1,0"], ["--maps", "[2,-1]"]],
)  # fmt: skip
def test_recipes_refuse_what_is_out_of_range(words):
    with pytest.raises(SettingsError, match=f"setting '{words[0][2:]}': expected "):
        read_settings(Three, {}, words, Catalog())


def test_ranges_hold_for_yaml_and_for_components_and_teachers(tmp_path):
    slots = {"aligner": Slot("aligner", "daa"), "teachers": Slot("teacher", {"fr": "arcface"}, TeacherOptions)}
    (tmp_path / "it.yaml").write_text("steps: 0\n")
    for words in (
        ["--config", str(tmp_path / "it.yaml")],
        ["--aligner.epsilon", "2"],
        ["--aligner", "daa+mixstyle", "--aligner.mixstyle.alpha", "0"],
        ["--teachers.fr.loss_weight", "-1"],
    ):
        with pytest.raises(SettingsError, match=r"expected .*(>|in)"):
            read_settings(Three, slots, words, Catalog())


def test_values_in_range_are_read_as_plain_numbers():
    found = read_settings(Three, {}, ["--steps", "3", "--share", "1/4", "--maps", "1,2"], Catalog())
    assert found.recipe == Three(steps=3, share=0.25, maps=[1, 2])
    assert type(found.recipe.steps) is int


def test_the_help_states_the_range(capsys):
    with pytest.raises(SystemExit):
        read_settings(Three, {}, ["--help"], Catalog())
    text = " ".join(capsys.readouterr().out.split())
    assert "How much. Must be in [0, 1)." in text
    assert "Which. Must be >= 1." in text


@settings(max_examples=50)
@given(st.text(max_size=12))
def test_a_number_is_read_or_refused_never_anything_else(text):
    with contextlib.suppress(parsers.argparse.ArgumentTypeError):
        assert Number(Annotated[float, Range(0, 1)])(text) in Range(0, 1)


def test_seeds_fit_every_generator():
    import numpy as np

    highest = int(range_of(ranges.Seed).high)
    np.random.RandomState(highest)
    with mock.patch("sys.argv", ["x"]), pytest.raises(ValueError, match="Seed"):
        np.random.RandomState(highest + 1)
