"""Asking a network something without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from padkit.networks.detector import Detector


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


def label_loss(detector: Detector, images: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy [B], float32, of each of `images` [B, 3, H, W] for `detector` as it is now.

    Its gradient reaches the images alone. This is what `padkit.roles.Batch.label_loss` calls.
    """
    features = frozen_call(detector.student, images)
    if features.embedding is None:
        detector.classify(features)  # says what is wrong
    logits: Tensor = frozen_call(detector.head, features.embedding)
    return F.cross_entropy(logits.float(), labels, reduction="none")
