"""Asking a network something without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put `module` into evaluation mode meanwhile; afterwards each of its parts is in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def frozen_call(module: nn.Module, *inputs: Tensor) -> Any:
    """Return what `module`, as it is now and in evaluation mode, makes of `inputs`.

    Gradients reach the inputs and never a parameter; no buffer is touched. Parameters are detached rather than told to
    need no gradient, because autocast may hold a cast of them that still leads back to them; buffers are copied, so
    that a later pass in training mode may change them before the backward pass.
    """
    state = {name: parameter.detach() for name, parameter in module.named_parameters()}
    state |= {name: buffer.clone() for name, buffer in module.named_buffers()}
    with evaluation_mode(module):
        return functional_call(module, state, inputs)
