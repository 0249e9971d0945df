"""`--compile`: compiles student and teachers with torch.compile, block by block where a network repeats its blocks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.roles import Teacher
from padkit.training.objective import Objective

COMPILERS = ("c++", "g++", "clang++", "cl")


def compile_networks(objective: Objective, backend: str = "inductor") -> int:
    """Compile the student's and the teachers' networks in place, and return how many parts that makes.

    A network of repeated blocks (the stages of a ResNet, the layers of a transformer) is compiled block by block: alike
    blocks share their code, so that the first step waits seconds in place of minutes. Another is compiled whole. Names
    of parameters stay, and copies (the averaged detector that is judged) are not compiled.

    Args:
        objective: Holds the networks.
        backend: torch.compile's.

    Raises:
        SettingsError: The backend needs a C++ compiler, and there is none.
    """
    if backend == "inductor" and not any(map(shutil.which, COMPILERS)):
        raise SettingsError(
            f"--compile needs a C++ compiler ({', '.join(COMPILERS)}) and finds none; install one or leave it out."
        )
    compiled = 0
    for network in (objective.detector.student, *objective.teachers.networks()):
        blocks = list(repeated_blocks(network))
        for block in blocks:
            block.compile(backend=backend)
        if not blocks:
            _compile_whole(network, backend)
        compiled += len(blocks) or 1
    return compiled


def _compile_whole(network: nn.Module, backend: str) -> None:
    """Compile a network as it is called: a teacher that shares its inputs with others by `extract`, not as a module."""
    if isinstance(network, Teacher) and type(network).forward is Teacher.forward:
        network.extract = torch.compile(network.extract, backend=backend)  # type: ignore[method-assign]
    else:
        network.compile(backend=backend)


def repeated_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of a network that come two or more in a row and are of one kind; never a block within another.

    Layers of torch itself (convolutions, normalisations) are no blocks.
    """
    for child in network.children():
        parts = list(child.children()) if isinstance(child, (nn.Sequential, nn.ModuleList)) else []
        kinds = {type(part) for part in parts}
        own = len(kinds) == 1 and not next(iter(kinds)).__module__.startswith("torch.nn")
        if len(parts) > 1 and own:
            yield from parts
        else:
            yield from repeated_blocks(child)


def enable_fast_kernels(device: torch.device) -> None:
    """Let a CUDA device compute float32 in TF32 and search for the fastest convolutions; elsewhere nothing changes."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
