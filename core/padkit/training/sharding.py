"""Weights shared out among processes (FSDP2): each keeps a part and has the whole only while it computes.

The state of a sharded objective and of its optimiser, as a checkpoint holds it, is whole and under the usual names: a
run may be continued with another number of processes, and the shipped weights are as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from padkit.errors import SettingsError
from padkit.training.objective import Objective

_MARK = "padkit_sharded"


def mark_sharded(accelerator: Accelerator) -> None:
    """Note that this launch shares out weights."""
    setattr(accelerator, _MARK, True)


def is_sharded(accelerator: Accelerator) -> bool:
    """Return whether this launch shares out weights: it asks for FSDP2, and there are several processes."""
    return bool(getattr(accelerator, _MARK, False))


def share_out(accelerator: Accelerator, objective: Objective, *, sync_batchnorm: bool) -> None:
    """Make the objective, in place, what several processes train; afterwards its parameters may be other objects.

    Where the launch asks for FSDP2, its parameters are shared out. The whole objective is one group: its aligner
    differentiates through parts of it within the forward pass, where all weights are at hand. Teachers whose options
    ask for it are shared out in any launch of several processes.

    Args:
        accelerator: The launch.
        objective: The objective, on its device.
        sync_batchnorm: Batch normalisations normalise by the statistics of all processes' batches. Their names in the
            state stay the same: a checkpoint or a shipped model does not tell.

    Raises:
        SettingsError: The processes compute on the CPU, where torch synchronises no batch normalisation.
    """
    if accelerator.num_processes == 1:
        return
    if sync_batchnorm and accelerator.device.type == "cpu":
        raise SettingsError("--sync_batchnorm needs GPUs: torch synchronises no batch normalisation on CPUs; drop it.")
    if sync_batchnorm:
        synchronise_batchnorm(objective)
    for teacher in objective.teachers.to_share_out():
        shard_frozen(teacher, accelerator, "extract")
    if is_sharded(accelerator):
        _fully_shard(objective, accelerator)
        objective.register_state_dict_post_hook(_whole_state)  # type: ignore[no-untyped-call]
        objective.register_load_state_dict_pre_hook(_own_part_of_state)  # type: ignore[no-untyped-call]


def synchronise_batchnorm(module: nn.Module) -> None:
    """Replace the batch normalisations in `module`, in place, by synchronised ones; timm's keep their activation."""
    from timm.layers import convert_sync_batchnorm

    for name, child in module.named_children():
        setattr(module, name, convert_sync_batchnorm(child))


def prepare_parts(
    accelerator: Accelerator, objective: nn.Module, optimizer: torch.optim.Optimizer, schedule: Any, loader: Any
) -> tuple[Any, ...]:
    """Return what Accelerate makes of the objective, its optimiser, schedule and loader.

    A sharded objective lies in the checkpoints and is computed in the precision asked for, like any; nothing is wrapped
    around it.
    """
    if not is_sharded(accelerator):
        return tuple(accelerator.prepare(objective, optimizer, schedule, loader))
    shard_optimizer(optimizer)
    model = accelerator.prepare_model(objective, device_placement=False, evaluation_mode=True)
    return (model, *accelerator.prepare(optimizer, schedule, loader))


def shard_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Have the state of an optimiser of sharded parameters saved whole and loaded in parts."""
    optimizer.register_state_dict_post_hook(_whole_optimizer)
    optimizer.register_load_state_dict_pre_hook(_own_part_of_optimizer)


def shard_frozen(network: nn.Module, accelerator: Accelerator, *methods: str) -> None:
    """Share out a network that is never trained, block by block where blocks repeat: a teacher too large for a device.

    Args:
        network: The network.
        accelerator: Its processes; all of them call the network equally often.
        methods: Names of the methods beside `forward` that compute with the weights.
    """
    for block in blocks_to_shard(network):
        _fully_shard(block, accelerator)
    _fully_shard(network, accelerator, reshard_after_forward=True)
    for method in methods:
        register_fsdp_forward_method(network, method)


def blocks_to_shard(network: nn.Module) -> list[nn.Module]:
    """Return the outermost children of lists and sequences in `network` whose class occurs there more than once."""
    found: list[nn.Module] = []
    for child in network.children():
        kinds = Counter(type(block) for block in child.children())
        listed = isinstance(child, nn.ModuleList | nn.Sequential)
        mine = [block for block in child.children() if listed and kinds[type(block)] > 1 and _holds_weights(block)]
        found += mine or blocks_to_shard(child)
    return found


def _holds_weights(block: nn.Module) -> bool:
    return any(True for _ in block.parameters()) and any(True for _ in block.children())


@contextmanager
def whole(module: nn.Module) -> Iterator[None]:
    """Context manager: outside its forward pass, the weights of `module` are whole, if they are shared out at all."""
    groups = [part for part in module.modules() if isinstance(part, FSDPModule)]
    for group in groups:
        group.unshard()
    try:
        yield
    finally:
        for group in groups:
            group.reshard()


def whole_state(module: nn.Module | None) -> dict[str, Tensor]:
    """Return the state of a part of the objective with whole weights; every process calls this. Empty for None."""
    return {} if module is None else {name: _gathered(value) for name, value in module.state_dict().items()}


def _fully_shard(module: nn.Module, accelerator: Accelerator, **options: Any) -> None:
    module.to(memory_format=torch.contiguous_format)  # torch shares out no other layout
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    fully_shard(module, mesh=mesh, **options)


def _whole_state(_module: nn.Module, state: dict[str, Any], _prefix: str, _metadata: Any) -> None:
    for name, value in state.items():
        state[name] = _gathered(value)


def _gathered(value: Any) -> Any:
    # A copy: uneven parts are gathered into a storage that is longer than the tensor, which safetensors refuse.
    return value.full_tensor().clone() if isinstance(value, DTensor) else value


def _own_part_of_state(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, parameter in module.named_parameters():
        if (given := state.get(prefix + name)) is not None:
            state[prefix + name] = _part(given, parameter)


def _part(given: Tensor, parameter: Tensor) -> Tensor:
    if not isinstance(parameter, DTensor) or isinstance(given, DTensor):
        return given
    return distribute_tensor(given.to(parameter.device), parameter.device_mesh, parameter.placements)


def _whole_optimizer(_optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    rows = {at: {name: _gathered(value) for name, value in row.items()} for at, row in state["state"].items()}
    return {**state, "state": rows}


def _own_part_of_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    rows = {}
    for at, row in state["state"].items():
        mine = parameters[int(at)]
        rows[at] = {
            name: _part(value, mine) if isinstance(value, Tensor) and value.shape == mine.shape else value
            for name, value in row.items()
        }
    return {**state, "state": rows}
