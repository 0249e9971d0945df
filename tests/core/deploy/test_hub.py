"""Pushing a bundle to the hub: what is sent, the card's head, and one line where it cannot be."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import yaml
from tests.core.deploy.test_predictor import bundle, redness

from padkit.deploy.bundle import describe
from padkit.deploy.hub import hub_card
from padkit.deploy.predictor import Predictor
from padkit.errors import DataError


@pytest.fixture
def folder(tmp_path):
    describe(tmp_path / "model", bundle())
    (tmp_path / "model" / "model.onnx").write_bytes(b"graph")
    (tmp_path / "model" / ".partial").write_bytes(b"left over")
    return tmp_path / "model"


def predictor(folder):
    return Predictor(bundle=bundle(), score=redness, folder=folder)


class FakeHub:
    """The hub's client, which keeps what it is given."""

    def __init__(self):
        self.asked = []

    def create_repo(self, repository, **settings):
        self.asked.append(("create", repository, settings))

    def create_commit(self, repository, operations, *, commit_message):
        self.asked.append(("commit", repository, {one.path_in_repo: one for one in operations}, commit_message))
        return SimpleNamespace(commit_url=f"https://hub/{repository}/commit/1")


@pytest.fixture
def hub(monkeypatch):
    fake = FakeHub()
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: fake)
    return fake


def test_all_files_go_in_one_commit_with_a_card(folder, hub):
    assert predictor(folder).push_to_hub("me/face") == "https://hub/me/face/commit/1"
    created, committed = hub.asked
    assert created == ("create", "me/face", {"private": True, "exist_ok": True})
    assert committed[2].keys() == {"bundle.json", "model.onnx", "README.md"}
    card = committed[2]["README.md"].path_or_fileobj.decode()
    head = yaml.safe_load(card.split("---")[1])
    assert (head["library_name"], head["pipeline_tag"]) == ("padkit", "image-classification")
    assert "must not be used for" in card


def test_a_card_of_ones_own_is_kept_and_its_head_completed(folder):
    (folder / "README.md").write_text("---\nlicense: mit\ntags: [mine]\n---\n\n# My model\n")
    card = hub_card(folder, bundle())
    head = yaml.safe_load(card.split("---")[1])
    assert (head["license"], head["tags"], head["library_name"]) == ("mit", ["mine"], "padkit")
    assert card.rstrip().endswith("# My model")


def test_a_head_that_is_no_yaml_is_one_line(folder):
    (folder / "README.md").write_text("---\n- a list\n---\n# My model\n")
    with pytest.raises(DataError, match=re.escape("README.md: its head cannot be read")):
        hub_card(folder, bundle())


def test_offline_is_one_line(folder, monkeypatch):
    """The suite sets HF_HUB_OFFLINE, so the client itself refuses."""
    with pytest.raises(DataError) as refused:
        predictor(folder).push_to_hub("me/face")
    told = str(refused.value)
    assert told.startswith("me/face: not uploaded (")
    assert told.endswith("check the name, the network, HF_HUB_OFFLINE and `hf auth login`.")
    assert "offline" in told.lower()
    assert "\n" not in told


def test_an_error_of_the_network_is_one_line(folder, hub, monkeypatch):
    def broken(*_, **__):
        raise type("ConnectError", (Exception,), {})("no route to host\nmore")

    monkeypatch.setattr(hub, "create_repo", broken)
    with pytest.raises(DataError, match=re.escape("me/face: not uploaded (no route to host); check")):
        predictor(folder).push_to_hub("me/face")


def test_an_exported_file_alone_is_not_pushed(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"graph")
    with pytest.raises(DataError, match="exported file alone"):
        predictor(tmp_path / "model.onnx").push_to_hub("me/face")
