"""`padkit plugins show NAME`: settings with types, defaults and texts, licence and origin."""

from __future__ import annotations

import pytest

from padkit.commands.plugins import main
from padkit.errors import PluginError
from padkit.settings.describe import Setting, described_settings, shown

SOURCE = '''
    from padkit.hookspecs import hookimpl
    from padkit.specs import AlignerSpec, DatasetSpec

    class Mine:
        """Does it.

        In two paragraphs.

        Args:
            weight: How much of
                it.
            names: Whose.

        Raises:
            ValueError: Never.
        """

        def __init__(self, n_domains: int, embedding_dim: int, *, weight: float = 2/3, names: list[str] | None = None):
            pass

    @hookimpl
    def padkit_aligners():
        return [AlignerSpec(name="mine", summary="Aligns.", factory=Mine, licence="MIT, they say")]

    @hookimpl
    def padkit_datasets():
        return [DatasetSpec(name="mine", summary="Reads.", factory="own:Absent", extra="padkit-mine[big]")]
'''


def test_all_is_told_of_every_role_of_that_name(install, capsys):
    install("padkit-mine", "own", SOURCE)
    assert main(["show", "mine"]) == 0
    aligner, dataset = capsys.readouterr().out.split("\n\ndataset")
    assert aligner == (
        "aligner mine: Aligns.\n"
        "  from     padkit-mine 1.2, plugin own = own\n"
        "  module   own:Mine\n"
        "  licence  MIT, they say\n"
        "\n"
        "  Does it.\n"
        "\n"
        "  In two paragraphs.\n"
        "\n"
        "  Settings:\n"
        "    weight: float; default 0.6667\n"
        "        How much of it.\n"
        "    names: list of str (a,b) or null; default null\n"
        "        Whose."
    )
    assert dataset.startswith(" mine: Reads.\n  from     padkit-mine 1.2")
    assert "  licence  not stated\n  problem  dataset 'mine' of padkit-mine: AttributeError" in dataset


def test_one_role(install, capsys):
    install("padkit-mine", "own", SOURCE)
    for words in (["show", "mine", "--role", "dataset"], ["--role", "dataset", "show", "mine"]):
        assert main(words) == 0
        assert capsys.readouterr().out.startswith("dataset mine: Reads.")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "oulu-npu",
            ["dataset oulu-npu: ", "    root: str; needed", "    lists: one of auto, files, names; default auto"],
        ),
        ("timm", ["teacher timm: ", "student timm: ", "    drop_rate: float in [0, 1); default 0"]),
        ("simulate", ["command simulate: ", "  Its options: padkit simulate --help"]),
    ],
)
def test_built_ins(name, lines, capsys):
    assert main(["show", name]) == 0
    said = capsys.readouterr().out.splitlines()
    for line in lines:
        assert any(found.startswith(line) for found in said), line
    assert max(map(len, said)) <= 110


def test_an_unknown_name_is_one_line():
    with pytest.raises(PluginError, match=r"^unknown component 'mixtyle'\. Did you mean 'mixstyle'\?"):
        main(["show", "mixtyle"])
    with pytest.raises(PluginError, match=r"^unknown student 'daa'\.( Did you mean .*)? Known: clip, timm\.$"):
        main(["show", "daa", "--role", "student"])


def test_settings_are_those_of_the_whole_class():
    class Base:
        def __init__(self, *, size: int = 3) -> None:
            """Args: none."""

    class Derived(Base):
        """Derived.

        Args:
            size: In pixels.
            flag: Whether.
        """

        def __init__(self, *, flag: bool, **rest) -> None:
            super().__init__(**rest)

    found = {setting.name: setting for setting in described_settings(Derived)}
    assert found["flag"] == Setting("flag", "true or false", None, "Whether.")
    assert found["size"].default == "3"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), ((1, 2), "1,2"), (0.5, "0.5"), ("", "''"), ("a", "a"), (4, "4"), ([], "")],
)
def test_values_as_one_writes_them(value, text):
    assert shown(value) == text
