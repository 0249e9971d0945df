"""open_clip's image towers: what open_clip computes, from checkpoints of its layout, as teacher and as student."""

from __future__ import annotations

import logging

import open_clip
import pytest
import torch
from open_clip import pretrained as registry
from safetensors.torch import save_file
from tiny_clip import EMBEDDING, numbers, random_state, registered, save_training_checkpoint, vit_layout
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.catalog import Catalog
from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.deploy.stored import load_bundle, save_bundle
from padkit.errors import SettingsError, WeightsError
from padkit.networks.detector import Detector
from padkit_clip import padkit_students, padkit_teachers
from padkit_clip.prompts import ATTACK, LIVE
from padkit_clip.student import ClipStudent
from padkit_clip.teacher import ClipTeacher

torch.set_num_threads(1)

SIZES = {"tiny-ViT": 32, "tiny-RN": 64, "tiny-timm": 160}
TAG = {"hf_hub": "somebody/tiny/", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7), "quick_gelu": False}


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory):
    with registered(tmp_path_factory.mktemp("configs")):
        yield


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, Tensor]]:
    return {
        "tiny-ViT": numbers(vit_layout()),
        "tiny-RN": random_state("tiny-RN"),
        "tiny-timm": random_state("tiny-timm"),
    }


@pytest.fixture(scope="module")
def files(states, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("weights")
    for name, state in states.items():
        save_file(state, folder / f"{name}.safetensors")
    return {name: str(folder / f"{name}.safetensors") for name in states}


def reference(name: str, state: dict[str, Tensor]) -> nn.Module:
    model = open_clip.create_model(name, pretrained_text=False).eval()
    model.load_state_dict(state, strict=True)
    return model


def standardised(images: Tensor, size: int) -> Tensor:
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images - mean) / std


@pytest.mark.parametrize("name", SIZES)
def test_the_embedding_is_open_clips(name, states, files):
    teacher, images = ClipTeacher(model=name, weights=files[name]), torch.rand(3, 3, 50, 70)
    with torch.no_grad():
        found = teacher(images)
        expected = reference(name, states[name]).encode_image(standardised(images, SIZES[name]))
    assert expected.std(dim=0).max() > 0.01, "the tower does not tell images apart"
    torch.testing.assert_close(found.embedding, expected, atol=1e-5, rtol=1e-4)
    assert found.embedding.shape == (3, EMBEDDING)


@pytest.mark.parametrize(
    ("name", "modules", "shapes"),
    [
        ("tiny-ViT", [f"transformer.resblocks.{i}" for i in (1, 3, 5, 7)], [(32, 4, 4)] * 4),
        ("tiny-RN", [f"layer{i}" for i in (1, 2, 3, 4)], [(32 * 2**i, 16 // 2**i, 16 // 2**i) for i in range(4)]),
        ("tiny-timm", [f"trunk.blocks.{i}" for i in (1, 2, 3, 5)], [(64, 10, 10)] * 4),
    ],
)
def test_the_maps_are_what_its_blocks_put_out(name, modules, shapes, files):
    teacher, images = ClipTeacher(model=name, weights=files[name]), torch.rand(2, 3, SIZES[name], SIZES[name])
    seen: list[Tensor] = []
    for module in modules:
        teacher.tower.visual.get_submodule(module).register_forward_hook(lambda *given: seen.append(given[-1]))
    maps = teacher(images).maps
    assert [tuple(m.shape[1:]) for m in maps] == shapes
    assert len(seen) == 4
    for found, raw in zip(maps, seen, strict=True):
        tokens = raw if raw.ndim == 4 else raw[:, 1:].transpose(1, 2).unflatten(2, found.shape[2:])  # class token off
        torch.testing.assert_close(found, tokens)


@pytest.mark.parametrize(("name", "maps", "channels"), [("tiny-ViT", [3, 8], 32), ("tiny-RN", [3, 2], 64)])
def test_chosen_maps(name, maps, channels, files):
    images = torch.rand(1, 3, 64, 64)
    found = ClipTeacher(model=name, weights=files[name], maps=maps)(images)
    assert len(found.maps) == 2
    assert found.maps[1].shape[1] == channels
    torch.testing.assert_close(found.embedding, ClipTeacher(model=name, weights=files[name])(images).embedding)
    with pytest.raises(SettingsError, match="clip: maps 9 are impossible"):
        ClipTeacher(model=name, weights=files[name], maps=[9])


def test_a_genuine_checkpoint_loads_whole(states, tmp_path):
    state = states["tiny-ViT"]
    assert {"visual.transformer.resblocks.7.attn.in_proj_weight", "text_projection"} <= state.keys()
    file = save_training_checkpoint(state, tmp_path / "epoch_32.pt")
    own = ClipTeacher(model="tiny-ViT", weights=file).tower.visual.state_dict()
    assert own.keys() == {key.removeprefix("visual.") for key in state if key.startswith("visual.")}
    assert all(torch.equal(value, state[f"visual.{key}"]) for key, value in own.items())


def test_an_older_layout_of_the_text_tower_loads_too(states, tmp_path):
    """Where open_clip has moved the text tower under `text.`, it still reads checkpoints from before."""
    old = {key.removeprefix("text."): value for key, value in states["tiny-timm"].items()}
    old["logit_scale"] = old["logit_scale"].reshape(1)
    save_file(old, tmp_path / "old.safetensors")
    teacher = ClipTeacher(model="tiny-timm", weights=str(tmp_path / "old.safetensors"))
    kernel = "trunk.blocks.0.attn.qkv.weight"
    assert torch.equal(teacher.tower.visual.state_dict()[kernel], states["tiny-timm"][f"visual.{kernel}"])


def test_a_wrong_file_names_the_keys(states, tmp_path):
    state = dict(states["tiny-ViT"])
    state["visual.ln_mid.weight"] = state.pop("visual.ln_post.weight")
    save_file(state, tmp_path / "wrong.safetensors")
    words = r"missing \(visual.ln_post.weight\).*unexpected \(visual.ln_mid.weight\)"
    with pytest.raises(WeightsError, match=words) as error:
        ClipTeacher(model="tiny-ViT", weights=str(tmp_path / "wrong.safetensors"))
    assert "\n" not in str(error.value)
    with pytest.raises(
        WeightsError, match=r"do not fit CLIP.*missing \(visual.bn1.weight.*unexpected \(visual.class_emb"
    ):
        ClipTeacher(model="tiny-RN", weights=save_training_checkpoint(states["tiny-ViT"], tmp_path / "vit.pt"))


@pytest.mark.parametrize(("name", "size", "cells"), [("tiny-ViT", 48, 6), ("tiny-timm", 64, 4)])
def test_another_image_size_interpolates_the_positions(name, size, cells, files):
    teacher = ClipTeacher(model=name, weights=files[name], image_size=size)
    assert teacher.input_size == size
    features = teacher(torch.rand(1, 3, 70, 70))
    assert features.maps[0].shape[2:] == (cells, cells)
    assert features.embedding.isfinite().all()


def test_teacher_stays_frozen_in_evaluation_mode(files):
    teacher = ClipTeacher(model="tiny-RN", weights=files["tiny-RN"]).train()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    teacher(image).embedding.sum().backward()
    assert image.grad is not None
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


@pytest.mark.parametrize("name", SIZES)
def test_half_precision_by_autocast(name, files):
    teacher, images = ClipTeacher(model=name, weights=files[name]), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        exact = teacher(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = teacher(images)
    assert F.cosine_similarity(rough.embedding.float(), exact.embedding).min() > 0.99


def test_open_clip_neither_prints_nor_leaves_a_handler(files, capfd):
    before = logging.getLogger().handlers[:]
    ClipStudent(model="tiny-ViT")
    ClipTeacher(model="tiny-ViT", weights=files["tiny-ViT"])
    assert logging.getLogger().handlers == before
    assert logging.getLogger().manager.disable == 0
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def tag(monkeypatch, files):
    """A tag of tiny-ViT in open_clip's registry, whose weights are a file."""
    monkeypatch.setitem(registry._PRETRAINED, "tiny-ViT", {"tiny_2b": TAG, "filed": TAG | {"file": files["tiny-ViT"]}})


def test_a_tag_brings_its_normalisation(tag, files):
    fetched, named = ClipTeacher(model="tiny-ViT", pretrained="filed"), ClipTeacher(
        model="tiny-ViT", pretrained="tiny-2b", weights=files["tiny-ViT"]
    )  # fmt: skip
    images = torch.rand(1, 3, 32, 32)
    for teacher in (fetched, named):
        assert (teacher.mean, teacher.std) == (TAG["mean"], TAG["std"])
    assert torch.equal(fetched(images).embedding, named(images).embedding)


@pytest.mark.parametrize("kind", [ClipTeacher, ClipStudent])
def test_offline_is_one_line(tag, kind):
    with pytest.raises(WeightsError, match=r"weights 'tiny_2b' of tiny-ViT could not be had .*; go online") as error:
        kind(model="tiny-ViT", pretrained="tiny_2b")
    assert "\n" not in str(error.value)


def test_impossible_settings_are_one_line(tag, files):
    for kind, settings, words in [
        (ClipTeacher, {"model": "tiny-ViT"}, "must have learnt something; set pretrained to a tag of tiny-ViT"),
        (ClipTeacher, {"model": "tiny-ViTs", "pretrained": "x"}, "no model 'tiny-ViTs'. Did you mean 'tiny-ViT'"),
        (ClipTeacher, {"model": "tiny-ViT", "pretrained": "tiny_3b"}, "no pretrained weights 'tiny_3b'. Did you mean"),
        (ClipTeacher, {"model": "tiny-RN", "pretrained": "openai"}, "It has none; give a weights file"),
        (ClipTeacher, {"model": "ViT-B/16", "pretrained": "openai"}, "set model to ViT-B-16-quickgelu"),
        (ClipStudent, {"model": "tiny-ViT", "image_size": 0}, "image_size 0 must be at least 1"),
        (ClipStudent, {"model": "tiny-ViT", "lora_rank": 0}, "lora_rank 0 must be at least 1"),
        (ClipStudent, {"model": "tiny-ViT", "head": "text", "live_prompts": []}, "need a text each"),
    ]:
        with pytest.raises(SettingsError, match=words) as error:
            kind(**settings)
        assert "\n" not in str(error.value)


def test_the_student_announces_what_it_gives(files):
    for name, channels, strides in [
        ("tiny-ViT", (32,) * 4, (8,) * 4),
        ("tiny-RN", (32, 64, 128, 256), (4, 8, 16, 32)),
        ("tiny-timm", (64,) * 4, (16,) * 4),
    ]:
        student = ClipStudent(model=name)
        assert (student.channels, student.strides, student.embedding_dim) == (channels, strides, EMBEDDING)
        features = student(torch.rand(2, 3, 40, 40))
        assert tuple(m.shape[1] for m in features.maps) == channels
        assert features.embedding.shape == (2, EMBEDDING)


@pytest.mark.parametrize("name", SIZES)
def test_all_of_a_student_trains_and_starts_where_its_weights_are(name, files):
    student, images = ClipStudent(model=name, weights=files[name]), torch.rand(4, 3, 64, 64)
    teacher = ClipTeacher(model=name, weights=files[name])
    torch.testing.assert_close(student.eval()(images).embedding, teacher(images).embedding)
    Detector(student.train()).classify(student(images)).square().sum().backward()
    parameters = dict(student.named_parameters())
    assert len(parameters) > 20
    assert [key for key, p in parameters.items() if p.grad is None] == []


@pytest.mark.parametrize("name", SIZES)
def test_lora_starts_at_the_weights_and_trains_nothing_else(name, files):
    torch.manual_seed(0)
    student, images = ClipStudent(model=name, weights=files[name], tuning="lora", lora_rank=2), torch.rand(4, 3, 64, 64)
    teacher = ClipTeacher(model=name, weights=files[name])
    torch.testing.assert_close(student(images).embedding, teacher(images).embedding)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    trained = {key for key, p in student.named_parameters() if p.requires_grad}
    assert {key.rpartition(".")[2] for key in trained} == {"a", "b"}
    optimizer = torch.optim.SGD([p for p in student.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):  # A learns from the second step on, since B is zero at first
        optimizer.zero_grad()
        student.train()(images).embedding.square().mean().backward()
        optimizer.step()
    moved = {key for key, value in student.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == trained
    assert not torch.allclose(student(images).embedding, teacher(images).embedding)


def test_lora_reaches_every_projection_and_is_the_low_rank_sum(files):
    student = ClipStudent(model="tiny-ViT", weights=files["tiny-ViT"], tuning="lora", lora_rank=3, lora_alpha=6.0)
    matrices = [
        f"transformer.resblocks.{block}.{path}"
        for block in range(8)
        for path in ("attn.parametrizations.in_proj_weight", "attn.out_proj.parametrizations.weight",
                     "mlp.c_fc.parametrizations.weight", "mlp.c_proj.parametrizations.weight")
    ]  # fmt: skip
    visual = student.tower.visual
    assert {key.rpartition(".0.")[0] for key, p in visual.named_parameters() if p.requires_grad} == set(matrices)
    plain = {}
    with torch.no_grad():
        for key, p in visual.named_parameters():
            if key.endswith(".b"):
                p.normal_()
        state = visual.state_dict()
        for at in matrices:
            a, b, whole = (state[f"{at}.{part}"] for part in ("0.a", "0.b", "original"))
            assert (a.shape[0], b.shape[1]) == (3, 3)
            plain[at.replace("parametrizations.", "")] = whole + 6.0 / 3 * b @ a
        teacher, images = ClipTeacher(model="tiny-ViT", weights=files["tiny-ViT"]), torch.rand(2, 3, 32, 32)
        teacher.tower.visual.load_state_dict(teacher.tower.visual.state_dict() | plain)
        torch.testing.assert_close(student.eval()(images).embedding, teacher(images).embedding, atol=1e-4, rtol=1e-4)


def test_a_frozen_tower_moves_nothing_and_its_linear_head_learns(files):
    detector = Detector(ClipStudent(model="tiny-RN", weights=files["tiny-RN"], tuning="frozen")).train()
    before = {key: value.clone() for key, value in detector.student.state_dict().items()}
    assert {key for key, p in detector.named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}
    assert isinstance(detector.head, nn.Linear)
    detector.classify(detector.student(torch.rand(4, 3, 64, 64))).square().sum().backward()
    assert detector.head.weight.grad is not None
    assert all(torch.equal(value, before[key]) for key, value in detector.student.state_dict().items())


def test_texts_score_as_open_clips_zero_shot_classifier(states, files):
    live, attack = ["a real face", "a photo of somebody"], ["a printed face", "a screen", "a mask"]
    texts = {"head": "text", "live_prompts": live, "attack_prompts": attack}
    student = ClipStudent(model="tiny-ViT", weights=files["tiny-ViT"], tuning="frozen", **texts)
    detector, images = Detector(student).eval(), torch.rand(5, 3, 32, 32)
    model = reference("tiny-ViT", states["tiny-ViT"])
    tokenizer = open_clip.get_tokenizer("tiny-ViT")
    classes = [
        open_clip.build_zero_shot_classifier(model, tokenizer, texts, [lambda text: text]).mean(dim=1)
        for texts in (attack, live)
    ]
    with torch.no_grad():
        image = model.encode_image(standardised(images, 32), normalize=True)
        cosines = torch.stack([image @ F.normalize(vector, dim=0) for vector in classes], dim=1)
        expected = (cosines * torch.tensor(3.0).exp()).softmax(dim=1)[:, 1]
        torch.testing.assert_close(detector(images), expected)
    assert expected.std() > 1e-4
    assert {key for key, p in detector.named_parameters() if p.requires_grad} == {"head.log_scale"}


def test_the_text_head_keeps_single_precision_under_autocast(files):
    head = Detector(ClipStudent(model="tiny-ViT", weights=files["tiny-ViT"], head="text")).head
    embedding = torch.randn(6, EMBEDDING)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(embedding), head(embedding))
        rough = head(embedding)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, head(embedding))


def test_the_own_texts_are_there_and_differ():
    assert len({*LIVE, *ATTACK}) == len(LIVE) + len(ATTACK) > 6


@pytest.mark.parametrize(
    "settings",
    [
        {"tuning": "lora", "head": "text", "lora_rank": 2},
        {"tuning": "frozen", "head": "linear"},
        {"tuning": "full", "head": "text"},
    ],
)
def test_a_bundle_brings_it_back_without_tag_file_or_texts(tag, tmp_path, monkeypatch, settings):
    settings |= {"model": "tiny-ViT", "pretrained": "filed"}
    detector = Detector(ClipStudent(**settings)).eval()
    with torch.no_grad():
        for p in detector.parameters():
            p.add_(torch.randn_like(p) * 0.01)
    bundle = Bundle(
        student="clip", settings=settings | {"weights": None}, image_size=32, simulated=True,
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip
    save_bundle(tmp_path / "model", detector, bundle)

    def never(*args, **kwargs):
        raise AssertionError("a bundle holds all it needs")

    monkeypatch.setattr(open_clip, "download_pretrained", never)
    monkeypatch.setattr(open_clip, "get_tokenizer", never)
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_bundle(tmp_path / "model", Catalog())[0](images), detector(images))


def test_a_run_starts_from_a_run(tag, tmp_path):
    detector = Detector(ClipStudent(model="tiny-ViT", pretrained="filed"))
    thresholds = (BundleThreshold(policy="source-dev", value=0.5),)
    about = Bundle(student="clip", settings={}, image_size=32, thresholds=thresholds, simulated=True)
    save_bundle(tmp_path / "run" / "model", detector, about)
    found = ClipStudent(model="tiny-ViT", weights=str(tmp_path / "run")).state_dict()
    assert found.keys() == detector.student.state_dict().keys()
    assert all(torch.equal(value, found[key]) for key, value in detector.student.state_dict().items())
    with pytest.raises(SettingsError, match=r"use student\.head linear"):
        ClipStudent(model="tiny-ViT", weights=str(tmp_path / "run"), head="text")
    larger = ClipStudent(model="tiny-ViT", weights=str(tmp_path / "run"), image_size=48)
    assert larger(torch.rand(1, 3, 48, 48)).maps[0].shape[2:] == (6, 6)


def test_a_prefix_around_a_checkpoint(states, tmp_path):
    wrapped = {f"module.{key}": value for key, value in states["tiny-ViT"].items()}
    save_file(wrapped, tmp_path / "ddp.safetensors")
    teacher = ClipTeacher(model="tiny-ViT", weights=str(tmp_path / "ddp.safetensors"))
    kernel = teacher.tower.visual.state_dict()["proj"]
    assert torch.equal(kernel, states["tiny-ViT"]["visual.proj"])


def test_both_roles_are_offered_with_a_licence_note():
    for (spec,), role in [(padkit_teachers(), "teacher"), (padkit_students(), "student")]:
        assert spec.name == "clip"
        assert spec.factory == f"padkit_clip.{role}:Clip{role.title()}"
        assert "licence" in spec.licence
