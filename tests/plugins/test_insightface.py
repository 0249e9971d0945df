"""insightface's networks, converted to torch, are what onnxruntime runs; packs are found, faults are named."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx2pytorch
import pytest
import requests
import torch
from insightface import model_zoo
from onnx import helper, numpy_helper
from onnx_faces import Graph, randomise, write_decoy, write_iresnet, write_mobilefacenet
from torch.utils._python_dispatch import TorchDispatchMode

from padkit import weights
from padkit.errors import WeightsError
from padkit_arcface.network import IResNet, IResNetShape
from padkit_arcface.teacher import ArcFaceTeacher
from padkit_arcface.zoo_teacher import InsightFaceTeacher

torch.set_num_threads(1)

NARROW = IResNetShape(channels=(8, 16, 32, 64), stem=8, embedding=32)
SIZES = (56, 28, 14, 7)


@pytest.fixture(scope="module")
def network() -> IResNet:
    return randomise(IResNet(NARROW))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, network) -> Path:
    """insightface's folder with two packs as they unpack; that of antelopev2 lies in a folder of its own name."""
    root = tmp_path_factory.mktemp("insightface")
    pack = root / "models" / "buffalo_l"
    write_iresnet(pack / "w600k_r50.onnx", network)
    write_decoy(pack / "1k3d68.onnx", size=192)
    write_decoy(pack / "genderage.onnx", size=96)
    write_decoy(pack / "det_10g.onnx", size=None, outputs=9)
    nested = root / "models" / "antelopev2" / "antelopev2"
    write_iresnet(nested / "glintr100.onnx", network, raw=True)
    write_decoy(nested / "scrfd_10g_bnkps.onnx", size=None, outputs=9)
    return root


def crops(count: int = 3) -> tuple[list[np.ndarray], torch.Tensor]:
    """Aligned faces as OpenCV has them (BGR, uint8) and as padkit has them (RGB, [0, 1])."""
    generator = np.random.default_rng(0)
    faces = [generator.integers(0, 256, (112, 112, 3), dtype=np.uint8) for _ in range(count)]
    images = torch.from_numpy(np.stack(faces)[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    return faces, images


def check_against_insightface(teacher: InsightFaceTeacher, file: Path) -> None:
    faces, images = crops()
    recogniser = model_zoo.get_model(str(file), providers=["CPUExecutionProvider"])
    expected = np.concatenate([recogniser.get_feat(face) for face in faces])
    with torch.no_grad():
        found = teacher(images).embedding
    assert expected.std() > 0.1
    assert np.abs(expected[0] - expected[1]).max() > 0.01, "the network does not tell faces apart"
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(("pack", "file"), [("buffalo_l", "w600k_r50"), ("antelopev2", "antelopev2/glintr100")])
def test_a_pack_gives_the_embedding_of_get_feat(zoo, pack, file):
    teacher = InsightFaceTeacher(model=pack, root=str(zoo))
    check_against_insightface(teacher, zoo / "models" / pack / f"{file}.onnx")
    assert teacher.input_size == 112
    # Graphs that standardise pixels themselves are told by their first nodes, which is insightface's rule.
    assert (teacher.mean[0], teacher.std[0]) == ((0.5, 0.5) if pack == "buffalo_l" else (0.0, 1 / 255))


@pytest.mark.parametrize("baked", [False, True])
def test_a_mobilefacenet_gives_the_embedding_of_get_feat(tmp_path, baked):
    file = write_mobilefacenet(tmp_path / "w600k_mbf.onnx", baked=baked)
    teacher = InsightFaceTeacher(model=str(file))
    check_against_insightface(teacher, file)
    maps = teacher(torch.rand(2, 3, 112, 112)).maps
    assert [tuple(m.shape[2:]) for m in maps] == [(n, n) for n in SIZES]


def test_a_folder_is_a_pack_too(zoo):
    by_folder = InsightFaceTeacher(model=str(zoo / "models" / "buffalo_l"))
    by_name = InsightFaceTeacher(root=str(zoo))
    images = crops(1)[1]
    assert torch.equal(by_folder(images).embedding, by_name(images).embedding)


def test_maps_and_embedding_are_those_of_the_same_network_as_a_checkpoint(zoo, network, tmp_path):
    state = tmp_path / "backbone.safetensors"
    weights.write_weights(state, network.state_dict())
    images = torch.rand(2, 3, 90, 130)
    with torch.no_grad():
        expected = ArcFaceTeacher(weights=str(state))(images)
        found = InsightFaceTeacher(root=str(zoo))(images)
    assert [tuple(m.shape) for m in found.maps] == [(2, c, n, n) for c, n in zip((8, 16, 32, 64), SIZES, strict=True)]
    for one, other in zip([*found.maps, found.embedding], [*expected.maps, expected.embedding], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


class Operations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.add(func.name())
        return func(*args, **(kwargs or {}))


def test_no_value_goes_through_the_host(zoo, tmp_path):
    teachers = [
        InsightFaceTeacher(root=str(zoo)),
        InsightFaceTeacher(model=str(write_mobilefacenet(tmp_path / "mbf.onnx"))),
    ]
    images = torch.rand(2, 3, 64, 64)
    for teacher in teachers:
        with Operations() as operations:
            teacher(images)
        assert {"aten::convolution", "aten::mul.Tensor"} <= operations.seen
        # What reads a number off a device, what makes a tensor of numbers, and what moves one.
        assert not {name for name in operations.seen if "scalar_dense" in name or "lift" in name or "copy" in name}


def test_half_precision_by_autocast(zoo):
    teacher, images = InsightFaceTeacher(root=str(zoo)), crops()[1]
    with torch.no_grad():
        exact = teacher(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = teacher(images)
    assert rough.embedding.dtype == torch.bfloat16
    assert torch.nn.functional.cosine_similarity(rough.embedding.float(), exact.embedding).min() > 0.99


def test_nothing_in_it_trains(zoo):
    teacher = InsightFaceTeacher(root=str(zoo)).train()
    assert list(teacher.parameters())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not any(module.training for module in teacher.modules())
    other = InsightFaceTeacher(root=str(zoo))
    other.network.load_state_dict({k: v * 0 for k, v in teacher.network.state_dict().items()})
    other.load_state_dict(teacher.state_dict())
    images = crops(1)[1]
    assert torch.equal(other(images).embedding, teacher(images).embedding)


def one_line(error: pytest.ExceptionInfo[WeightsError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_pack_that_is_not_there_names_its_place_and_licence(tmp_path):
    with pytest.raises(WeightsError, match="set download to true") as error:
        InsightFaceTeacher(root=str(tmp_path))
    text = one_line(error)
    assert "unpack buffalo_l.zip from https://github.com/deepinsight/insightface" in text
    assert str(tmp_path / "models" / "buffalo_l") in text
    assert "non-commercial" in text
    assert not list(tmp_path.iterdir()), "asking is not fetching"
    with pytest.raises(WeightsError, match="Did you mean 'buffalo_l'"):
        InsightFaceTeacher(model="bufalo_l", root=str(tmp_path))


def test_offline_is_one_line(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise requests.ConnectionError("no route\nto host")

    monkeypatch.setattr(requests, "get", no_network)
    with pytest.raises(WeightsError, match=r"could not be downloaded \(ConnectionError: no route\); go online, or unp"):
        InsightFaceTeacher(root=str(tmp_path), download=True)


def test_insightface_downloads_on_request(zoo, tmp_path, monkeypatch, capsys):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(zoo / "models" / "buffalo_l" / "w600k_r50.onnx", "w600k_r50.onnx")
    asked: list[str] = []

    class Response:
        status_code, headers = 200, {}

        def iter_content(self, chunk_size):
            yield packed.getvalue()

    def get(url, **kwargs):
        asked.append(url)
        return Response()

    monkeypatch.setattr(requests, "get", get)
    teacher = InsightFaceTeacher(root=str(tmp_path), download=True)
    assert [url.rpartition("/")[2] for url in asked] == ["buffalo_l.zip"]
    told = capsys.readouterr()
    assert "downloading buffalo_l: insightface's models are for non-commercial research only" in told.err
    assert told.out == ""
    images = crops(1)[1]
    assert torch.equal(teacher(images).embedding, InsightFaceTeacher(root=str(zoo))(images).embedding)
    InsightFaceTeacher(root=str(tmp_path), download=True)
    assert len(asked) == 1, "what is there is not fetched again"


@pytest.mark.parametrize(("size", "outputs", "found"), [(192, 1, "landmark"), (96, 1, "attribute"), (64, 1, "nothing")])
def test_other_networks_are_refused(tmp_path, size, outputs, found):
    file = write_decoy(tmp_path / "pack" / "decoy.onnx", size=size, outputs=outputs)
    with pytest.raises(WeightsError, match=f"takes {file} for {found}"):
        InsightFaceTeacher(model=str(file))
    with pytest.raises(WeightsError, match=f"{file.parent} holds no recognition network") as error:
        InsightFaceTeacher(model=str(file.parent))
    one_line(error)


def test_missing_files_and_empty_folders(tmp_path):
    for model, words in [
        (str(tmp_path / "no.onnx"), "no.onnx does not exist"),
        (str(tmp_path / "no"), "folder .*no does not exist"),
        (str(tmp_path), "holds no recognition network"),
    ]:
        with pytest.raises(WeightsError, match=words) as error:
            InsightFaceTeacher(model=model)
        one_line(error)


class Touch:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_pickle_in_an_onnx_file_is_not_run(tmp_path):
    file, marker = tmp_path / "evil.onnx", tmp_path / "ran"
    file.write_bytes(pickle.dumps(Touch(marker)))
    with pytest.raises(WeightsError, match="insightface cannot open") as error:
        InsightFaceTeacher(model=str(file))
    one_line(error)
    assert not marker.exists()


def small(tmp_path: Path, change) -> str:
    """A network of one convolution and one linear layer, changed before it is saved."""
    graph = Graph()
    conv = randomise(torch.nn.Conv2d(3, 2, 3, stride=8))
    x = graph.add("Flatten", graph.conv("input.1", conv), axis=1)
    linear = randomise(torch.nn.Linear(2 * 14 * 14, 4))
    graph.add("Gemm", x, graph.constant(linear.weight), graph.constant(linear.bias), output="683", transB=1)
    file = graph.save(tmp_path / "small.onnx", "683", dim=4)
    model = onnx.load(file)
    change(model)
    onnx.save(model, file)
    return str(file)


def insert(operator: str, *constants: np.ndarray, **attributes):
    """Put a node behind the convolution."""

    def change(model):
        graph = model.graph
        names = [f"constant_{index}" for index in range(len(constants))]
        graph.initializer.extend(numpy_helper.from_array(*pair) for pair in zip(constants, names, strict=True))
        inputs = [graph.node[0].output[0], *names]
        graph.node.insert(1, helper.make_node(operator, inputs, ["new"], "middle", **attributes))
        graph.node[2].input[0] = "new"
        if "domain" in attributes:
            model.opset_import.append(helper.make_opsetid(attributes["domain"], 1))

    return change


def scale(model):
    model.graph.node[2].attribute.append(helper.make_attribute("alpha", 0.5))


def pad_unevenly(model):
    pads = next(entry for entry in model.graph.node[0].attribute if entry.name == "pads")
    pads.ints[:] = [0, 1, 1, 0]


def write_down_weights(model):
    """Weights as nodes, which is PaddlePaddle's way."""
    weights = list(model.graph.initializer)
    del model.graph.initializer[:]
    for tensor in reversed(weights):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))


def compute_weights(model):
    conv = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Identity", [conv.input[1]], ["weight"]))
    conv.input[1] = "weight"


def shrink(model):
    """Take strides that leave fewer numbers than the linear layer wants."""
    strides = next(entry for entry in model.graph.node[0].attribute if entry.name == "strides")
    strides.ints[:] = [16, 16]


def mix(model):
    """Run the embeddings of a batch together."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), "row"))
    graph.node[2].output[0] = "rows"
    graph.node.append(helper.make_node("Reshape", ["rows", "row"], ["683"], "view"))
    graph.output[0].CopyFrom(helper.make_tensor_value_info("683", onnx.TensorProto.FLOAT, [4]))


KNOWN = {
    "as it is": lambda model: None,
    "any operator of ONNX": insert("Softplus"),
    "scaled product": scale,
    "weights as nodes": write_down_weights,
    "uneven padding": pad_unevenly,
    "view of one image": insert("Reshape", np.array([1, 2, 14, 14])),
}
FAULTS = {
    "operator of another domain": (
        insert("Gelu", domain="com.microsoft"),
        r"operator com.microsoft.Gelu is not ONNX's own; export it from arcface_torch",
    ),
    "computed weights": (compute_weights, r"small.onnx: onnx2pytorch cannot convert it \(IndexError: "),
    "wrong size": (shrink, r"small.onnx: onnxruntime cannot run it \("),
    "mixed batch": (mix, r"small.onnx makes \(8,\) of 2 images, not one embedding each"),
}


@pytest.mark.parametrize("change", KNOWN.values(), ids=KNOWN)
def test_other_networks_give_the_embedding_of_get_feat(tmp_path, change):
    file = small(tmp_path, change)
    teacher = InsightFaceTeacher(model=file)
    check_against_insightface(teacher, Path(file))
    assert [tuple(m.shape) for m in teacher(torch.rand(1, 3, 112, 112)).maps] == [(1, 2, 14, 14)]


def test_newer_exports_say_that_they_do_not_train(tmp_path, network):
    file = write_iresnet(tmp_path / "newer.onnx", network)
    model = onnx.load(file)
    model.opset_import[0].version, model.ir_version = 17, 8
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            node.attribute.append(helper.make_attribute("training_mode", 0))
    onnx.save(model, file)
    check_against_insightface(InsightFaceTeacher(model=str(file)), file)


def test_a_conversion_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    file = small(tmp_path, insert("PRelu", np.full((2, 1, 1), 0.25, np.float32)))
    InsightFaceTeacher(model=file)
    monkeypatch.setattr(onnx2pytorch.operations.PRelu, "forward", lambda self, x, slope: x.relu())
    with pytest.raises(WeightsError, match=r"value new in torch differs from onnxruntime's") as error:
        InsightFaceTeacher(model=file)
    one_line(error)


def test_building_it_draws_no_random_numbers(zoo):
    before = torch.get_rng_state()
    InsightFaceTeacher(root=str(zoo))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_known_is_named(tmp_path, change, words):
    with pytest.raises(WeightsError, match=words) as error:
        InsightFaceTeacher(model=small(tmp_path, change))
    one_line(error)


def test_a_checkpoint_option_given_an_onnx_file_says_which_teacher_takes_it():
    with pytest.raises(WeightsError, match="the teacher `insightface` takes it"):
        ArcFaceTeacher(weights="w600k_r50.onnx")
