"""From a name to an object; whatever goes wrong names the component, its distribution and the remedy."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from padkit import roles
from padkit.alignment.joined import JoinedAligner
from padkit.catalog import BASES, Catalog, Chosen, members
from padkit.errors import PluginError, SettingsError
from padkit.plugins import ROLES, Component, Discovery, Plugin
from padkit.settings.describe import handed_parameters
from padkit.specs import (
    AlignerSpec,
    AugmentationSpec,
    CommandSpec,
    ComponentSpec,
    DatasetSpec,
    StudentSpec,
    TeacherSpec,
)

torch.set_num_threads(1)
OWNER = Plugin("mine", "mine", "padkit-mine", "1.2")


class Quiet(roles.Aligner):
    def __init__(self, n_domains: int, embedding_dim: int, *, volume: int = 3) -> None:
        super().__init__(n_domains, embedding_dim)
        self.volume = volume


def catalog(spec: ComponentSpec, role: str = "aligner", problem: str = "", *plugins: Plugin) -> Catalog:
    return Catalog(Discovery((OWNER, *plugins), (Component(role, spec, OWNER, problem),)))


def aligner(factory=Quiet, **more) -> AlignerSpec:
    return AlignerSpec(name="quiet", summary="nothing", factory=factory, **more)


def test_build():
    built = catalog(aligner()).build("aligner", "quiet", {"volume": 5}, 2, 64)
    assert (type(built), built.volume, built.n_domains, built.embedding_dim) == (Quiet, 5, 2, 64)
    built = catalog(aligner()).build_chosen(Chosen("aligner", "quiet"), 2, 64)
    assert built.volume == 3
    assert catalog(aligner()).build_chosen(None) is None


def test_a_lazy_nested_address(install):
    install("padkit-mine", "lazily", "class Outer:\n    class Inner:\n        pass\n")
    factory = catalog(aligner("lazily:Outer.Inner")).factory("aligner", "quiet")
    assert factory.__qualname__ == "Outer.Inner"


@pytest.mark.parametrize(
    ("role", "record", "text"),
    [
        ("teacher", TeacherSpec, "teacher 'quiet' of padkit-mine is a Linear, which is no padkit.roles.Teacher."),
        ("aligner", AlignerSpec, "aligner 'quiet' of padkit-mine is a Linear, which is no padkit.roles.Aligner."),
        ("student", StudentSpec, "student 'quiet' of padkit-mine is a Linear, which is no padkit.roles.Student."),
        (
            "dataset",
            DatasetSpec,
            "dataset 'quiet' of padkit-mine is a Linear, which is no padkit.data.reader.DatasetReader.",
        ),
        (
            "augmentation",
            AugmentationSpec,
            "augmentation 'quiet' of padkit-mine is a Linear, which is no padkit.data.augmentation.Augmentation.",
        ),
    ],
)
def test_a_component_of_the_wrong_class(role, record, text):
    spec = record(name="quiet", summary="", factory=lambda: nn.Linear(1, 1))
    with pytest.raises(PluginError) as caught:
        catalog(spec, role).build(role, "quiet", {})
    assert str(caught.value) == text


def test_every_role_but_a_command_has_a_base_class():
    assert BASES.keys() == ROLES.keys() - {"command"}


def test_a_command_that_is_no_function(install):
    install("padkit-mine", "lazily", "main = 3")
    spec = CommandSpec(name="quiet", summary="", factory="lazily:main")
    with pytest.raises(PluginError) as caught:
        catalog(spec, "command").factory("command", "quiet")
    assert str(caught.value) == "command 'quiet' of padkit-mine: lazily:main is not a function."


@pytest.mark.parametrize(
    ("source", "attribute", "extra", "text"),
    [
        (
            "import nothing_here",
            "C",
            "fancy",
            "ModuleNotFoundError: No module named 'nothing_here'; pip install 'fancy'.",
        ),
        (
            "import nothing_here",
            "C",
            "",
            "ModuleNotFoundError: No module named 'nothing_here'; report it to the authors of padkit-mine.",
        ),
        ("1 / 0", "C", "fancy", "ZeroDivisionError: division by zero; report it to the authors of padkit-mine."),
        ("raise SystemExit(3)", "C", "", "SystemExit: 3; report it to the authors of padkit-mine."),
        (
            "",
            "C",
            "fancy",
            "AttributeError: module 'lazily' has no attribute 'C'; report it to the authors of padkit-mine.",
        ),
        ("C = 3", "C", "", "lazily:C is not a class."),
    ],
)
def test_an_import_that_fails_when_asked(install, source, attribute, extra, text):
    install("padkit-mine", "lazily", source)
    with pytest.raises(PluginError) as caught:
        catalog(aligner(f"lazily:{attribute}", extra=extra)).factory("aligner", "quiet")
    assert str(caught.value) == f"aligner 'quiet' of padkit-mine: {text}"


def test_an_unknown_name_shows_the_closest():
    with pytest.raises(PluginError) as caught:
        Catalog().factory("aligner", "dta")
    assert str(caught.value) == (
        "unknown aligner 'dta'. Did you mean 'dat'? Known: crossgrad, daa, dat, ddaig, mixstyle, noise, ssdg."
    )


@pytest.mark.parametrize(
    ("role", "name", "found"),
    [
        ("aligner", "daa", {"": "daa"}),
        ("aligner", "daa+mixstyle", {"daa": "daa", "mixstyle": "mixstyle"}),
        ("aligner", "my-own+b+a", {"my_own": "my-own", "b": "b", "a": "a"}),
        ("teacher", "a+b", {"": "a+b"}),
    ],
)
def test_members_of_a_name(role, name, found):
    assert members(role, name) == found
    assert list(members(role, name)) == list(found)


@pytest.mark.parametrize("name", ["a+a", "a+b+a", "a-b+a_b", "a+", "+a", "a++b", "a+none", "+"])
def test_names_that_cannot_be_joined(name):
    with pytest.raises(SettingsError, match=r"aligner '.+' (names|joins) .*; (name each once|write names only)\."):
        members("aligner", name)


def test_joined_names_are_built_as_one():
    built = Catalog().build("aligner", "dat+ssdg", {"ssdg": {"margin": 0.3}}, 2, 64)
    assert isinstance(built, JoinedAligner)
    assert [type(member).__name__ for member in built.members] == [
        "DomainAdversarialTraining",
        "SingleSideGeneralisation",
    ]
    assert built.members[1].margin == 0.3
    assert Catalog().factory("aligner", "dat+mixstyle").min_domains == 2
    assert Catalog().factory("aligner", "mixstyle").min_domains == 1
    with pytest.raises(PluginError, match=r"unknown aligner 'mixstile'. Did you mean 'mixstyle'"):
        Catalog().build("aligner", "dat+mixstile", {}, 2, 64)


def test_a_component_of_another_role():
    with pytest.raises(PluginError) as caught:
        Catalog().factory("aligner", "arcface")
    assert str(caught.value) == "unknown aligner 'arcface'. 'arcface' is a teacher."


def test_a_component_with_a_problem():
    with pytest.raises(PluginError) as caught:
        catalog(aligner(), "aligner", "module x is not installed").factory("aligner", "quiet")
    assert str(caught.value) == "aligner 'quiet' of padkit-mine is not usable: module x is not installed."


def test_unknown_names_mention_plugins_that_did_not_load():
    broken = Plugin("broken", "broken", "padkit-broken", "0.1", "ImportError: no x")
    made = catalog(aligner(), "aligner", "", broken)
    with pytest.raises(PluginError, match=r"Plugins not loaded: broken; see `padkit plugins`\.$"):
        made.factory("aligner", "other")
    for name in ("broken", "padkit-broken"):
        with pytest.raises(PluginError, match=r"plugin broken of padkit-broken: ImportError: no x\.$"):
            made.factory("aligner", name)


def built_in() -> list[tuple[str, str]]:
    return [(c.role, c.spec.name) for c in Catalog().discovery.components if c.plugin.distribution == "padkit"]


@pytest.mark.parametrize(("role", "name"), built_in())
def test_settings_of_the_built_in_components_are_typed_and_described(role, name):
    factory = Catalog().factory(role, name)
    settings = set(inspect.signature(factory).parameters) - handed_parameters(factory)
    described = inspect.getdoc(factory) or ""
    for setting in settings:
        parameter = inspect.signature(factory).parameters[setting]
        assert parameter.annotation is not parameter.empty, f"{setting} has no type"
        assert f"\n    {setting}: " in described, f"{setting} is not described in the class's docstring"


def test_there_are_built_in_components():
    assert len(built_in()) >= 11
