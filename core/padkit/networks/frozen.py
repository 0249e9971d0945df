"""Calls a network without changing its state, its parameters or its mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Context manager: `module` is in evaluation mode; afterwards each of its parts returns to its former mode."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def frozen_call(module: nn.Module, *inputs: Tensor) -> Any:
    """Return the output of `module` for `inputs`, with its present weights and in evaluation mode.

    Gradients reach the inputs and never a parameter; no buffer is changed. Parameters are detached instead of setting
    `requires_grad` to False, because autocast may hold a cast of them that still leads back to them; buffers are
    copied, so that a later pass in training mode may change them before the backward pass.
    """
    state = {name: parameter.detach() for name, parameter in module.named_parameters()}
    state |= {name: buffer.clone() for name, buffer in module.named_buffers()}
    with evaluation_mode(module):
        return functional_call(module, state, inputs)
