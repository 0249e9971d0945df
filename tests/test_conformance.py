"""Every built-in component keeps what third parties' must: each runs through the suite of its role."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dlib_files
import listed
import numpy as np
import pytest
import timm
import torch
import trees_ocim
import trees_public
from onnx_faces import randomise, write_iresnet
from PIL import Image
from safetensors.torch import save_file
from tiny_clip import numbers, registered, vit_layout

from padkit.plugins import Component, discover
from padkit.testing import (
    AlignerSuite,
    AugmentationSuite,
    ComponentSuite,
    DatasetSuite,
    ModelSuite,
    PeerSuite,
    StudentSuite,
    TeacherSuite,
)
from padkit_arcface.network import IResNet, IResNetShape

Settings = Mapping[str, Any]

SUITES: dict[str, type[ComponentSuite]] = {
    "teacher": TeacherSuite,
    "aligner": AlignerSuite,
    "student": StudentSuite,
    "dataset": DatasetSuite,
    "augmentation": AugmentationSuite,
    "peer": PeerSuite,
    "model": ModelSuite,
}
NARROW = IResNetShape(channels=(8, 8, 8, 8), stem=8, embedding=16)


@pytest.fixture(scope="module", autouse=True)
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """open_clip knows models of a few thousand weights."""
    with registered(tmp_path_factory.mktemp("configs")):
        yield


def onnx_file(folder: Path) -> Settings:
    return {"model": str(write_iresnet(folder / "w600k_r50.onnx", randomise(IResNet(NARROW))))}


def dlib_file(folder: Path) -> Settings:
    content, _ = dlib_files.network_file()
    (folder / "net.dat").write_bytes(content)
    return {"weights": str(folder / "net.dat"), "sha256": hashlib.sha256(content).hexdigest()}


def timm_file(folder: Path) -> Settings:
    torch.manual_seed(7)
    save_file(timm.create_model("test_resnet").state_dict(), folder / "net.safetensors")
    return {"model": "test_resnet", "weights": str(folder / "net.safetensors"), "input_size": 64}


def clip_file(folder: Path) -> Settings:
    save_file(numbers(vit_layout()), folder / "clip.safetensors")
    return {"model": "tiny-ViT", "weights": str(folder / "clip.safetensors")}


def image_tree(folder: Path) -> Settings:
    for number in range(12):
        label, split, domain = ("live", "spoof")[number % 2], ("train", "test")[number // 2 % 2], "ab"[number // 6]
        save_image(folder / domain / split / label / f"p{number}_1.png", number)
    return {"root": str(folder), "subject_pattern": "^(.+)_"}


def image_list(folder: Path) -> Settings:
    rows = ["path,label,domain,split,subject,presentation,attack_type"]
    for number in range(8):
        save_image(folder / f"{number}.png", number)
        person, attack = number // 2, "print" if number // 2 % 2 else ""
        rows.append(f"{number}.png,{int(not attack)},office,train,s{person},clip{person},{attack}")
    (folder / "list.csv").write_text("\n".join(rows))
    return {"file": str(folder / "list.csv")}


def image_table(folder: Path) -> Settings:
    for number in range(6):
        save_image(folder / "train" / ("live", "spoof")[number % 2] / f"{number}.png", number)
    return {"path": str(folder)}


def portraits(folder: Path) -> Settings:
    for number in range(8):
        save_image(folder / f"person{number // 2}" / f"{number}.png", number)
    return {"root": str(folder)}


def live_photographs(folder: Path) -> Settings:
    return {**portraits(folder), "finder": "none", "image_size": 64, "settings": "phone+webcam"}


def save_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 18, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def native(write: Callable[..., Path], *subjects: int, below: str = "") -> Callable[[Path], Settings]:
    """The genuine tree in miniature."""
    chosen = {"subjects": subjects} if subjects else {}
    return lambda folder: {"root": str(write(folder, **chosen) / below)}


def prepared_table(folder: Path) -> Settings:
    return {"folders": [str(listed.prepared(folder, listed.presentations("a", {"train": 4, "dev": 2, "test": 2})))]}


def fixed(**settings: Any) -> Callable[[Path], Settings]:
    return lambda folder: settings


EVERY_PART_OF_DAA = {
    "width": 4,
    "steps": 2,
    "colour": 0.05,
    "contrast": 0.1,
    "spectrum": 0.2,
    "grid": 8,
    "classifiers": 2,
    "learns_from": "both",
    "live_only": True,
}

# One line a built-in component: (role, name) -> what writes its files and returns small settings.
CASES: dict[tuple[str, str], Callable[[Path], Settings]] = {
    ("teacher", "arcface"): fixed(),
    ("teacher", "clip"): clip_file,
    ("teacher", "dlib"): dlib_file,
    ("teacher", "insightface"): onnx_file,
    ("teacher", "stargan"): fixed(input_size=64),
    ("teacher", "timm"): timm_file,
    ("student", "clip"): fixed(model="tiny-ViT"),
    ("student", "timm"): fixed(model="test_resnet"),
    ("aligner", "crossgrad"): fixed(width=4),
    ("aligner", "daa"): fixed(width=4, steps=2, epsilon=4 / 255),
    ("aligner", "dat"): fixed(hidden=8),
    ("aligner", "ddaig"): fixed(width=4, transformation_width=4, blocks=1),
    ("aligner", "daa+noise"): fixed(daa=EVERY_PART_OF_DAA, noise={"spectrum": 0.2}),
    ("aligner", "mixstyle"): fixed(probability=1.0),
    ("aligner", "noise"): fixed(epsilon=4 / 255),
    ("aligner", "ssdg"): fixed(hidden=8),
    ("aligner", "daa+mixstyle+dat"): fixed(daa={"width": 4, "steps": 2}, dat={"hidden": 8}),
    ("dataset", "casia-fasd"): native(trees_ocim.write_casia, 1, 2, 21),
    ("dataset", "casia-surf"): native(trees_public.write_casia_surf),
    ("dataset", "cefa"): native(trees_public.write_cefa_release),
    ("dataset", "celeba-spoof"): native(trees_public.write_celeba_spoof),
    ("dataset", "faces"): fixed(image_size=64, identities=6, images=2),
    ("dataset", "folder"): image_tree,
    ("dataset", "hifimask"): native(trees_public.write_hifimask),
    ("dataset", "huggingface"): image_table,
    ("dataset", "identities"): portraits,
    ("dataset", "manifest"): image_list,
    ("dataset", "msu-mfsd"): native(trees_ocim.write_msu, 2, 3, 1),
    ("dataset", "nuaa"): native(trees_public.write_nuaa, below="raw"),
    ("dataset", "oulu-npu"): native(trees_ocim.write_oulu, 1, 21, 36),
    ("dataset", "prepared"): prepared_table,
    ("dataset", "replay-attack"): native(trees_ocim.write_replay, 1, 16, 31),
    ("dataset", "siw"): native(trees_public.write_siw),
    ("dataset", "siw-mv2"): native(trees_public.write_siw_mv2),
    ("dataset", "photographs"): live_photographs,
    ("dataset", "synthetic"): fixed(size="tiny", image_size=64),
    ("dataset", "wmca"): native(trees_public.write_wmca),
    ("augmentation", "light"): fixed(),
    ("augmentation", "photometric"): fixed(strength="strong", share=1),
    ("peer", "silent-face"): fixed(),
    ("peer", "anti-spoof-mn3"): fixed(),
    ("model", "experimental"): fixed(),
    ("augmentation", "recapture"): fixed(share=0.4, live_share=0.4),
    ("augmentation", "recapture+light"): fixed(recapture={"share": 0.4, "live_share": 0.4}),
    ("augmentation", "photometric+light"): fixed(photometric={"strength": "strong"}),
}
OWN = {
    ("student", "clip"): {"image_size": 32},  # its own: strides count its pixels
    ("dataset", "nuaa"): {"shared_subjects": True},  # its official splits are by session
}


def built_in() -> dict[tuple[str, str], Component]:
    return {
        (found.role, found.spec.name): found
        for found in discover().components
        if found.plugin.distribution == "padkit" and found.role in SUITES
    }


def suite(role: str, name: str) -> type[ComponentSuite]:
    """The suite as a third party would subclass it."""
    own: dict[str, Any] = {"name": name, "make_settings": lambda self, folder: CASES[role, name](folder)}
    own |= OWN.get((role, name), {})
    words = "".join(word.capitalize() for word in name.replace("+", "-").split("-"))
    return type(f"Test{role.capitalize()}{words}", (SUITES[role],), own)


for case in CASES:
    made = suite(*case)
    globals()[made.__name__] = made


def test_every_component_has_a_case() -> None:
    missing = sorted(built_in().keys() - CASES.keys())
    assert not missing, f"add a line for each of {missing} to CASES in {__file__}"
    gone = sorted(key for key in CASES.keys() - built_in().keys() if "+" not in key[1])
    assert not gone, f"no built-in component is called {gone}; remove it from CASES in {__file__}"


def test_every_case_is_a_test_class_with_its_checks() -> None:
    found = [value for name, value in globals().items() if name.startswith("Test") and isinstance(value, type)]
    assert len(found) == len(CASES), f"two of CASES in {__file__} made one class"
    assert {value.role for value in found} == SUITES.keys()
    for value in found:
        assert len([name for name in dir(value) if name.startswith("test_")]) >= 7, f"{value} lost its checks"
