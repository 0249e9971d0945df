"""A third party's distribution: installed beside padkit, listed, and trained with, without a line changed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "thirdparty"
BOOKKEEPING = {"step", "epoch", "total", "lr"}


def run(command: list[str], site: Path, folder: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the distribution into a folder of its own, without network."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    done = run(["-m", "pip", "install", *options, "--target", str(folder), str(EXAMPLE)], folder, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_source_folder_is_left_as_it_was(site):
    left = {path.name for path in EXAMPLE.iterdir()} - {"__pycache__"}
    assert left == {"pyproject.toml", "README.md", "padkit_example", "tests"}
    assert (site / "padkit_example" / "__init__.py").exists()


def test_it_is_listed_with_its_distribution_and_version(site, tmp_path):
    done = run(["-c", "import sys; from padkit.cli import run; sys.exit(run(['plugins']))"], site, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(maxsplit=4) for line in done.stdout.splitlines()]
    version = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["version"]
    mine = {tuple(row[:4]): row[4] for row in rows if row[2] == "padkit-example"}
    assert set(mine) == {
        ("teacher", "example-teacher", "padkit-example", version),
        ("aligner", "moments", "padkit-example", version),
        ("student", "cells", "padkit-example", version),
        ("dataset", "stripes", "padkit-example", version),
        ("augmentation", "dusk", "padkit-example", version),
        ("peer", "contest", "padkit-example", version),
        ("command", "draw-stripes", "padkit-example", version),
    }
    assert {status[:4] for status in mine.values()} == {"ok: "}


def test_it_trains_and_its_losses_are_exactly_those_chosen(site, tmp_path):
    out = tmp_path / "run"
    chosen = ["--data", "stripes", "--target", "noon", "--teachers.fr", "example-teacher", "--teachers.fe", "none"]
    mine = ["--aligner", "moments", "--aligner.weight", "1/4", "--teachers.fr.channels", "8"]
    mine += ["--augmentation", "dusk", "--augmentation.darkest", "1/2"]
    quick = ["--max-steps", "3", "--batch-size", "12", "--threads", "1", "--tracker", "none", "--out", str(out)]
    quick += ["--stability", "0", "--fresh-probe", "0", "--judge-every", "0", "--student.model", "test_resnet"]
    done = run([str(ROOT / "recipes" / "dtda.py"), *chosen, *mine, *quick], site, tmp_path)
    assert done.returncode == 0, done.stderr

    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    steps = [record for record in records if "total" in record]
    assert [record["step"] for record in steps] == [1, 2, 3]
    for record in steps:
        assert set(record) - BOOKKEEPING == {"live", "fr", "moments"}
        assert record["total"] == pytest.approx(record["live"] + 0.3 * record["fr"] + record["moments"] / 4, rel=1e-5)
        assert record["moments"] > 0

    environment = json.loads((out / "environment.json").read_text())
    assert ("example", "padkit-example") in {(p["name"], p["distribution"]) for p in environment["plugins"]}
    metrics = json.loads((out / "metrics.json").read_text())
    assert "noon" in json.dumps(metrics)


def test_without_it_the_recipe_says_what_is_missing(tmp_path):
    done = run([str(ROOT / "recipes" / "dtda.py"), "--aligner", "moments"], tmp_path, tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    known = "crossgrad, daa, dat, ddaig, mixstyle, noise, ssdg"
    assert line == f"error: --aligner: unknown aligner 'moments'. Known: {known}."


def test_its_own_tests_pass(site, tmp_path):
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull]
    done = run(["-m", "pytest", *options, str(EXAMPLE / "tests")], site, tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_no_recipe_shadows_a_module():
    """`accelerate launch recipes/x.py` puts recipes/ first on `sys.path`, so that `import x` would find the recipe."""
    stems = {path.stem for path in (ROOT / "recipes").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert "dtda" in stems
    names = ", ".join(repr(stem) for stem in sorted(stems))
    code = f"""if True:
        import importlib.util, sys
        from importlib.metadata import packages_distributions
        taken = set(sys.stdlib_module_names) | set(packages_distributions())
        found = [s for s in [{names}] if s.replace("-", "_") in taken or importlib.util.find_spec(s)]
        print(found)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.strip() == "[]"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = {entry.split(">=")[0].split("[")[0].lower().replace("-", "_") for entry in project["dependencies"]}
    assert len(dependencies) > 10
    assert not stems & dependencies
