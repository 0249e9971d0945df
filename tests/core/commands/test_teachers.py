"""`padkit teachers check`: which teachers it asks, what it prints and writes, what it refuses."""

from __future__ import annotations

import json

import pytest
from toy_run import write_toy

from padkit.commands.teachers import main
from padkit.errors import DataError, PluginError, SettingsError

SOURCE = '''
    from padkit.errors import WeightsError
    from padkit.hookspecs import hookimpl
    from padkit.roles import Features, Teacher
    from padkit.specs import TeacherSpec

    class Colours(Teacher):
        """Gives an image's mean colour, which in the toy data tells the domain.

        Args:
            channel: Which.
            broken: Refuse.
        """

        def __init__(self, *, channel: int = 0, broken: bool = False):
            super().__init__()
            if broken:
                raise WeightsError("colours: broken as asked; do not ask")
            self.channel = channel

        def extract(self, inputs):
            seen = inputs[:, self.channel : self.channel + 1]
            return Features((seen,), inputs.mean(dim=(2, 3)))

    class Needs(Colours):
        """Needs a setting.

        Args:
            file: It.
        """

        def __init__(self, *, file: str):
            super().__init__()

    class Absent(Colours):
        """Cannot be had."""

        def __init__(self):
            raise WeightsError("absent: its weights are not installed; install them")

    @hookimpl
    def padkit_teachers():
        named = {"colours": Colours, "needs": Needs, "absent": Absent}
        return [TeacherSpec(name=name, summary="A toy.", factory=each) for name, each in named.items()]
'''


@pytest.fixture
def words(tmp_path, install, monkeypatch):
    """The command on toy data, with toy teachers alone."""
    install("padkit-toys", "toys", SOURCE)
    monkeypatch.setenv("PADKIT_PLUGINS_ALLOW", "padkit-toys,folder")
    write_toy(tmp_path / "toy")
    return ["check", "--data", "folder", "--data.root", str(tmp_path / "toy")]


def test_the_table_and_the_json_file_agree(words, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert main([*words, "--teachers", "colours", "--limit", "60", "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "folder: 60 of 144 crops, 30 bona fide, 0 people"
    assert any("chance 33.3 of a, b, c." in line for line in lines)
    rows = {line.split("  ")[0].strip(): line.split()[-6:] for line in lines if line.startswith(("map", "embedding"))}
    found = json.loads(out.read_text())
    assert found["settings"]["teachers"] == {"colours": {"name": "colours", "channel": 0, "broken": False}}
    assert (found["dataset"], found["simulated"], found["crops"]) == ("folder", False, 60)
    told = found["teachers"]["colours"]
    assert rows.keys() == told.keys() == {"map 1", "embedding"}
    for name, row in rows.items():
        trained, random = told[name]["trained"], told[name]["random"]
        assert trained["domain"] > 0.95
        assert trained["identity"] is None
        assert random is None
        assert row == ["-", "-", f"{100 * trained['live']:.1f}", "-", f"{100 * trained['domain']:.1f}", "-"]


def test_without_names_all_are_asked_that_can_be_had(words, capsys):
    assert main([*words, "--limit", "24"]) == 0
    shown = capsys.readouterr()
    assert "colours" in shown.out
    assert "left out: teacher 'needs' needs the settings file" in shown.err
    assert "left out: absent: its weights are not installed; install them" in shown.err


def test_a_teacher_that_was_named_must_be_had(words):
    with pytest.raises(Exception, match="absent: its weights"):
        main([*words, "--teachers", "colours,absent"])
    with pytest.raises(Exception, match="colours: broken as asked"):
        main([*words, "--teachers", "colours", "--teachers.colours.broken", "true"])
    with pytest.raises(SettingsError, match=r"teachers.needs.file"):
        main([*words, "--teachers", "needs"])
    with pytest.raises(PluginError, match=r"unknown teacher 'colour'. Did you mean 'colours'"):
        main([*words, "--teachers", "colour"])


def test_a_teacher_takes_its_settings_and_another_name(words, tmp_path):
    out = tmp_path / "found.json"
    extra = ["--teachers.mine", "colours", "--teachers.mine.channel", "2", "--limit", "12", "--json", str(out)]
    assert main([*words, "--teachers", "colours", *extra]) == 0
    found = json.loads(out.read_text())
    assert list(found["teachers"]) == ["colours", "mine"]
    assert found["settings"]["teachers"]["mine"]["channel"] == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["chek"], "'chek': is no action.*Did you mean 'check'"),
        ([], "is no action"),
        (["check", "--teachers", "none"], "no teacher is left"),
        (["check", "--teachers"], "no teacher is left"),
        (["check", "--data", "none"], "cannot be none"),
        (["check", "--limit", "0"], "expected int >= 1, got '0'"),
        (["check", "--limt", "3"], "'limt'. Did you mean 'limit'"),
    ],
)
def test_mistakes_are_one_line(line, words):
    with pytest.raises(SettingsError, match=words) as error:
        main(line)
    assert "\n" not in str(error.value)


def test_data_that_are_missing_are_told(words, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        main(["check", "--teachers", "colours", "--data", "folder", "--data.root", str(tmp_path / "gone")])


def test_the_help_shows_every_option(capsys):
    for line in (["--help"], ["check", "--help"]):
        with pytest.raises(SystemExit):
            main(line)
        shown = capsys.readouterr().out
        assert all(option in shown for option in ("--limit", "--seed", "--batch_size", "--json", "--teachers.arcface"))
