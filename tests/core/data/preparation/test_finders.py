"""Face finders: what the dataset says, what the cascade sees, and insightface's SCRFD with a network of our own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from portrait import BOX, EYES, portrait

from padkit.data.preparation import scrfd
from padkit.data.preparation.finders import FINDERS, check_finder, finder, hinted, largest, nearest_hint
from padkit.data.presentation import FaceHint
from padkit.errors import SettingsError, WeightsError

BOXED = FaceHint(box=BOX)

picture = Image.fromarray


def overlap(one, other) -> float:
    """Return intersection over union of two boxes."""
    (x, y, w, h), (a, b, c, d) = one, other
    shared = max(min(x + w, a + c) - max(x, a), 0) * max(min(y + h, b + d) - max(y, b), 0)
    return shared / (w * h + c * d - shared)


def test_hints():
    frame = Image.new("RGB", (9, 9))
    assert finder("hints") is hinted
    assert hinted(frame, BOXED) == [BOXED]
    assert hinted(frame, FaceHint(eyes=EYES)) == [FaceHint(eyes=EYES)]
    assert hinted(frame, None) == []
    assert hinted(frame, FaceHint()) == []


def test_the_nearest_hint():
    hints = {2: FaceHint(box=(2, 2, 2, 2)), 8: FaceHint(box=(8, 8, 8, 8)), 9: FaceHint(box=(9, 9, 9, 9))}
    found = [nearest_hint(hints, number).box[0] for number in (0, 2, 4, 5, 6, 8, 9, 50)]
    assert found == [2, 2, 2, 2, 8, 8, 9, 9]
    assert nearest_hint({}, 3) is None


def test_the_largest_face():
    faces = [FaceHint(box=(0, 0, 9, 9)), FaceHint(eyes=(0, 0, 5, 0)), FaceHint(box=(5, 5, 10, 9)), FaceHint()]
    assert largest(faces) == faces[1]
    assert largest(faces[::2]) == faces[2]


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_lbp_finds_a_face(scale):
    (face,) = finder("lbp")(picture(portrait(scale)), None)
    box = tuple(value / scale for value in face.box)
    assert overlap(box, BOX) > 0.7
    assert box[0] < EYES[0] < EYES[2] < box[0] + box[2]
    assert box[1] < EYES[1] < box[1] + box[3]
    assert face.eyes is None


def test_lbp_finds_none_and_two():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for nothing in (noise, np.full((300, 200, 3), 128, np.uint8), np.zeros((8, 300, 3), np.uint8)):
        assert finder("lbp")(picture(nothing), None) == []
    both = finder("lbp")(picture(np.concatenate([portrait(), portrait()], axis=1)), BOXED)
    assert len(both) == 2
    assert abs(both[0].box[0] - both[1].box[0]) == pytest.approx(256, abs=12)


def test_lbp_tight_finds_faces_that_fill_the_picture_as_large_as_they_are():
    x, y, width, height = (round(value) for value in BOX)
    tight = picture(portrait()[y : y + height, x : x + width])
    (face,) = finder("lbp-tight")(tight, None)
    assert overlap(face.box, (0, 0, width, height)) > 0.8
    (usual,) = finder("lbp-tight")(picture(portrait()), None)
    assert overlap(usual.box, BOX) > 0.7
    assert finder("lbp-tight")(picture(np.zeros((8, 300, 3), np.uint8)), None) == []


def test_lbp_tight_passes_no_small_face_over():
    small, large = portrait(0.35), portrait()
    both = np.full((256, 400, 3), 90, np.uint8)
    both[:, :256], both[80 : 80 + len(small), 290 : 290 + len(small)] = large, small
    assert len(finder("lbp-tight")(picture(both), None)) == len(finder("lbp")(picture(both), None)) == 2


def test_auto_trusts_the_dataset_first():
    assert finder("auto")(picture(portrait()), BOXED) == [BOXED]
    (face,) = finder("auto")(picture(portrait()), None)
    assert overlap(face.box, BOX) > 0.5


def test_none_is_the_whole_frame():
    assert finder("none")(picture(portrait()), BOXED) == [FaceHint()]


def test_unknown_finders_are_refused():
    with pytest.raises(SettingsError, match=r"'mtcn'.*auto, hints, lbp, lbp-tight, none, scrfd"):
        check_finder("mtcn")
    assert set(FINDERS) == {"auto", "hints", "lbp", "lbp-tight", "scrfd", "none"}


# ---- SCRFD


def detector(path, score: float = 0.9):
    """Write a network with SCRFD's nine outputs that reports one face at stride 32, whatever it sees.

    Its anchor is the second of the two at column 5, row 4 of 640 / 32 = 20: the point (160, 128). The distances to the
    box's sides and the offsets of the five landmarks are in strides.
    """
    outputs, nodes = [], []
    rows = {8: 12800, 16: 3200, 32: 800}
    place = 2 * (4 * 20 + 5) + 1
    face = {"score": [score], "box": [1.0, 2.0, 3.0, 4.0], "points": [2, 1, -1, 1, 0, 2, -1, 3, 1, 3]}
    for kind, values in face.items():
        for stride, count in rows.items():
            table = np.zeros((count, len(values)), np.float32)
            if stride == 32:
                table[place] = values
            name = f"{kind}{stride}"
            tensor = numpy_helper.from_array(table, f"{name}_value")
            nodes.append(helper.make_node("Constant", [], [name], value=tensor))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, table.shape))
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    model = helper.make_model(
        helper.make_graph(nodes, "scrfd", [image], outputs),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, path)
    return path


def test_scrfd_gives_boxes_and_eyes_in_pixels_of_the_frame(tmp_path):
    find = finder("scrfd", str(detector(tmp_path / "det_toy.onnx")))
    # A frame twice as large as the network's square: the longer side is fitted to 640.
    (face,) = find(Image.new("RGB", (1280, 960)), None)
    assert face.box == pytest.approx((2 * (160 - 32), 2 * (128 - 64), 2 * 4 * 32, 2 * 6 * 32))
    # The eye further left in the image comes first, though the network gave it second.
    assert face.eyes == pytest.approx((2 * (160 - 32), 2 * (128 + 32), 2 * (160 + 64), 2 * (128 + 32)))


def test_scrfd_may_find_nothing(tmp_path):
    assert finder("scrfd", str(detector(tmp_path / "det_blind.onnx", score=0.3)))(picture(portrait()), None) == []


def test_scrfd_weights_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(scrfd, "ZOO", tmp_path / "zoo")
    with pytest.raises(WeightsError, match=r"'buffalo_l' is not in .*zoo.*--download.*--face-model FILE.*--face lbp"):
        scrfd.scrfd_weights("buffalo_l", download=False)
    with pytest.raises(WeightsError, match=r"mine\.onnx does not exist"):
        scrfd.scrfd_weights(str(tmp_path / "mine.onnx"), download=False)
    pack = tmp_path / "zoo" / "buffalo_l"
    pack.mkdir(parents=True)
    for name in ("w600k_r50.onnx", "det_10g.onnx", "2d106det.onnx"):
        (pack / name).write_bytes(b"")
    assert scrfd.scrfd_weights("buffalo_l", download=False) == pack / "det_10g.onnx"


def test_scrfd_offline_is_one_line(tmp_path, monkeypatch):
    from insightface.utils import storage

    def unreachable(*_):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(scrfd, "ZOO", tmp_path)
    monkeypatch.setattr(storage, "ensure_available", unreachable)
    with pytest.raises(WeightsError) as error:
        scrfd.scrfd_weights("buffalo_l", download=True)
    assert "could not be fetched (ConnectionError: no route)" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_networks_are_refused(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"what is this?")
    with pytest.raises(WeightsError, match="cannot be read"):
        finder("scrfd", str(tmp_path / "broken.onnx"))
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "one", [value], [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    ])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "o.onnx")
    with pytest.raises(WeightsError, match="is no SCRFD"):
        finder("scrfd", str(tmp_path / "o.onnx"))


def test_finders_import_no_torch(tmp_path):
    file = detector(tmp_path / "det_toy.onnx")
    code = f"""
import sys
from PIL import Image
from padkit.data.preparation.finders import FINDERS, finder
for name in FINDERS:
    finder(name, {str(file)!r})(Image.new("RGB", (64, 64)), None)
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=600).returncode == 0
