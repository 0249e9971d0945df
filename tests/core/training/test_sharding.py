"""Blocks that repeat, batch normalisations that are synchronised, and what cannot be shared out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.training.sharding import blocks_to_shard, share_out, synchronise_batchnorm, whole
from padkit.training.start import check_precision


def test_the_blocks_to_shard_are_those_of_a_transformer_and_of_a_residual_network() -> None:
    vit = timm.create_model("test_vit")
    assert blocks_to_shard(vit) == list(vit.blocks)
    resnet = timm.create_model("resnet18")
    assert blocks_to_shard(resnet) == [block for stage in (1, 2, 3, 4) for block in getattr(resnet, f"layer{stage}")]
    assert blocks_to_shard(nn.Sequential(nn.Linear(1, 1), nn.ReLU())) == []


def test_synchronised_batch_normalisations_keep_names_weights_and_activation() -> None:
    """EfficientNet's have an activation of their own, which torch's own conversion would drop."""
    network = timm.create_model("test_efficientnet").eval()
    before, images = network.state_dict(), torch.rand(2, 3, 32, 32)
    expected = network(images)
    synchronise_batchnorm(network)
    assert any(isinstance(part, nn.SyncBatchNorm) for part in network.modules())
    assert not any(type(part) is nn.BatchNorm2d for part in network.modules())
    assert network.state_dict().keys() == before.keys()
    torch.testing.assert_close(network(images), expected)


def launch(kind: str, processes: int = 2, precision: str = "no") -> Any:
    return SimpleNamespace(num_processes=processes, device=torch.device(kind), mixed_precision=precision)


def test_batch_normalisations_are_not_synchronised_on_cpus() -> None:
    with pytest.raises(SettingsError, match=r"--sync_batchnorm needs GPUs: .*drop it"):
        share_out(launch("cpu"), nn.Linear(1, 1), sync_batchnorm=True)  # type: ignore[arg-type]
    share_out(launch("cpu", 1), nn.Linear(1, 1), sync_batchnorm=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "sharded", "told"), [("cpu", False, "does not compute in float16"), ("cuda", True, "shared-out weights")]
)
def test_float16_is_refused_where_it_would_be_something_else(kind: str, sharded: bool, told: str) -> None:
    """Accelerate would compute in float32 on a CPU, and say nothing."""
    with pytest.raises(SettingsError, match=told):
        check_precision(launch(kind, precision="fp16"), sharded=sharded)
    check_precision(launch(kind, precision="bf16"), sharded=sharded)
    with pytest.raises(SettingsError, match="fp8: padkit trains in bf16"):
        check_precision(launch("cuda", precision="fp8"), sharded=False)


def test_weights_that_are_not_shared_out_are_whole() -> None:
    layer = nn.Linear(1, 1)
    with whole(layer):
        layer.weight.sum().backward()
    assert layer.weight.grad is not None
