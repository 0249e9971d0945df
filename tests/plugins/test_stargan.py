"""Generator and discriminator have the published keys and shapes; the teacher feeds them what they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from padkit import weights
from padkit.catalog import Catalog
from padkit.errors import SettingsError, WeightsError
from padkit.settings.recipes import Slot, read_settings
from padkit_stargan.network import (
    Discriminator,
    DiscriminatorShape,
    Generator,
    GeneratorShape,
    InstanceNorm,
    load_discriminator,
    load_generator,
    recognise_discriminator,
    recognise_generator,
)
from padkit_stargan.teacher import EMBEDDED, StarGANTeacher

SMALL_G = GeneratorShape(attributes=3, width=4, blocks=2)
SMALL_D = DiscriminatorShape(attributes=3, width=4, layers=5, image_size=64)
LIMIT = 6 * 10**6


@dataclass(frozen=True)
class NoOptions:
    """A recipe without options."""


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    vectors = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return vectors | {f"{name}.num_batches_tracked": ()}


def genuine_generator() -> dict[str, tuple[int, ...]]:
    """Keys and shapes of `200000-G.ckpt` (five attributes), written out from the published layout."""
    shapes = {"main.0.weight": (64, 8, 7, 7), **norm("main.1", 64)}
    shapes |= {"main.3.weight": (128, 64, 4, 4), **norm("main.4", 128)}
    shapes |= {"main.6.weight": (256, 128, 4, 4), **norm("main.7", 256)}
    for block in range(9, 15):
        shapes |= {f"main.{block}.main.0.weight": (256, 256, 3, 3), **norm(f"main.{block}.main.1", 256)}
        shapes |= {f"main.{block}.main.3.weight": (256, 256, 3, 3), **norm(f"main.{block}.main.4", 256)}
    shapes |= {"main.15.weight": (256, 128, 4, 4), **norm("main.16", 128)}
    shapes |= {"main.18.weight": (128, 64, 4, 4), **norm("main.19", 64)}
    return shapes | {"main.21.weight": (3, 64, 7, 7)}


def genuine_discriminator(size: int = 128) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of `200000-D.ckpt` (five attributes); six layers at every size in the published code."""
    widths = (3, 64, 128, 256, 512, 1024, 2048)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(6):
        shapes[f"main.{2 * layer}.weight"] = (widths[layer + 1], widths[layer], 4, 4)
        shapes[f"main.{2 * layer}.bias"] = (widths[layer + 1],)
    return shapes | {"conv1.weight": (1, 2048, 3, 3), "conv2.weight": (5, 2048, size // 64, size // 64)}


def shapes_of(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def test_generator_keys_shapes_and_parameters_are_the_published_ones():
    state = {key: torch.empty(shape, device="meta") for key, shape in genuine_generator().items()}
    assert recognise_generator(state, "200000-G.ckpt") == GeneratorShape()
    with torch.device("meta"):
        network = Generator(GeneratorShape())
    assert shapes_of(network.state_dict()) == genuine_generator()
    assert sum(p.numel() for p in network.parameters()) == 8_430_528


@pytest.mark.parametrize(("size", "millions"), [(128, 44.8), (256, 44.9)])
def test_discriminator_keys_shapes_and_parameters_are_the_published_ones(size, millions):
    state = {key: torch.empty(shape, device="meta") for key, shape in genuine_discriminator(size).items()}
    assert recognise_discriminator(state, "200000-D.ckpt") == DiscriminatorShape(image_size=size)
    with torch.device("meta"):
        network = Discriminator(DiscriminatorShape(image_size=size))
    assert shapes_of(network.state_dict()) == genuine_discriminator(size)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def published(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random numbers of the published keys and shapes; one kernel repeated in large layers, which keeps files small."""
    generator = torch.Generator().manual_seed(0)

    def numbers(shape: tuple[int, ...]) -> Tensor:
        kernel = (1, *shape[1:]) if len(shape) > 1 else shape
        return (torch.rand(kernel, generator=generator) * 0.01 + 0.01).expand(shape)

    counter = torch.tensor(200_000)
    return {k: counter if k.endswith("num_batches_tracked") else numbers(shape) for k, shape in shapes.items()}


def check_genuine(state: dict[str, Tensor], file: Path, source: str) -> StarGANTeacher:
    torch.save(state, file, _use_new_zipfile_serialization=False)  # as torch wrote files in StarGAN's days
    teacher = StarGANTeacher(weights=str(file), source=source)
    own = teacher.network.state_dict()
    assert own.keys() == state.keys()
    assert all(torch.equal(own[key], value.to(own[key].dtype)) for key, value in state.items())
    return teacher


@pytest.mark.parametrize("size", [128, 256])
def test_a_genuine_discriminator_file_loads_whole(tmp_path, size):
    teacher = check_genuine(published(genuine_discriminator(size)), tmp_path / "200000-D.ckpt", "discriminator")
    assert teacher.input_size == size
    with torch.no_grad():
        maps = teacher(torch.rand(1, 3, 100, 100)).maps
    cells = [size // 2 ** (layer + 1) for layer in range(4)]
    assert [tuple(m.shape[1:]) for m in maps] == [(64 * 2**i, n, n) for i, n in enumerate(cells)]


@pytest.mark.parametrize("size", [128, 256])
def test_a_genuine_generator_file_loads_whole_and_takes_both_sizes(tmp_path, size):
    teacher = check_genuine(published(genuine_generator()), tmp_path / "200000-G.ckpt", "generator")
    teacher.input_size = size
    assert teacher.network.shape == GeneratorShape()
    with torch.no_grad():
        for block in range(9, 15):
            teacher.network.main[block] = torch.nn.Identity()  # the slow part
        maps = teacher(torch.rand(1, 3, 100, 100)).maps
    expected = [(64, size, size), (128, size // 2, size // 2), (256, size // 4, size // 4)]
    assert [tuple(m.shape[1:]) for m in maps] == [*expected, expected[-1]]


def test_discriminator_maps_at_128():
    with torch.device("meta"):
        network = Discriminator(DiscriminatorShape())
        maps = network.maps(torch.empty(1, 3, 128, 128))
        realness, logits = network(torch.empty(1, 3, 128, 128))
    assert [tuple(m.shape[1:]) for m in maps[:4]] == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)]
    assert realness.shape == (1, 1, 2, 2)
    assert logits.shape == (1, 5)


def test_generator_encoder_at_128():
    with torch.device("meta"):
        network = Generator(GeneratorShape()).eval()
        maps = network.encode(torch.empty(1, 3, 128, 128), torch.empty(1, 5))
        image = network(torch.empty(1, 3, 128, 128), torch.empty(1, 5))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 128, 128), (128, 64, 64), (256, 32, 32), (256, 32, 32)]
    assert image.shape == (1, 3, 128, 128)


def test_encoder_is_the_head_of_the_generator():
    network = Generator(SMALL_G).eval()
    images, attributes = torch.rand(2, 3, 16, 16), torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    deepest = network.encode(images, attributes)[-1]
    torch.testing.assert_close(network.main[9 + SMALL_G.blocks :](deepest), network(images, attributes))


def test_attributes_reach_the_generator():
    network = Generator(SMALL_G).eval()
    images = torch.rand(1, 3, 16, 16)
    off, on = network(images, torch.zeros(1, 3)), network(images, torch.tensor([[0.0, 1.0, 0.0]]))
    assert not torch.allclose(off, on)


def test_instance_norm_uses_each_image_alone_and_moves_nothing_in_evaluation():
    layer = InstanceNorm(2)
    torch.nn.init.uniform_(layer.weight)
    layer.running_mean.fill_(5.0)
    x = torch.rand(3, 2, 8, 8)
    before = layer.running_mean.clone()
    y = layer.eval()(x)
    assert torch.equal(layer.running_mean, before)
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    deviation = (x.var(dim=(2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(y, centred / deviation * layer.weight.view(1, 2, 1, 1))
    assert torch.allclose(layer.train()(x), y, atol=1e-5)
    assert not torch.equal(layer.running_mean, before)


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(0)
    return {
        "generator": weights.write_weights(tmp_path / "G.safetensors", Generator(SMALL_G).state_dict()),
        "discriminator": weights.write_weights(tmp_path / "D.safetensors", Discriminator(SMALL_D).state_dict()),
    }


def test_shapes_are_recognised_from_small_files(files):
    assert load_generator(weights.read_weights(files["generator"]), "G").shape == SMALL_G
    assert load_discriminator(weights.read_weights(files["discriminator"]), "D").shape == SMALL_D


def test_files_of_the_first_torch_releases_lack_the_counter(files):
    state = weights.read_weights(files["generator"])
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    assert load_generator(old, "old").shape == SMALL_G


@pytest.mark.parametrize(("source", "other"), [("generator", "discriminator"), ("discriminator", "generator")])
def test_the_other_half_is_refused(files, source, other):
    with pytest.raises(WeightsError, match=f"not a StarGAN {source}'s") as error:
        StarGANTeacher(weights=str(files[other]), source=source)
    assert "\n" not in str(error.value)


def test_missing_and_unexpected_keys_are_named(files):
    state = weights.read_weights(files["discriminator"])
    state["conv3.weight"] = state.pop("conv1.weight")
    with pytest.raises(WeightsError, match=r"missing \(conv1.weight\).*unexpected \(conv3.weight\)"):
        load_discriminator(state, "wrong.ckpt")


def known_image(size: int) -> tuple[Tensor, Tensor]:
    image, expected = torch.zeros(1, 3, size, size), torch.full((1, 3, size, size), -1.0)
    image[:, 0], image[:, 1], image[0, 2, 5, 7] = 1.0, 0.25, 0.75
    expected[:, 0], expected[:, 1], expected[0, 2, 5, 7] = 1.0, -0.5, 0.5
    return image, expected


@pytest.mark.parametrize("source", ["generator", "discriminator"])
def test_teacher_normalises_a_known_image_once(files, source):
    teacher = StarGANTeacher(weights=str(files[source]), source=source, input_size=64)
    seen: list[Tensor] = []
    teacher.network.main[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image, expected = known_image(64)
    teacher(image)
    assert len(seen) == 1
    torch.testing.assert_close(seen[0][:, :3], expected)
    assert bool((seen[0][:, 3:] == 0).all())


@pytest.mark.parametrize("source", ["generator", "discriminator"])
def test_teacher_stays_frozen_in_evaluation_mode(files, source):
    teacher = StarGANTeacher(weights=str(files[source]), source=source, input_size=64).train()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    modules = list(teacher.modules())
    assert len(modules) > 10
    assert not any(module.training for module in modules)
    assert not any(p.requires_grad for p in teacher.parameters())
    image = torch.rand(2, 3, 50, 70, requires_grad=True)
    features = teacher(image)
    features.maps[-1].sum().backward()
    assert image.grad is not None
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


def test_teacher_maps_and_embedding(files):
    image = torch.rand(2, 3, 50, 70)
    features = StarGANTeacher(weights=str(files["discriminator"]))(image)
    assert [tuple(m.shape) for m in features.maps] == [(2, 4, 32, 32), (2, 8, 16, 16), (2, 16, 8, 8), (2, 32, 4, 4)]
    assert features.embedding is None
    pooled = StarGANTeacher(weights=str(files["discriminator"]), pooled=True)(image)
    torch.testing.assert_close(pooled.embedding, features.maps[-1].mean(dim=(2, 3)))
    encoded = StarGANTeacher(weights=str(files["generator"]), source="generator", input_size=32)(image)
    assert [tuple(m.shape) for m in encoded.maps] == [(2, 4, 32, 32), (2, 8, 16, 16), (2, 16, 8, 8), (2, 16, 8, 8)]


@pytest.mark.parametrize(("maps", "layers"), [([1], [0]), ([3, 1], [0, 2]), ([2, 5], [1, 4]), ([1, 2, 3, 4], range(4))])
def test_chosen_maps_of_the_discriminator(files, maps, layers):
    image = torch.rand(2, 3, 64, 64)
    teacher = StarGANTeacher(weights=str(files["discriminator"]), maps=maps)
    expected = teacher.network.maps(image * 2 - 1)
    assert len(expected) == SMALL_D.layers
    found = teacher(image).maps
    assert len(found) == len(maps)
    for one, layer in zip(found, layers, strict=True):
        torch.testing.assert_close(one, expected[layer])


def test_chosen_maps_of_the_generator(files):
    teacher = StarGANTeacher(
        weights=str(files["generator"]), source="generator", input_size=32, maps=[2, 3], pooled=True
    )
    features = teacher(torch.rand(2, 3, 32, 32))
    assert [tuple(m.shape) for m in features.maps] == [(2, 8, 16, 16), (2, 16, 8, 8)]
    assert features.embedding.shape == (2, 16)


@pytest.mark.parametrize("maps", [[], [0], [6], [2, 2], [-1, 1]])
def test_impossible_maps_name_the_possible(files, maps):
    with pytest.raises(SettingsError, match=r"stargan: maps .* are impossible; name some of its maps 1 to 5") as error:
        StarGANTeacher(weights=str(files["discriminator"]), maps=maps)
    assert "\n" not in str(error.value)


def test_maps_are_an_option_of_the_command_line():
    slots = {"teachers": Slot("teacher", {"fe": "stargan"})}
    settings = read_settings(NoOptions, slots, ["--teachers.fe.maps", "1,2,5"], Catalog())
    assert settings.many("teachers")["fe"].settings["maps"] == [1, 2, 5]


def test_impossible_settings_are_one_line(files):
    with pytest.raises(SettingsError, match="multiple of 4"):
        StarGANTeacher(weights=str(files["generator"]), source="generator", input_size=30)
    with pytest.raises(SettingsError, match="Did you mean 'generator'"):
        StarGANTeacher(source="generater")


@pytest.mark.parametrize("source", ["generator", "discriminator"])
def test_embedded_weights(source):
    file = weights.embedded_path("padkit_stargan", EMBEDDED[source])
    card = weights.read_card(file)
    assert file.stat().st_size == card.size <= LIMIT
    assert weights.sha256(file) == card.sha256
    assert "simulated" in card.data
    assert card.figures["attribute_accuracy_real"] > 0.8
    assert "pretrain_stargan.py" in card.recipe
    assert len(StarGANTeacher(source=source, input_size=32)(torch.rand(1, 3, 64, 64)).maps) == 4
