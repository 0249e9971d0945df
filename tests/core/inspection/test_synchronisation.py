"""What torch warns of is counted by place; other warnings go on. The warnings themselves need a CUDA device."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest
import torch

from padkit.inspection.synchronisation import counted_waits


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", found.append)
    return found


def ask() -> None:
    warnings.warn("called a synchronizing CUDA operation", UserWarning, stacklevel=1)


def watched() -> Counter[str]:
    with counted_waits(torch.device("cuda")) as waits:
        ask()
        ask()
        warnings.warn("something else", FutureWarning, stacklevel=1)
    return waits


def test_what_torch_warns_of_is_counted_by_its_place(modes: list[str]) -> None:
    with pytest.warns(FutureWarning, match="something else"):
        waits = watched()
    line = ask.__code__.co_firstlineno + 1
    assert waits == {f"test_synchronisation.py:{line}": 2}
    assert modes == ["warn", "default"]


def test_the_mode_is_left_after_an_error(modes: list[str]) -> None:
    with pytest.raises(ValueError, match="broken"), counted_waits(torch.device("cuda")):
        raise ValueError("broken")
    assert modes == ["warn", "default"]


def test_nothing_is_asked_of_other_devices(modes: list[str]) -> None:
    with counted_waits(torch.device("cpu")) as waits:
        torch.ones(1).item()
    assert (waits, modes) == ({}, [])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_value_that_is_asked_of_a_device_is_found() -> None:
    number = torch.ones(1, device="cuda")
    with counted_waits(number.device) as waits:
        number.item()
    assert sum(waits.values()) == 1
