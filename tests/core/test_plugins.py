"""Discovery: installed-looking distributions, good and bad; a bad one is a row, never a crash."""

from __future__ import annotations

import sys

import pytest

from padkit import hookspecs
from padkit.catalog import Catalog
from padkit.errors import PluginError
from padkit.plugins import ROLES, Component, Discovery, Plugin, discover

GOOD = """
    from padkit.hookspecs import hookimpl
    from padkit.specs import AlignerSpec

    @hookimpl
    def padkit_aligners():
        return [AlignerSpec(name="{name}", summary="nothing", factory="{factory}")]
"""
BUILT_IN = {
    "arcface",
    "clip",
    "crossgrad",
    "daa",
    "dat",
    "ddaig",
    "folder",
    "mixstyle",
    "noise",
    "ocim",
    "public",
    "ssdg",
    "stargan",
    "synthetic",
    "timm",
}


def good(name: str = "mine", factory: str = "builtins:dict") -> str:
    return GOOD.format(name=name, factory=factory)


def plugin(found: Discovery, name: str, distribution: str) -> Plugin:
    chosen = [p for p in found.plugins if (p.name, p.distribution) == (name, distribution)]
    assert len(chosen) == 1
    return chosen[0]


def components(found: Discovery, name: str) -> list[Component]:
    chosen = [c for c in found.components if c.spec.name == name]
    assert chosen
    return chosen


def test_the_built_in_plugins_load():
    found = discover()
    ours = [p for p in found.plugins if p.distribution == "padkit"]
    assert {p.name for p in ours} >= BUILT_IN
    assert [p for p in ours if p.problem] == []
    mine = [c for c in found.components if c.plugin in ours]
    assert {c.role for c in mine} == set(ROLES)
    assert [c for c in mine if c.problem] == []


def test_a_third_party_is_a_plugin_like_ours(install):
    install("padkit-mine", "mine", good())
    found = discover()
    assert plugin(found, "mine", "padkit-mine") == Plugin("mine", "mine", "padkit-mine", "1.2")
    (component,) = components(found, "mine")
    assert (component.role, component.problem, component.plugin.version) == ("aligner", "", "1.2")
    assert Catalog(found).factory("aligner", "mine") is dict


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise RuntimeError('no licence\\nsecond line')", "RuntimeError: no licence"),
        ("raise RuntimeError", "RuntimeError"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def broken(:", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("x = 1", "offers nothing: no function marked @hookimpl returned a record"),
        (
            "from padkit.hookspecs import hookimpl\n@hookimpl\ndef padkit_teacher(): return []",
            (
                "unknown hook 'padkit_teacher'. Did you mean 'padkit_teachers'? "
                "Known: padkit_aligners, padkit_augmentations, padkit_commands, padkit_datasets, padkit_models, "
                "padkit_peers, padkit_students, padkit_teachers."
            ),
        ),
        (
            "from padkit.hookspecs import hookimpl\n@hookimpl\ndef padkit_teachers(): return ['arcface']",
            "padkit_teachers() must return TeacherSpec records, not 'arcface'",
        ),
        (
            "from padkit.hookspecs import hookimpl\n@hookimpl\ndef padkit_teachers(): return 'arcface'",
            "padkit_teachers() must return a list of TeacherSpec, not 'arcface'",
        ),
        (
            "from padkit.hookspecs import hookimpl\n@hookimpl\ndef padkit_aligners(): raise OSError('disk')",
            "OSError: disk",
        ),
        (
            "from padkit.hookspecs import hookimpl\n@hookimpl\ndef padkit_aligners(torch): return []",
            "PluginValidationError: Plugin 'bad' for hook 'padkit_aligners'",
        ),
        (good("None"), "padkit_aligners() offers the name 'None'; use a-z, 0-9, - and _, not 'none'"),
        (good("none"), "padkit_aligners() offers the name 'none'; use a-z, 0-9, - and _, not 'none'"),
        (good("a b"), "padkit_aligners() offers the name 'a b'; use a-z, 0-9, - and _, not 'none'"),
        (
            good().replace('"builtins:dict"', "None"),
            "padkit_aligners() gives 'mine' the factory None, not a class or its address",
        ),
    ],
)
def test_a_broken_plugin_is_a_row_with_its_reason(install, source, reason):
    install("padkit-bad", "bad", source)
    found = discover()
    assert plugin(found, "bad", "padkit-bad").problem == reason
    assert [c for c in found.components if c.plugin.distribution == "padkit-bad"] == []
    assert "daa" in Catalog(found).names("aligner"), "a broken plugin takes the others with it"


def test_a_record_of_another_role_is_refused(install):
    install("padkit-bad", "bad", good().replace("padkit_aligners", "padkit_datasets"))
    problem = plugin(discover(), "bad", "padkit-bad").problem
    assert problem.startswith("padkit_datasets() must return DatasetSpec records, not AlignerSpec(")


def test_an_interrupt_is_no_problem_of_the_plugin(install):
    install("padkit-bad", "bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover()


def test_a_clash_with_a_built_in_refuses_both_and_names_the_remedy(install, monkeypatch):
    install("padkit-evil", "evil", good("daa"))
    found = discover()
    both = components(found, "daa")
    assert {c.plugin.distribution for c in both} == {"padkit", "padkit-evil"}
    text = (
        "name offered by padkit:daa and by padkit-evil:evil; uninstall one or put one of these in PADKIT_PLUGINS_DENY"
    )
    assert {c.problem for c in both} == {text}
    assert "daa" not in Catalog(found).names("aligner")
    assert "dat" in Catalog(found).names("aligner")
    with pytest.raises(PluginError, match="padkit:daa and by padkit-evil:evil"):
        Catalog(found).factory("aligner", "daa")

    for remedy, winner in (("padkit:daa", "padkit-evil"), ("padkit-evil:evil", "padkit")):
        monkeypatch.setenv("PADKIT_PLUGINS_DENY", remedy)
        (left,) = components(discover(), "daa")
        assert (left.plugin.distribution, left.problem) == (winner, "")


def test_a_clash_of_equal_entry_point_names_can_be_denied_by_address(install, monkeypatch):
    install("padkit-evil", "daa", good("daa"), module="evil_daa")
    assert len(components(discover(), "daa")) == 2
    monkeypatch.setenv("PADKIT_PLUGINS_DENY", "padkit-evil:daa")
    (left,) = components(discover(), "daa")
    assert left.plugin.distribution == "padkit"


def test_two_third_parties_clash(install):
    install("padkit-one", "one", good())
    install("padkit-two", "two", good())
    found = discover()
    assert {c.problem.partition(";")[0] for c in components(found, "mine")} == {
        "name offered by padkit-one:one and by padkit-two:two"
    }
    with pytest.raises(PluginError, match="'mine' of padkit-one is not usable: name offered by padkit-one:one and by"):
        Catalog(found).component("aligner", "mine")


def test_equal_names_in_different_roles_do_not_clash(install):
    install("padkit-mine", "mine", good("arcface"))
    assert [c.problem for c in components(discover(), "arcface")] == ["", ""]


def test_one_plugin_that_offers_a_name_twice(install):
    source = good().replace("return [", "return 2 * [")
    install("padkit-mine", "mine", source)
    problems = {c.problem for c in components(discover(), "mine")}
    assert problems == {"name offered 2 times by padkit-mine:mine; report it to its authors"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PADKIT_PLUGINS_DENY", "loud"),
        ("PADKIT_PLUGINS_DENY", "padkit-loud"),
        ("PADKIT_PLUGINS_DENY", " other , Padkit_Loud "),
        ("PADKIT_PLUGINS_DENY", "padkit-loud:loud"),
        ("PADKIT_PLUGINS_ALLOW", "padkit"),
        ("PADKIT_PLUGINS_ALLOW", "daa, arcface"),
    ],
)
def test_what_is_denied_or_not_allowed_is_not_imported(install, monkeypatch, tmp_path, variable, value):
    trace = tmp_path / "trace"
    source = f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n"
    install("padkit-loud", "loud", source)
    discover()
    assert trace.exists(), "the plugin does not tell that it was imported"
    trace.unlink()
    sys.modules.pop("loud")

    monkeypatch.setenv(variable, value)
    found = discover()
    assert not trace.exists()
    word = "denied" if variable.endswith("DENY") else "not allowed"
    assert plugin(found, "loud", "padkit-loud").problem == f"{word} by {variable}"
    assert "daa" in Catalog(found).names("aligner")


def test_only_what_is_allowed_loads(install, monkeypatch):
    install("padkit-mine", "mine", good())
    monkeypatch.setenv("PADKIT_PLUGINS_ALLOW", "padkit-mine,dat")
    found = discover()
    assert Catalog(found).names("aligner") == ["dat", "mine"]
    assert {p.name for p in found.plugins if not p.problem} == {"dat", "mine"}


def test_deny_beats_allow(monkeypatch):
    monkeypatch.setenv("PADKIT_PLUGINS_ALLOW", "padkit")
    monkeypatch.setenv("PADKIT_PLUGINS_DENY", "daa")
    assert "daa" not in (names := Catalog().names("aligner"))
    assert "dat" in names


def test_a_lazy_factory_is_looked_up_without_importing_it(install):
    install("padkit-lazy", "lazy", good(factory="lazy_package.inner:Thing"))
    site = install("padkit-other", "other", good("other"))
    (site / "lazy_package").mkdir()
    (site / "lazy_package" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    found = discover()
    (component,) = components(found, "mine")
    assert component.problem == "", "only asking for it can tell"
    assert "lazy_package" not in sys.modules
    with pytest.raises(PluginError, match="RuntimeError: imported; report it to the authors of padkit-lazy"):
        Catalog(found).factory("aligner", "mine")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("nothing_here:Thing", "module nothing_here is not installed; reinstall the plugin"),
        ("mine.nothing_here:Thing", "module mine.nothing_here is not installed; reinstall the plugin"),
        ("nothing_here", "factory 'nothing_here' is not of the form 'module:Class'"),
        ("nothing_here:", "factory 'nothing_here:' is not of the form 'module:Class'"),
        (".nothing:Thing", "factory '.nothing:Thing' is not of the form 'module:Class'"),
    ],
)
def test_a_factory_that_cannot_be_there_is_marked(install, factory, problem):
    install("padkit-mine", "mine", good(factory=factory))
    (component,) = components(discover(), "mine")
    assert component.problem == problem


def test_a_missing_module_names_the_extra(install):
    install(
        "padkit-mine", "mine", good(factory="nothing_here:Thing").replace("summary=", "extra='fancy[gpu]', summary=")
    )
    found = discover()
    (component,) = components(found, "mine")
    assert component.problem == "module nothing_here is not installed; pip install 'fancy[gpu]'"
    with pytest.raises(
        PluginError, match=r"aligner 'mine' of padkit-mine is not usable: .* pip install 'fancy\[gpu\]'\."
    ):
        Catalog(found).factory("aligner", "mine")


def test_a_plugin_may_implement_every_hook(install):
    hooks = [
        f"@hookimpl\ndef {hook}():\n    return [specs.{record.__name__}(name='every', summary='', factory=dict)]\n"
        for hook, record in ROLES.values()
    ]
    assert len(hooks) == 8
    source = "from padkit import specs\nfrom padkit.hookspecs import hookimpl\n" + "".join(hooks)
    install("padkit-every", "every", source)
    assert sorted(c.role for c in components(discover(), "every")) == sorted(ROLES)


def test_a_plugin_may_be_an_object(install):
    source = """
        from padkit.hookspecs import hookimpl
        from padkit.specs import StudentSpec

        class Plugin:
            @hookimpl
            def padkit_students(self):
                return [StudentSpec(name="mine", summary="", factory=dict)]

        plugin = Plugin()
    """
    site = install("padkit-mine", "mine", source)
    (site / "padkit_mine-1.2.dist-info" / "entry_points.txt").write_text("[padkit]\nmine = mine:plugin\n")
    assert [c.role for c in components(discover(), "mine")] == ["student"]


def test_a_damaged_distribution_is_a_row(install):
    site = install("padkit-mine", "mine", good())
    (site / "padkit_mine-1.2.dist-info" / "METADATA").unlink()
    found = discover()
    assert [p.distribution for p in found.plugins if p.name == "mine"] == ["unknown"]


def test_every_role_has_a_hook_and_every_hook_a_role():
    specified = {name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.GROUP}_spec")}
    assert specified == {hook for hook, _ in ROLES.values()}
