"""A toy dataset on disk and a way to run the recipe in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from onnx_faces import randomise, write_iresnet
from safetensors.torch import save_file
from tiny_clip import numbers, registered, save_training_checkpoint, vit_layout
from toy_run import FAST, recipe, write_toy

from padkit_arcface.network import IResNet, IResNetShape
from padkit_stargan.network import Discriminator, DiscriminatorShape


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def arguments(toy: Path) -> list[str]:
    """Options of a run of a second on the toy set, target c."""
    return ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32", "--target", "c", *FAST]


@pytest.fixture
def dtda() -> Iterator[Callable[[list[str]], int]]:
    """Run the recipe's `main` in this process, without page and printed table."""
    with recipe(presented=False) as run:
        yield run


@pytest.fixture
def presented() -> Iterator[Callable[[list[str]], int]]:
    """Run the recipe's `main` in this process, with page and printed table."""
    with recipe() as run:
        yield run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Small weights of teachers and students in the genuine formats, by file name."""
    folder = tmp_path_factory.mktemp("weights")
    iresnet = randomise(IResNet(IResNetShape(channels=(8, 16, 32, 64), stem=8, embedding=32)))
    write_iresnet(folder / "w600k_r18.onnx", iresnet)
    torch.save(iresnet.state_dict(), folder / "backbone.pth")
    critic = Discriminator(DiscriminatorShape(width=8, layers=4, image_size=32))
    torch.save(critic.state_dict(), folder / "200000-D.ckpt")
    save_file(timm.create_model("test_vit").state_dict(), folder / "vit.safetensors")
    save_training_checkpoint(numbers(vit_layout()), folder / "epoch_32.pt")
    with registered(tmp_path_factory.mktemp("configs")):
        yield {path.name: str(path) for path in folder.iterdir()}
