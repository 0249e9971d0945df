"""Settings: every way of writing one, the round trip through YAML, and the one line every mistake earns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from padkit.catalog import Catalog
from padkit.errors import PluginError, SettingsError
from padkit.plugins import Component, Discovery, Plugin
from padkit.settings import Slot, read_settings
from padkit.specs import AlignerSpec, DatasetSpec, StudentSpec, TeacherSpec


@dataclass(frozen=True, slots=True)
class Options:
    """Train something.

    More of it.

    Args:
        target: Domain to test on.
        sources: Domains to train on.
        max_steps: Steps to stop after.
        batch_size: Frames a step.
        lr: Learning rate.
        optimizer: Optimiser.
        strict: Whether to be strict.
        policy: Any text.
        sizes: Some sizes.
    """

    target: str | None = None
    sources: list[str] | None = None
    max_steps: int | None = None
    batch_size: int = 48
    lr: float = 1e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    strict: bool = False
    policy: str = "source-dev"
    sizes: list[int] | None = None

    former: ClassVar[dict[str, str]] = {"rate": "--lr RATE"}


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """How a teacher takes part.

    Args:
        loss_weight: Weight of its loss.
    """

    loss_weight: float = 1.0


class Attack:
    """An attack.

    Args:
        epsilon: Largest change.
        steps: Steps.
        attacked_share: Share attacked.
    """

    def __init__(self, n: int, dim: int, *, epsilon: float = 0.1, steps: int = 3, attacked_share: float = 1.0) -> None:
        pass


class Reversal:
    """A reversal.

    Args:
        weight: Weight of its loss.
        epsilon: Something else of the same name.
    """

    def __init__(self, n: int, dim: int, *, weight: float | None = 0.1, epsilon: str = "none") -> None:
        pass


class Inheriting(Attack):
    """Inherits the constructor of `Attack`."""


class Extending(Attack):
    """Adds a setting to those of `Attack`.

    Args:
        momentum: Momentum.
    """

    def __init__(self, n: int, dim: int, *, momentum: float = 0.5, **others: Any) -> None:
        super().__init__(n, dim, **others)


class Plain:
    """Has no settings."""


class Network:
    """A network.

    Args:
        model: Its name.
        weights: A file.
    """

    def __init__(self, *, model: str = "resnet18", weights: str | None = None) -> None:
        pass


class Folder:
    """A folder.

    Args:
        root: The folder.
    """

    def __init__(self, *, root: str) -> None:
        pass


def made(n: int, dim: int, *, ratio: float = 0.5) -> Attack:
    """Make an attack.

    Args:
        n: Domains.
        dim: Dimension.
        ratio: A ratio.
    """
    return Attack(n, dim, epsilon=ratio)


class Unreadable:
    """Names a type that is nowhere."""

    def __init__(self, *, size: Nowhere = 3) -> None:  # noqa: F821
        pass


class Clashing:
    """Has a setting that the recipe keeps itself."""

    def __init__(self, *, loss_weight: float = 1.0) -> None:
        pass


SLOTS = {
    "data": Slot("dataset", "world", required=True),
    "student": Slot("student", "timm", required=True),
    "aligner": Slot("aligner", "daa"),
    "teachers": Slot("teacher", {"fr": "arcface", "fe": "stargan"}, TeacherOptions),
}
RECORDS = {
    "dataset": (DatasetSpec, {"world": Plain, "folder": Folder}),
    "student": (StudentSpec, {"timm": Network}),
    "aligner": (
        AlignerSpec,
        {
            "daa": Attack,
            "dat": Reversal,
            "inheriting": Inheriting,
            "extending": Extending,
            "made": made,
            "unreadable": Unreadable,
        },
    ),
    "teacher": (
        TeacherSpec,
        {"arcface": Network, "stargan": Network, "clip": Network, "plain": Plain, "clashing": Clashing},
    ),
}
OWNER = Plugin("toy", "toy", "padkit-toy", "1.0")
CATALOG = Catalog(
    Discovery(
        (OWNER,),
        tuple(
            Component(role, record(name=name, summary="A summary.", factory=factory), OWNER)
            for role, (record, components) in RECORDS.items()
            for name, factory in components.items()
        ),
    )
)


def read(*argv: str):
    return read_settings(Options, SLOTS, argv, CATALOG, "toy.py")


@pytest.fixture
def config(tmp_path):
    """Write YAML, given as text or as a tree, and return the option that reads it."""
    count = 0

    def write(content) -> list[str]:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return ["--config", str(path)]

    return write


def value(tree: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree


def test_defaults():
    settings = read()
    assert settings.recipe == Options()
    assert settings.given == frozenset()
    assert settings.one("aligner").name == "daa"
    assert settings.one("aligner").settings == {"epsilon": 0.1, "steps": 3, "attacked_share": 1.0}
    assert settings.one("aligner").options is None
    assert {name: choice.name for name, choice in settings.many("teachers").items()} == {
        "fr": "arcface",
        "fe": "stargan",
    }
    assert settings.many("teachers")["fr"].options == TeacherOptions()
    assert list(settings.tree) == [*(field.name for field in fields(Options)), *SLOTS]
    assert settings.tree["data"] == {"name": "world"}


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("--aligner dat", "aligner", {"name": "dat", "weight": 0.1, "epsilon": "none"}),
        ("--aligner.name dat", "aligner.name", "dat"),
        ("--aligner none", "aligner", "none"),
        ("--aligner.epsilon 4/255", "aligner.epsilon", 4 / 255),
        ("--aligner.epsilon=8/255", "aligner.epsilon", 8 / 255),
        ("--aligner dat --aligner.weight 1/2", "aligner.weight", 0.5),
        ("--aligner dat --aligner.epsilon 4/255", "aligner.epsilon", "4/255"),
        ("--aligner.attacked-share 0.5", "aligner.attacked_share", 0.5),
        ("--aligner.weight 3 --aligner dat", "aligner.weight", 3.0),
        ("--aligner daa --aligner.name dat", "aligner.name", "dat"),
        ("--aligner.name dat --aligner daa", "aligner.name", "daa"),
        ("--aligner inheriting --aligner.steps 5", "aligner.steps", 5),
        ("--aligner inheriting --aligner.epsilon 1/4", "aligner.epsilon", 0.25),
        ("--aligner extending --aligner.steps 5", "aligner.steps", 5),
        ("--aligner extending --aligner.epsilon 1/4", "aligner.epsilon", 0.25),
        ("--aligner extending --aligner.momentum 1/4", "aligner.momentum", 0.25),
        ("--aligner made --aligner.ratio 1/4", "aligner", {"name": "made", "ratio": 0.25}),
        ("--aligner daa+dat", "aligner.name", "daa+dat"),
        ("--aligner daa+dat", "aligner.daa", {"epsilon": 0.1, "steps": 3, "attacked_share": 1.0}),
        ("--aligner daa+dat", "aligner.dat", {"weight": 0.1, "epsilon": "none"}),
        ("--aligner daa+dat --aligner.daa.epsilon 8/255", "aligner.daa.epsilon", 8 / 255),
        ("--aligner daa+dat --aligner.dat.epsilon 8/255", "aligner.dat.epsilon", "8/255"),
        ("--aligner.daa.attacked-share=1/2 --aligner daa+dat", "aligner.daa.attacked_share", 0.5),
        ("--aligner dat+daa", "aligner.name", "dat+daa"),
        ("--aligner.name made+extending+daa --aligner.made.ratio 2", "aligner.made", {"ratio": 2.0}),
        ("--teachers.fr arcface", "teachers.fr.name", "arcface"),
        ("--teachers.fr clip", "teachers.fr.name", "clip"),
        ("--teachers.fr plain", "teachers.fr", {"name": "plain", "loss_weight": 1.0}),
        ("--teachers none", "teachers", {"fr": "none", "fe": "none"}),
        ("--teachers fr", "teachers.fe", "none"),
        ("--teachers fr", "teachers.fr.name", "arcface"),
        ("--teachers fe+fr", "teachers.fe.name", "stargan"),
        ("--teachers fe,fr", "teachers.fr.name", "arcface"),
        ("--teachers.fe none", "teachers.fe", "none"),
        ("--teachers.fe none", "teachers.fr.name", "arcface"),
        ("--teachers.extra clip", "teachers.extra.name", "clip"),
        ("--teachers none --teachers.extra clip", "teachers.fr", "none"),
        ("--teachers fr --teachers.fr clip", "teachers.fr.name", "clip"),
        ("--teachers.fr.loss-weight 2", "teachers.fr.loss_weight", 2.0),
        ("--teachers.fr.weights a=b.pth", "teachers.fr.weights", "a=b.pth"),
        ("--student.model resnet50", "student.model", "resnet50"),
        ("--data folder --data.root DIR", "data", {"name": "folder", "root": "DIR"}),
        ("--max-steps 5", "max_steps", 5),
        ("--max_steps=5", "max_steps", 5),
        ("--max-steps null", "max_steps", None),
        ("--batch-size 12", "batch_size", 12),
        ("--lr 1", "lr", 1.0),
        ("--lr 1e-4", "lr", 1e-4),
        ("--lr -0.5", "lr", -0.5),
        ("--lr=-1/2", "lr", -0.5),
        ("--lr 1 --lr 2", "lr", 2.0),
        ("--strict", "strict", True),
        ("--strict true", "strict", True),
        ("--strict=false", "strict", False),
        ("--strict --lr 1", "strict", True),
        ("--target 5", "target", "5"),
        ("--target yes", "target", "yes"),
        ("--target 1e3", "target", "1e3"),
        ("--target none", "target", "none"),
        ("--target null", "target", None),
        ("--target=", "target", ""),
        ("--target #1", "target", "#1"),
        ("--target [a]", "target", "[a]"),
        ("--target ~", "target", "~"),
        ("--policy fixed:0.5", "policy", "fixed:0.5"),
        ("--sources a,b", "sources", ["a", "b"]),
        ("--sources a", "sources", ["a"]),
        ("--sources 1,2", "sources", ["1", "2"]),
        ("--sources [a,b]", "sources", ["a", "b"]),
        ("--sources [1,null]", "sources", ["1", "null"]),
        ("--sources=", "sources", []),
        ("--sources null", "sources", None),
        ("--sizes 1,2", "sizes", [1, 2]),
        ("--sizes [1,2]", "sizes", [1, 2]),
        ("--optimizer sgd", "optimizer", "sgd"),
    ],
)
def test_one_setting_on_the_command_line(line, key, expected):
    assert value(read(*line.split()).tree, key) == expected


def test_values_with_spaces():
    assert read("--sources", "[a, b c]").recipe.sources == ["a", "b c"]
    assert read("--sources", "a, b c").recipe.sources == ["a", "b c"]
    assert read("--target", "# not a comment").recipe.target == "# not a comment"
    assert read("--target", "a: b").recipe.target == "a: b"


def test_given_tells_what_was_asked_for(config):
    settings = read(*config({"lr": 1.0, "teachers": {"fe": "none"}}), "--aligner", "dat", "--aligner.weight", "2")
    assert settings.given == {"lr", "aligner.name", "aligner.weight"}


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("batch-size: 3", "batch_size", 3),
        ("lr: 1e-4", "lr", 1e-4),
        ("lr: 1", "lr", 1.0),
        ("target: '5'", "target", "5"),
        ("target:", "target", None),
        ("sources: [a, b]", "sources", ["a", "b"]),
        ("sources: a,b", "sources", ["a", "b"]),
        ("strict: yes", "strict", True),
        ("aligner: dat", "aligner.name", "dat"),
        ("aligner: none", "aligner", "none"),
        ("aligner:", "aligner", "none"),
        ("aligner: {name: none}", "aligner", "none"),
        ("aligner: {}", "aligner.name", "daa"),
        ("aligner: {epsilon: 4/255}", "aligner.epsilon", 4 / 255),
        ("aligner: {attacked-share: 0.5}", "aligner.attacked_share", 0.5),
        ("aligner.attacked-share: 0.5", "aligner.attacked_share", 0.5),
        ("aligner: dat\naligner.weight: 3", "aligner.weight", 3.0),
        ("aligner: daa + dat", "aligner.name", "daa+dat"),
        ("aligner: {name: daa+dat, daa: {epsilon: 4/255}, dat: {}}", "aligner.daa.epsilon", 4 / 255),
        ("aligner: daa+dat\naligner.daa: {attacked-share: 0.5}", "aligner.daa.attacked_share", 0.5),
        ("teachers: none", "teachers", {"fr": "none", "fe": "none"}),
        ("teachers: [fr]", "teachers.fe", "none"),
        ("teachers: fr", "teachers.fe", "none"),
        ("teachers: {fe: none}", "teachers.fe", "none"),
        ("teachers: {fe: {}}", "teachers.fe.name", "stargan"),
        ("teachers.fe:", "teachers.fe", "none"),
        ("teachers: {fr: {loss-weight: 2}}", "teachers.fr.loss_weight", 2.0),
        ("teachers: {my-own: clip}", "teachers.my_own.name", "clip"),
        ("", "lr", 1e-3),
        ("a: &a {lr: 2}\n<<: *a\n", None, "unknown setting 'a.lr'"),
    ],
)
def test_one_setting_in_a_file(config, text, key, expected):
    if key is None:
        with pytest.raises(SettingsError, match=expected):
            read(*config(text))
    else:
        assert value(read(*config(text)).tree, key) == expected


def test_later_wins(config):
    first = config({"lr": 1.0, "batch_size": 2, "aligner": {"name": "dat", "weight": 5.0}})
    second = config({"lr": 2.0, "aligner": {"weight": 6.0}})
    settings = read("--lr", "3", *first, *second)
    assert (settings.recipe.lr, settings.recipe.batch_size) == (3.0, 2)
    assert settings.tree["aligner"] == {"name": "dat", "weight": 6.0, "epsilon": "none"}


def test_another_components_name_discards_the_settings_of_the_first(config):
    file = config({"aligner": {"name": "dat", "epsilon": "text"}, "teachers": {"fr": {"name": "clip", "model": "x"}}})
    settings = read(*file, "--aligner", "daa", "--teachers.fr", "arcface")
    assert settings.tree["aligner"]["epsilon"] == 0.1
    assert settings.tree["teachers"]["fr"]["model"] == "resnet18"
    same = read(*file, "--aligner", "dat", "--teachers.fr", "clip")
    assert same.tree["aligner"]["epsilon"] == "text"
    assert same.tree["teachers"]["fr"]["model"] == "x"


def test_joined_components_are_one_choice_with_the_settings_of_each(config):
    first = config({"aligner": {"name": "daa+dat", "daa": {"epsilon": 0.5, "steps": 7}}})
    settings = read(*first, "--aligner.daa.steps", "9", "--aligner", "daa+dat")
    choice = settings.one("aligner")
    assert (choice.role, choice.name) == ("aligner", "daa+dat")
    assert choice.settings == {
        "daa": {"epsilon": 0.5, "steps": 9, "attacked_share": 1.0},
        "dat": {"weight": 0.1, "epsilon": "none"},
    }
    assert settings.given == {"aligner.name", "aligner.daa.epsilon", "aligner.daa.steps"}
    assert settings.tree["aligner"] == {"name": "daa+dat", **choice.settings}
    other = read(*first, "--aligner", "dat+daa").one("aligner")
    assert (list(other.settings), other.settings["daa"]["epsilon"]) == (["dat", "daa"], 0.1)
    alone = read(*first, "--aligner", "daa").one("aligner")
    assert (alone.name, alone.settings["epsilon"]) == ("daa", 0.1)


def test_the_default_components_name_discards_nothing(config):
    assert read(*config({"aligner": {"steps": 7}}), "--aligner", "daa").tree["aligner"]["steps"] == 7


def test_a_list_of_teachers_chooses_among_those_of_the_file(config):
    file = config({"teachers": {"fr": {"name": "clip", "model": "x"}, "own": "plain", "fe": "none"}})
    assert list(read(*file).many("teachers")) == ["fr", "own"]
    assert read(*file, "--teachers", "none").many("teachers") == {}
    kept = read(*file, "--teachers", "fr+fe").many("teachers")
    assert {name: choice.name for name, choice in kept.items()} == {"fr": "clip", "fe": "stargan"}
    assert kept["fr"].settings["model"] == "x"
    assert list(read(*file, "--teachers", "own").many("teachers")) == ["own"]
    assert list(read(*file, "--teachers.own", "none").many("teachers")) == ["fr"]


LINE_ERRORS = [
    ("--alinger dat", "unknown setting 'alinger'. Did you mean 'aligner'? Known: aligner, batch_size, data, lr,"),
    ("--learning 1", "unknown setting 'learning'. Known: aligner, batch_size,"),
    ("--rate 1", "setting 'rate' is gone; remove it and write --lr RATE."),
    ("--max-step 1", "unknown setting 'max_step'. Did you mean 'max_steps'? Known: "),
    (
        "--aligner.epsilom 1",
        (
            "unknown setting 'aligner.epsilom' of aligner 'daa'. Did you mean 'aligner.epsilon'? "
            "Known: attacked_share, epsilon, name, steps."
        ),
    ),
    (
        "--aligner dat --aligner.steps 1",
        "unknown setting 'aligner.steps' of aligner 'dat'. Known: epsilon,",
    ),
    (
        "--teachers.fr.weight x",
        "unknown setting 'teachers.fr.weight' of teacher 'arcface'. Did you mean 'teachers.fr.weights'? Known: ",
    ),
    ("--aligner daa+daa", "--aligner: aligner 'daa+daa' names 'daa' twice; name each once."),
    ("--aligner daa+none", "--aligner: aligner 'daa+none' joins 'none'; write names only."),
    ("--aligner daa+", "--aligner: aligner 'daa+' joins nothing; write names only."),
    ("--aligner +", "--aligner: aligner '+' joins nothing; write names only."),
    (
        "--aligner daa+dat --aligner.daa.epsilom 1",
        (
            "unknown setting 'aligner.daa.epsilom' of aligner 'daa'. Did you mean 'aligner.daa.epsilon'? "
            "Known: attacked_share, epsilon, steps."
        ),
    ),
    (
        "--aligner daa+dat --aligner.steps 1",
        "unknown setting 'aligner.steps' of aligner 'daa+dat'. Did you mean 'aligner.daa.steps'? Known: daa.attac",
    ),
    (
        "--aligner daa+dat --aligner.dda.steps 1",
        "unknown setting 'aligner.dda.steps' of aligner 'daa+dat'. Did you mean 'aligner.daa.steps'? Known: daa.attac",
    ),
    ("--aligner daa --aligner.dat.weight 1", "unknown setting 'aligner.dat.weight' of aligner 'daa'. Known: attacked_"),
    ("--aligner daa+dat --aligner.daa 1", "unknown setting 'aligner.daa' of aligner 'daa+dat'. "),
    ("--aligner daa+dat --aligner.daa.steps x", "setting 'aligner.daa.steps': expected int, got 'x'."),
    ("--aligner.epsilon.x 1", "unknown setting 'aligner.epsilon.x' of aligner 'daa'. Did you mean 'aligner.epsilon'? "),
    ("--lr.x 1", "unknown setting 'lr.x'. Did you mean 'lr'? Known: "),
    ("--lr 1 --lr.x 1", "unknown setting 'lr.x'. Did you mean 'lr'? Known: "),
    ("--max-steps x", "setting 'max_steps': expected int or null, got 'x'."),
    ("--max-steps none", "setting 'max_steps': expected int or null, got 'none'."),
    ("--batch-size 2.5", "setting 'batch_size': expected int, got '2.5'."),
    ("--batch-size true", "setting 'batch_size': expected int, got 'true'."),
    ("--batch-size=", "setting 'batch_size': expected int, got ''."),
    ("--batch-size null", "setting 'batch_size': expected int, got 'null'."),
    ("--lr abc", "setting 'lr': expected float, got 'abc'."),
    ("--lr 4/0", "setting 'lr': expected float, got '4/0'."),
    ("--lr 1.2.3/4", "setting 'lr': expected float, got '1.2.3/4'."),
    ("--lr nan", "setting 'lr': expected float, got 'nan'."),
    ("--lr .nan", "setting 'lr': expected float, got '.nan'."),
    ("--aligner.epsilon x", "setting 'aligner.epsilon': expected float, got 'x'."),
    ("--optimizer adam", "setting 'optimizer': expected one of adamw, sgd, got 'adam'. Did you mean 'adamw'?"),
    ("--strict maybe", "setting 'strict': expected true or false, got 'maybe'."),
    ("--sizes a,b", "setting 'sizes': expected list of int (a,b) or null, got ['a', 'b']."),
    ("--sizes [1", "setting 'sizes': expected list of int (a,b) or null, got '[1'."),
    ("--lr", "--lr needs a value: float."),
    ("--target --strict", "--target needs a value: str or null."),
    ("--aligner", "--aligner needs the name of a component, or none."),
    ("--aligner=", "--aligner needs the name of a component, or none."),
    ("--teachers.fr --lr 1", "--teachers.fr needs the name of a component, or none."),
    ("--teachers", "--teachers needs names, for example teachers a,b, or none."),
    ("--teachers fx", "--teachers 'fx' is unknown. Known: fe, fr, none."),
    ("--teachers.rf none", "teachers.rf is none already. Did you mean 'fr'? Known: fe, fr."),
    ("--teachers.x.weights 1", "teachers.x names no component; write --teachers.x NAME. Known: fe, fr."),
    ("--student none", "--student cannot be none: this recipe needs a student."),
    ("--aligner none --aligner.steps 1", "aligner is none, so aligner.steps has no effect; remove one of the two."),
    (
        "--teachers none --teachers.fr.loss-weight 2",
        "teachers.fr is none, so teachers.fr.loss_weight has no effect; remove one of the two.",
    ),
    ("--data folder", "setting 'data.root' is missing; write --data.root VALUE."),
    ("stray", "unexpected argument 'stray'; settings are written --name value, lists --name a,b."),
    ("--sources a b", "unexpected argument 'b'; settings are written --name value, lists --name a,b."),
    ("-lr 1", "unexpected argument '-lr'; "),
    ("--", "unexpected argument '--'; "),
    ("--=1", "unexpected argument '--=1'; "),
    ("--aligner..x 1", "unexpected argument '--aligner..x'; "),
    ("--config", "--config needs a YAML file."),
    ("--config --lr 1", "--config needs a YAML file."),
    ("--config nowhere.yaml", "--config nowhere.yaml: No such file or directory; give a YAML file."),
    ("--config .", "--config .: Is a directory; give a YAML file."),
]


def line_of(call, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("line", "text"), LINE_ERRORS)
def test_a_mistake_on_the_command_line(line, text):
    assert line_of(lambda: read(*line.split()), SettingsError).startswith(text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--aligner da", "--aligner: unknown aligner 'da'. Did you mean 'dat'? Known: daa, dat, "),
        ("--aligner DAT", "--aligner: unknown aligner 'DAT'. Did you mean 'dat'? Known: "),
        ("--aligner daa+da", "--aligner: unknown aligner 'da'. Did you mean 'dat'? Known: daa, dat, "),
        ("--aligner daa+arcface", "--aligner: unknown aligner 'arcface'. 'arcface' is a teacher."),
        (
            "--aligner daa+unreadable",
            "--aligner: the settings of aligner 'unreadable' cannot be read: name 'Nowhere' is not defined.",
        ),
        ("--student timm+timm", "--student: unknown student 'timm+timm'. Did you mean 'timm'? Known: timm."),
        ("--aligner arcface", "--aligner: unknown aligner 'arcface'. 'arcface' is a teacher."),
        ("--teachers.fr arcfac", "--teachers.fr: unknown teacher 'arcfac'. Did you mean 'arcface'? Known: arcface, "),
        (
            "--aligner unreadable",
            "--aligner: the settings of aligner 'unreadable' cannot be read: name 'Nowhere' is not defined.",
        ),
        ("--teachers.fr clashing", "--teachers.fr: the settings of teacher 'clashing' cannot be read: Unable to add "),
    ],
)
def test_a_mistake_about_a_component(line, text):
    assert line_of(lambda: read(*line.split()), PluginError).startswith(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr: 1\nlr: 2", "is not valid YAML: 'lr' is given twice (line 2)."),
        ("aligner:\n  steps: 1\n  steps: 2", "is not valid YAML: 'steps' is given twice (line 3)."),
        ("batch-size: 1\nbatch_size: 2", "gives 'batch_size' twice; remove one of the two."),
        ("aligner: {attacked-share: 1, attacked_share: 1}", "gives 'aligner.attacked_share' twice; remove"),
        ("aligner: {steps: 1}\naligner.steps: 1", "gives 'aligner.steps' twice; remove one of the two."),
        ("- a", "must hold `name: value` lines, not a list."),
        ("just text", "must hold `name: value` lines, not a str."),
        ("lr: [1", "is not valid YAML: "),
        ("lr: *x", "is not valid YAML: found undefined alias 'x' (line 1)."),
        ("lr: !!python/object:os.system {}", "is not valid YAML: could not determine a constructor for the tag"),
        ("out: 2024-13-45", "is not valid YAML: "),
        ("'': 3", "'' is no name of a setting."),
        ("null: 3", "unknown setting 'null'. "),
        ("1: 3", "unknown setting '1'. "),
        ("alinger: dat", "unknown setting 'alinger'. Did you mean 'aligner'? "),
        ("config: x", "unknown setting 'config'. "),
        ("lr: {a: 1}", "unknown setting 'lr.a'. Did you mean 'lr'? "),
        ("lr: {}", "setting 'lr': expected float, got {}."),
        ("lr: [1]", "setting 'lr': expected float, got [1]."),
        ("lr: .nan", "setting 'lr': expected float, got nan."),
        ("lr: null", "setting 'lr': expected float, got null."),
        ("max_steps: 2.0", "setting 'max_steps': expected int or null, got 2.0."),
        ("optimizer: null", "setting 'optimizer': expected one of adamw, sgd, got null."),
        ("strict: 1", "setting 'strict': expected true or false, got 1."),
        ("target: 5", "setting 'target': expected str or null, got 5; put it in quotes."),
        ("target: yes", "setting 'target': expected str or null, got true; put it in quotes."),
        ("policy: 2024-01-01", "setting 'policy': expected str, got datetime.date(2024, 1, 1); put it in quotes."),
        ("sources: [a, 1]", "setting 'sources': expected list of str (a,b) or null, got ['a', 1]."),
        ("aligner: 3", "aligner must be a component's name or its settings, not 3."),
        ("aligner: [daa]", "aligner must be a component's name or its settings, not ['daa']."),
        ("aligner: {epsilon: {a: 1}}", "unknown setting 'aligner.epsilon.a' of aligner 'daa'. "),
        ("teachers: 3", "--teachers '3' is unknown. Known: fe, fr, none."),
        ("teachers: {fr: 3}", "teachers.fr must be a component's name or its settings, not 3."),
        ("teachers: {x: {}}", "teachers.x names no component; write --teachers.x NAME. Known: fe, fr."),
    ],
)
def test_a_mistake_in_a_file(config, text, message):
    arguments = config(text)
    found = line_of(lambda: read(*arguments), SettingsError)
    assert (
        found.removeprefix(f"--config {arguments[1]} ").removeprefix(f"--config {arguments[1]}: ").startswith(message)
    )


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00lr")
    assert "is not valid YAML" in line_of(lambda: read("--config", str(path)), SettingsError)


def test_an_error_in_a_file_does_not_run_it(config, tmp_path):
    trace = tmp_path / "trace"
    line_of(lambda: read(*config(f"lr: !!python/object/apply:os.mkdir ['{trace}']")), SettingsError)
    assert not trace.exists()


def test_help_prints_every_option_with_type_default_and_text(capsys):
    with pytest.raises(SystemExit) as end:
        read("--aligner", "extending", "--teachers.fe", "none", "--teachers.own", "clip", "--help")
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("usage: toy.py [--config FILE] [--NAME VALUE ...] Train something.")
    described = {
        "--target TARGET": "Domain to test on. (type: str | null, default: null)",
        "--sources SOURCES": "Domains to train on. (type: Optional[list[str]], default: null)",
        "--batch_size BATCH_SIZE": "Frames a step. (type: int, default: 48)",
        "--lr LR": "Learning rate. (type: float, default: 0.001)",
        "--optimizer {adamw,sgd}": "Optimiser. (type: Literal['adamw', 'sgd'], default: adamw)",
        "--strict {true,false}": "Whether to be strict. (type: bool, default: False)",
        "--aligner.momentum MOMENTUM": "Momentum. (type: float, default: 0.5)",
        "--aligner.epsilon EPSILON": "Largest change. (type: float, default: 0.1)",
        "--student.model MODEL": "Its name. (type: str, default: resnet18)",
        "--teachers.own.loss_weight LOSS_WEIGHT": "Weight of its loss. (type: float, default: 1.0)",
        "--teachers.own.weights WEIGHTS": "A file. (type: str | null, default: null)",
    }
    for option, rest in described.items():
        assert f"{option} {rest}" in text
    assert "teacher: one of arcface, clashing, clip, plain, stargan, none" in text
    assert "student: one of timm --student.name" in text, "a required slot must not offer none"
    assert "--teachers.fe" not in text, "an empty slot has no options"


def test_help_shows_the_options_of_every_member(capsys):
    with pytest.raises(SystemExit):
        read("--aligner", "daa+made", "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--aligner daa+made: aligner: one of daa, dat, " in text
    assert ", none, or several joined by + --aligner.name NAME the same as --aligner" in text
    assert "--aligner.daa, of --aligner daa+made: A summary. --aligner.daa.epsilon EPSILON Largest change." in text
    assert "--aligner.made.ratio RATIO A ratio. (type: float, default: 0.5)" in text
    assert "--aligner.epsilon" not in text
    assert "student: one of timm --student.name" in text, "only aligners can be joined"


def test_help_names_the_components_of_an_empty_slot(capsys):
    with pytest.raises(SystemExit):
        read("--aligner", "none", "-h")
    text = " ".join(capsys.readouterr().out.split())
    assert "--aligner none: aligner: one of daa, dat, extending, inheriting, made, unreadable, none" in text


def test_every_key_of_the_tree_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        read("--help")
    text = capsys.readouterr().out
    keys = list(flat(read().tree))
    assert len(keys) > len(Options.__dataclass_fields__)
    assert [key for key in keys if f"--{key} " not in text] == []


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, item in tree.items():
        found |= flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return found


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).filter(lambda t: t != "null")
words = st.sampled_from(
    ["1", "yes", "none", "~", "# x", "a: b", "[a]", "{}", "1e3", "4/255", "2024-01-01", "'", '"', "*a"]
)
numbers = st.floats(-1e9, 1e9, allow_nan=False)
networks = st.fixed_dictionaries({}, optional={"model": texts | words, "weights": st.none() | texts | words})
teachers = st.one_of(
    st.just("none"),
    st.builds(
        lambda name, settings, weight: {"name": name, **settings, "loss_weight": weight},
        st.sampled_from(["arcface", "stargan", "clip"]),
        networks,
        numbers,
    ),
)
aligners = st.one_of(
    st.just("none"),
    st.builds(lambda e, s: {"name": "daa", "epsilon": e, "steps": s}, numbers, st.integers(-9, 9)),
    st.builds(lambda w, e: {"name": "dat", "weight": w, "epsilon": e}, st.none() | numbers, texts | words),
    st.builds(lambda m, s: {"name": "extending", "momentum": m, "steps": s}, numbers, st.integers(-9, 9)),
    st.builds(
        lambda s, e: {"name": "dat+made+daa", "daa": {"steps": s}, "dat": {"epsilon": e}},
        st.integers(-9, 9),
        texts | words,
    ),
)
trees = st.fixed_dictionaries(
    {},
    optional={
        "target": st.none() | texts | words,
        "sources": st.none() | st.lists(texts | words, max_size=3),
        "max_steps": st.none() | st.integers(),
        "batch_size": st.integers(),
        "lr": numbers,
        "optimizer": st.sampled_from(["adamw", "sgd"]),
        "strict": st.booleans(),
        "policy": texts | words,
        "sizes": st.none() | st.lists(st.integers(), max_size=3),
        "aligner": aligners,
        "student": networks.map(lambda settings: {"name": "timm", **settings}),
        "teachers": st.fixed_dictionaries({}, optional={"fr": teachers, "fe": teachers}),
    },
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees)
def test_what_a_run_saves_can_be_passed_back(config, tree):
    first = read(*config(tree))
    for key, item in flat(tree).items():
        assert value(first.tree, key) == item, "a value changed on its way through YAML"
    again = read(*config(first.tree))
    assert again.tree == first.tree
    assert again.recipe == first.recipe
    assert again.chosen == first.chosen
    overridden = read(*config(first.tree), "--lr", "0.25", "--teachers", "none", "--aligner", "dat")
    unchanged = {"lr": 0.25, "teachers": {"fr": "none", "fe": "none"}, "aligner": overridden.tree["aligner"]}
    assert overridden.tree == first.tree | unchanged
    kept = first.tree["aligner"]
    same = isinstance(kept, dict) and kept["name"] == "dat"
    assert overridden.tree["aligner"] == (kept if same else {"name": "dat", "weight": 0.1, "epsilon": "none"})


@hypothesis_settings(max_examples=60)
@given(texts | words, numbers, st.lists(st.sampled_from(["a", "b c", "1", "no"]), min_size=1, max_size=3))
def test_the_command_line_says_what_a_file_says(text, number, names):
    settings = read(f"--target={text}", f"--policy={text}", f"--lr={number!r}", f"--sources={', '.join(names)}")
    assert settings.recipe == Options(target=text, policy=text, lr=number, sources=names)
