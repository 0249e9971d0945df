"""Weights files are read without running code and loaded only when everything matches."""

from __future__ import annotations

import json
import pickle
import types
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from padkit import weights
from padkit.errors import WeightsError


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def toy() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def one_line(error: pytest.ExceptionInfo[WeightsError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_reads_what_it_wrote(tmp_path):
    state = toy().state_dict()
    file = weights.write_weights(tmp_path / "deep" / "toy.safetensors", state)
    read = weights.read_weights(file)
    assert set(read) == set(state)
    assert all(torch.equal(read[key], value) for key, value in state.items())
    assert not list(file.parent.glob("*.part"))


def test_half_precision_is_for_kernels_alone_and_is_cast_back(tmp_path):
    network = toy()
    file = weights.write_weights(tmp_path / "toy.safetensors", network.state_dict(), half=True)
    read = weights.read_weights(file)
    assert read["0.weight"].dtype == torch.float16
    assert read["1.running_var"].dtype == torch.float32
    other = toy()
    weights.load_matched(other, read, file)
    assert other[0].weight.dtype == torch.float32
    assert torch.allclose(other[0].weight, network[0].weight, atol=1e-3)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("modern", [True, False])
def test_reads_torch_files_old_and_new(tmp_path, suffix, modern):
    file = tmp_path / f"toy{suffix}"
    torch.save(toy().state_dict(), file, _use_new_zipfile_serialization=modern)
    weights.load_matched(toy(), weights.read_weights(file), file)


def test_unwraps_a_checkpoint_of_one_state_dict(tmp_path):
    file = tmp_path / "toy.ckpt"
    torch.save({"state_dict": toy().state_dict(), "epoch": 3}, file)
    assert set(weights.read_weights(file)) == set(toy().state_dict())


@pytest.mark.parametrize("modern", [True, False])
def test_malicious_pickle_is_refused_and_not_run(tmp_path, modern):
    marker = tmp_path / "ran"
    file = tmp_path / "evil.pth"
    torch.save({"weight": torch.zeros(1), "hook": Touch(marker)}, file, _use_new_zipfile_serialization=modern)
    with pytest.raises(WeightsError) as error:
        weights.read_weights(file)
    assert "refused" in one_line(error)
    assert "safetensors" in one_line(error)
    assert not marker.exists()


def test_malicious_bare_pickle_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "ran"
    file = tmp_path / "evil.ckpt"
    file.write_bytes(pickle.dumps(Touch(marker)))
    with pytest.raises(WeightsError) as error:
        weights.read_weights(file)
    one_line(error)
    assert not marker.exists()
    pickle.loads(file.read_bytes())
    assert marker.exists(), "the pickle was harmless, so the test proved nothing"


def test_missing_file_folder_and_unknown_suffix(tmp_path):
    for path, words in [
        (tmp_path / "no.pth", "does not exist"),
        (tmp_path, "is not a file"),
        (Path(__file__), "unknown suffix '.py'"),
    ]:
        with pytest.raises(WeightsError, match=words) as error:
            weights.read_weights(path)
        assert str(path) in one_line(error)


@pytest.mark.parametrize("name", ["toy.safetensors", "toy.pth"])
@pytest.mark.parametrize("damage", ["cut", "empty", "noise"])
def test_damaged_file(tmp_path, name, damage):
    file = tmp_path / name
    state = toy().state_dict()
    if file.suffix == ".pth":
        torch.save(state, file)
    else:
        save_file(state, file)
    content = file.read_bytes()
    file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "noise": b"\x13\x37noise" * 99}[damage])
    with pytest.raises(WeightsError) as error:
        weights.read_weights(file)
    assert str(file) in one_line(error)
    assert "again" in one_line(error)


@pytest.mark.parametrize(
    "start", [b"", b"\x80\x02", b"\x80\x04", b"PK\x03\x04", b"<!doctype html>", b"junk not weights"]
)
@given(rest=st.binary(max_size=40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_junk_is_more_than_one_line(tmp_path, start, rest):
    file = tmp_path / "junk.pth"
    file.write_bytes(start + rest)
    with pytest.raises(WeightsError) as error:
        weights.read_weights(file)
    assert str(file) in one_line(error)


@pytest.mark.parametrize(
    "content",
    [[1, 2], {}, {"model": {}}, {"model": [1]}, {"ema": {"weight": torch.zeros(1)}}, {"weight": torch.ones(1), "n": 3}],
)
def test_wrong_content(tmp_path, content):
    file = tmp_path / "list.pt"
    torch.save(content, file)
    with pytest.raises(WeightsError, match="state_dict") as error:
        weights.read_weights(file)
    one_line(error)


def test_missing_unexpected_and_mismatched_keys_are_named_and_nothing_is_loaded():
    network = toy()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = {key: value + 1 for key, value in before.items()}
    del state["0.bias"]
    state["1.weight"] = torch.zeros(5)
    state |= {f"extra{i}": torch.zeros(1) for i in range(5)}
    with pytest.raises(WeightsError) as error:
        weights.load_matched(network, state, "some.pth")
    text = one_line(error)
    assert "some.pth" in text
    assert "1 missing (0.bias)" in text
    assert "5 unexpected (extra0, extra1, extra2, and 2 more)" in text
    assert "1 of another shape (1.weight is (5,), not (2,))" in text
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("wrapper", weights.WRAPPERS)
def test_unwraps_what_a_checkpoint_keeps_its_network_under(tmp_path, wrapper):
    state = toy().state_dict()
    torch.save({wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "one.pth")
    torch.save({"state_dict": {wrapper: state}, "args": {"lr": 0.1}}, tmp_path / "deep.pth")
    for name in ("one.pth", "deep.pth") if wrapper != "state_dict" else ("one.pth",):
        found = weights.read_weights(tmp_path / name)
        assert all(torch.equal(found[key], value) for key, value in state.items())
        assert found.keys() == state.keys()


def test_two_networks_in_a_checkpoint_are_not_chosen_between(tmp_path):
    torch.save({"model": toy().state_dict(), "net": toy().state_dict()}, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match=r"holds 2 networks \(model, net\)") as error:
        weights.read_weights(tmp_path / "two.pth")
    one_line(error)


@pytest.mark.parametrize("folder", [".", "model"])
def test_a_run_or_its_bundle_stands_for_its_weights(tmp_path, folder):
    state = toy().state_dict()
    weights.write_weights(tmp_path / folder / "model.safetensors", state)
    assert weights.read_weights(tmp_path).keys() == state.keys()
    with pytest.raises(WeightsError, match=r"is not a file, and no run of padkit with a model.safetensors"):
        weights.read_weights(tmp_path.parent)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(weights.PREFIXES), max_size=4), st.sets(st.sampled_from(weights.BESIDE)))
def test_any_wrapping_of_names_is_taken_off(prefixes, beside):
    network, state = toy(), {key: value + 1 for key, value in toy().state_dict().items()}
    for prefix in prefixes:
        state = {f"{prefix}{key}": value for key, value in state.items()}
        state |= {f"{name}.weight": torch.ones(7) for name in beside}
    weights.load_matched(network, state, "x")
    assert all(torch.equal(value, found) for value, found in zip(network.state_dict().values(), weights.unwrap(
        state, network.state_dict()).values(), strict=True))  # fmt: skip


def test_the_classifier_is_dropped_after_the_prefix():
    state = {f"module.{key}": value for key, value in toy().state_dict().items()}
    state |= {"module.fc.weight": torch.ones(2, 2), "module.fc.bias": torch.ones(2)}
    weights.load_matched(toy(), state, "x", without=["fc"])
    with pytest.raises(WeightsError, match=r"2 unexpected \(fc.weight, fc.bias\)"):
        weights.load_matched(toy(), state, "x")


def test_names_that_are_the_networks_own_keep_their_prefix():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = toy()

    state = Own().state_dict()
    assert all(key.startswith("model.") for key in state)
    weights.load_matched(Own(), state, "x")
    weights.load_matched(Own(), {f"module.{key}": value for key, value in state.items()}, "x")


def test_what_is_beside_a_prefix_and_no_classifier_is_not_dropped():
    state = {f"backbone.{key}": value for key, value in toy().state_dict().items()}
    state["neck.weight"] = torch.ones(2)
    with pytest.raises(WeightsError, match=r"unexpected \(backbone"):
        weights.load_matched(toy(), state, "x")


def test_prefix_is_stripped_only_if_all_keys_have_it():
    state = toy().state_dict()
    weights.load_matched(toy(), {f"module.{key}": value for key, value in state.items()}, "x")
    mixed = {(key if key == "0.bias" else f"module.{key}"): value for key, value in state.items()}
    with pytest.raises(WeightsError, match="unexpected"):
        weights.load_matched(toy(), mixed, "x")


def test_counter_of_old_files_may_be_missing():
    state = {key: value for key, value in toy().state_dict().items() if "num_batches_tracked" not in key}
    state["0.weight"] = torch.full_like(state["0.weight"], 7.0)
    network = toy()
    weights.load_matched(network, state, "x")
    assert bool((network[0].weight == 7).all())


def test_values_that_are_not_finite_are_refused():
    state = toy().state_dict()
    state["1.running_var"] = torch.tensor([1.0, float("nan")])
    with pytest.raises(WeightsError, match=r"not finite \(1.running_var\)"):
        weights.load_matched(toy(), state, "x")


def card(file: Path) -> weights.WeightsCard:
    return weights.write_card(
        file, summary="toy", recipe="python toy.py", seed=1, data="noise", licence="Apache-2.0", figures={"auc": 0.5}
    )


@pytest.fixture
def package(tmp_path, monkeypatch):
    name = f"toy_{tmp_path.name}"  # a module's name is cached for the whole session
    folder = tmp_path / name
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return types.SimpleNamespace(name=name, file=folder / "weights" / "toy.safetensors")


def test_embedded_weights_are_checked_against_their_card(package):
    weights.write_weights(package.file, toy().state_dict())
    written = card(package.file)
    assert written.size == package.file.stat().st_size
    assert weights.read_card(package.file) == written
    assert set(weights.read_embedded(package.name, "toy.safetensors")) == set(toy().state_dict())
    weights.write_weights(package.file, {key: value + 1 for key, value in toy().state_dict().items()})
    with pytest.raises(WeightsError, match="differs from its recorded checksum") as error:
        weights.read_embedded(package.name, "toy.safetensors")
    one_line(error)


def test_embedded_weights_without_file_or_card(package):
    with pytest.raises(WeightsError, match="ships no weights"):
        weights.read_embedded(package.name, "toy.safetensors")
    weights.write_weights(package.file, toy().state_dict())
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.read_embedded(package.name, "toy.safetensors")
    package.file.with_suffix(".json").write_text(json.dumps({"sha256": "0"}))
    with pytest.raises(WeightsError, match="cannot be read") as error:
        weights.read_embedded(package.name, "toy.safetensors")
    one_line(error)


def test_sha256_of_a_known_text(tmp_path):
    file = tmp_path / "abc"
    file.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert weights.sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_unwritable_folder_is_one_line(tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(WeightsError, match="cannot be written") as error:
        weights.write_weights(blocker / "toy.safetensors", toy().state_dict())
    one_line(error)
