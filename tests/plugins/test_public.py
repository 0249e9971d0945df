"""What the readers of padkit_public have in common: registration, imports, wrong roots."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from native_checks import refused
from PIL import Image
from trees_public import (
    FRAMES,
    write_casia_surf,
    write_cefa_release,
    write_celeba_spoof,
    write_hifimask,
    write_nuaa,
    write_siw,
    write_siw_mv2,
    write_wmca,
)

from padkit.data.native import NativeReader
from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.preparation.options import CropOptions
from padkit_public import padkit_datasets

READERS = {spec.name: spec.factory for spec in padkit_datasets()}
# name: (writer, its correct root below what the writer is given, a folder one level too low)
TREES = {
    "siw": (write_siw, "", "Train"),
    "siw-mv2": (write_siw_mv2, "", "Spoof"),
    "celeba-spoof": (write_celeba_spoof, "", "Data"),
    "casia-surf": (write_casia_surf, "", "phase1/Training"),
    "cefa": (write_cefa_release, "", "AF/AF-000-198006250024/1_000_1_1_1"),
    "hifimask": (write_hifimask, "", "Data/1_05_0_1_3_1"),
    "wmca": (write_wmca, "", "preprocessed-face-station_RGB/01.02.18"),
    "nuaa": (write_nuaa, "raw", "raw/ClientRaw"),
}


def reader(name: str, root: Path | str) -> NativeReader:
    module, _, attribute = READERS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)(root=str(root))


def test_the_hook_names_eight_readers_with_layouts_and_counts():
    assert list(READERS) == list(TREES)
    for name in READERS:
        built = reader(name, "x")
        assert isinstance(built, NativeReader)
        assert built.layout.startswith("<root>/")
        assert built.expected or name == "celeba-spoof"
        assert built.image_size == 256


def test_nothing_heavy_is_imported():
    code = "import sys, padkit_public; sys.exit(bool({'numpy', 'torch', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    modules = ", ".join(factory.partition(":")[0] for factory in READERS.values())
    code = f"import sys, {modules}; sys.exit(bool({{'torch', 'h5py', 'av', 'datasets'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", TREES)
def test_every_presentation_becomes_crops(tmp_path, name):
    write, right, _ = TREES[name]
    found = reader(name, write(tmp_path) / right)
    whole = Cropper(found, CropOptions(frames="all", face="none", size=32))
    frames = {"siw": FRAMES, "siw-mv2": FRAMES, "cefa": 3, "hifimask": 3, "wmca": 3}.get(name)
    for record in whole.records():
        crops = [crop for _, crop in whole.crops(record, Tally())]
        assert {crop.shape for crop in crops} == {(32, 32, 3)}
        # Of the folders of stills, CASIA-SURF's hold two; its listed images and all other stills are alone.
        assert len(crops) == (frames or (2 if Path(record.path).is_dir() else 1))


def test_squares_follow_the_hints(tmp_path):
    found = reader("celeba-spoof", write_celeba_spoof(tmp_path))
    (record,) = [record for record in found.records() if record.id == "test/6964/spoof/494405"]
    image = Image.new("RGB", (448, 336), (0, 0, 200))
    # The box 28 56 112 140 of 224x224 is 56 84 224 210 here, and its square 224 pixels wide.
    image.paste((200, 0, 0), (56, 77, 280, 301))
    image.save(record.path)
    ((_, crop),) = Cropper(found, CropOptions(face="hints", margin=0, size=56)).crops(record, Tally())
    # Antialiasing looks beyond the square's edge.
    assert np.abs(crop[2:-2, 2:-2].astype(int) - (200, 0, 0)).max() <= 2
    assert crop[..., 2].max() < 50


@pytest.mark.parametrize("name", TREES)
def test_a_root_that_is_none(tmp_path, name):
    (tmp_path / "file").write_text("x")
    for root in ("", tmp_path / "none", tmp_path / "file"):
        refused(lambda root=root: list(reader(name, root).records()), f"Root {str(root)!r}", "<root>/")
    (tmp_path / "empty").mkdir()
    refused(lambda: list(reader(name, tmp_path / "empty").records()), tmp_path / "empty", "<root>/")


@pytest.mark.parametrize("name", TREES)
def test_a_root_one_level_too_low(tmp_path, name):
    write, _, low = TREES[name]
    write(tmp_path)
    above = (tmp_path / low).parent
    refused(lambda: list(reader(name, tmp_path / low).records()), f"one level too low: give {above}.")


@pytest.mark.parametrize("name", sorted(TREES.keys() - {"cefa", "hifimask"}))
def test_a_root_one_level_too_high(tmp_path, name):
    write, right, _ = TREES[name]
    root = write(tmp_path / "unpacked") / right
    refused(lambda: list(reader(name, root.parent).records()), "one level too high: give ", root)


@pytest.mark.parametrize("name", ["cefa", "hifimask"])
def test_videos_at_any_depth_forgive_a_higher_root(tmp_path, name):
    write, _, _ = TREES[name]
    write(tmp_path / "unpacked")
    records = list(reader(name, tmp_path).records())
    assert records
    # The owner's lists lie beside the right root, so only this is lost.
    same = [(record.id, record.path) for record in reader(name, tmp_path / "unpacked").records()]
    assert [(record.id, record.path) for record in records] == same
