"""The description of a peer: read from YAML, and what is refused."""

from __future__ import annotations

import re

import pytest

from padkit.deploy.peer import Peer, View, read_peer
from padkit.errors import SettingsError

WHOLE = """
source: their README
live: 1
outputs: logits
views:
  - width: 80
    height: 60
    colour: bgr
    mean: [1, 2, 3]
    deviation: 255
    scale: 2.7
    beyond: inside
    resize: cubic
    about: first.onnx
"""


def test_a_description_is_read_whole(tmp_path):
    (tmp_path / "mine.yaml").write_text(WHOLE)
    view = View(
        width=80, height=60, colour="bgr", mean=(1, 2, 3), deviation=(255.0,) * 3, scale=(2.7, 2.7), beyond="inside",
        resize="cubic", about="first.onnx",
    )  # fmt: skip
    assert read_peer(tmp_path / "mine.yaml") == Peer(views=(view,), live=1, outputs="logits", source="their README")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("views: [{width: 80}]", "lacks height"),
        ("views: [{width: 80, height: 80, color: bgr}]", "unknown key 'color'. Did you mean 'colour'?"),
        ("views: [{width: 80, height: 80, colour: gbr}]", "colour 'gbr' is unknown"),
        ("views: [{width: 80, height: 80, mean: [1, 2]}]", "mean (1, 2): write 3 numbers"),
        ("views: [{width: 80, height: 80, deviation: [0, 1, 1]}]", "write 3 numbers above 0"),
        ("views: [{width: 80, height: 80, scale: 1000}]", "at most 100"),
        ("views: [{width: 0, height: 80}]", "whole pixels"),
        ("views: [{width: 80, height: 80}]\nlive: -1", "live -1"),
        ("views: []", "no view"),
        ("views: 3", "views: is no list"),
        ("live: 1", "lacks views"),
        ("just text", "holds no `name: value` lines"),
        ("views: [", "not valid YAML"),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(tmp_path, text, told):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SettingsError, match=re.escape(told)) as refused:
        read_peer(tmp_path / "mine.yaml")
    assert str(refused.value).startswith(f"--adapter {tmp_path / 'mine.yaml'}")
    assert "\n" not in str(refused.value)


def test_a_missing_description(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        read_peer(tmp_path / "none.yaml")
