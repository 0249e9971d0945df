"""A peer's files: opened, refused, and what their numbers are taken for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from peer_files import write_means

from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import CONTENT, Presentation
from padkit.data.reader import DatasetReader
from padkit.deploy.peer import Peer, View
from padkit.deploy.peer_scores import _live, open_peer, score_dataset
from padkit.errors import PadkitError, WeightsError

EYE = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
VIEW = View(width=8, height=8)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_means(tmp_path_factory.mktemp("peer") / "means.onnx", 8, EYE)


@pytest.mark.parametrize("batch", ["batch", 1])
def test_a_file_scores_several_pictures_even_if_it_takes_one_at_a_time(tmp_path, batch):
    path = write_means(tmp_path / "one.onnx", 8, EYE, batch=batch)
    (one,) = open_peer(Peer(views=(VIEW,)), [path])
    pictures = [np.full((8, 8, 3), (value, 2, 3), dtype=np.uint8) for value in (10, 20)]
    assert one.outputs(pictures).tolist() == [[10, 2, 3], [20, 2, 3]]


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (View(width=9, height=8), "takes ['batch', 3, 8, 8], the adapter describes [B, 3, 8, 9]"),
        (View(width=8, height=8, layout="nhwc"), "the adapter describes [B, 8, 8, 3]"),
    ],
)
def test_a_file_that_takes_something_else_is_refused(network, view, told):
    with pytest.raises(WeightsError, match=re.escape(told)):
        open_peer(Peer(views=(view,)), [network])


def test_files_that_are_missing_too_many_or_no_networks(network, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for files, told in (
        ([network, network], "names 2 files, the adapter describes 1 (8 x 8)"),
        ([tmp_path / "none.onnx"], "does not exist; padkit ships no peer's weights"),
        ([tmp_path / "weights.pth"], "is no .onnx file"),
        ([tmp_path / "bad.onnx"], "cannot be read"),
    ):
        with pytest.raises(PadkitError, match=re.escape(told)):
            open_peer(Peer(views=(VIEW,)), files)


class Pictures(DatasetReader):
    """A live face, an attack, and an attack on a picture without a face."""

    cropped = True

    def records(self):
        for name, label, session in (("live", 1, ""), ("print", 0, ""), ("vase", 0, CONTENT)):
            yield Presentation(dataset="set", domain="desk", id=name, label=label, session=session)

    def frames(self, presentation):
        yield np.full((8, 8, 3), (presentation.label, 2, 3), dtype=np.uint8)


def test_pictures_without_faces_are_not_scored_and_counted(network):
    peer = Peer(views=(VIEW,), outputs="logits")
    options = CropOptions(frames="all", face="none")
    found = score_dataset(peer, open_peer(peer, [network]), Pictures(), options, name="set")
    assert found.columns["presentation"].tolist() == ["live", "print"]
    assert found.asked == {1: 1, 0: 1}
    assert "1 presentations of content, which shows no face, are left out." in found.notes


LOGITS = np.array([[0.0, 2.0], [1.0, -1.0]])
SHARES = np.array([[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("settings", "found", "live"),
    [
        ({"live": 1}, LOGITS, [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]),
        ({"live": 1}, SHARES, [0.75, 0.5]),
        ({"live": 0, "outputs": "logits"}, LOGITS, [1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))]),
        ({"live": 0, "outputs": "probabilities"}, SHARES, [0.25, 0.5]),
        ({}, np.array([[0.2], [0.9]]), [0.2, 0.9]),
        ({"attack_scores": True}, np.array([[0.2], [0.9]]), [0.8, 0.1]),
        ({}, np.array([[0.0], [3.0]]), [0.5, 1 / (1 + np.exp(-3))]),
        ({"outputs": "sigmoid"}, np.array([[-1e9], [1e9]]), [0, 1]),
    ],
)
def test_what_numbers_mean(tmp_path, settings, found, live):
    peer = Peer(views=(VIEW,), **settings)
    assert _live(peer, tmp_path / "x.onnx", found, []) == pytest.approx(np.array(live))


def test_what_the_values_were_taken_for_is_told(tmp_path):
    notes: list[str] = []
    _live(Peer(views=(VIEW,)), tmp_path / "x.onnx", LOGITS, notes)
    assert notes == ["x.onnx: its outputs were taken for logits, by their values."]
    _live(Peer(views=(VIEW,), outputs="logits"), tmp_path / "x.onnx", SHARES, notes)
    assert notes[1].startswith("warning: x.onnx: its outputs look like probabilities")


@pytest.mark.parametrize(
    ("settings", "found", "told"),
    [
        ({"outputs": "probabilities"}, LOGITS, "no probabilities that sum to one"),
        ({"live": 2}, LOGITS, "gives 2 numbers, the adapter takes number 2"),
        ({}, np.array([[np.nan, 1.0]]), "not finite"),
    ],
)
def test_numbers_that_cannot_be_what_is_described(tmp_path, settings, found, told):
    with pytest.raises(WeightsError, match=re.escape(told)):
        _live(Peer(views=(VIEW,), **settings), tmp_path / "x.onnx", found, [])
