"""Files in the format of dlib's face recognition network, written from the format's description: tiny and damaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

BLOCKS = (3, 4, 3, 3, 1)
COLOUR = (122.782, 117.001, 104.298)
SMALL = (4, 6, 8, 8, 8)
EMPTY = np.zeros((0, 0, 0, 0), dtype="<f4")

Layers = list[tuple[str, np.ndarray, np.ndarray]]


def integer(value: int) -> bytes:
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def integers(*values: int) -> bytes:
    return b"".join(map(integer, values))


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def real(value: float) -> bytes:
    mantissa, exponent = math.frexp(value)
    return integers(int(mantissa * 2**24), exponent - 24) if value else integers(0, 0)


def tensor(values: np.ndarray, version: int = 2) -> bytes:
    return integers(version, *values.shape) + values.astype("<f4").tobytes()


def kept() -> bytes:
    return b"110" + 3 * tensor(EMPTY)


def column(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate([part.ravel() for part in parts]).reshape(-1, 1, 1, 1)


def factors() -> bytes:
    return real(1) + real(1) + real(1) + real(0)


def network_file(
    widths: Sequence[int] = SMALL,
    embedding: int = 5,
    *,
    seed: int = 0,
    size: int = 150,
    colour: Sequence[float] = COLOUR,
    versions: Callable[[list[int]], list[int]] = list,
) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return a file and the numbers in it: kernels, bias, gamma and beta of each convolution by name, and `fc`."""
    rng = np.random.default_rng(seed)
    numbers: dict[str, np.ndarray] = {}

    def convolution(name: str, inputs: int, outputs: int, side: int, stride: int, first: bool = False) -> bytes:
        fan = inputs * side * side
        kernels = rng.normal(0, (1 / fan) ** 0.5, (outputs, inputs, side, side)).astype("<f4")
        bias, beta = (rng.normal(0, 0.1, outputs).astype("<f4") for _ in range(2))
        gamma = rng.uniform(0.5, 1.5, outputs).astype("<f4")
        numbers.update({f"{name}.kernels": kernels, f"{name}.bias": bias, f"{name}.gamma": gamma, f"{name}.beta": beta})
        padding = side // 2 if stride == 1 else 0
        return (
            text("con_4")
            + tensor(column(kernels, bias))
            + integers(outputs, side, side, stride, stride, padding, padding)
            + integers(1, outputs, inputs, side, side, 1, 1, outputs, 1, 1)
            + factors() + kept() + (integer(1) if first else b"")
            + text("affine_")
            + tensor(column(gamma, beta))
            + integers(1, 1, outputs, 1, 1, 1, 1, outputs, 1, 1, 0)
            + kept()
        )  # fmt: skip

    marks = [2, 2]
    for stage in reversed(range(5)):
        for index in reversed(range(BLOCKS[stage])):
            marks += [2, 2, *([2, 1, 1] if stage and not index else []), 2, 2, 2, 2, 2, 1]
    marks += [2, 2, 2, 3]
    content = integer(1) + text("loss_metric_2") + real(0.04) + real(0.6) + integers(*versions(marks))
    content += text("input_rgb_image_sized") + b"".join(map(real, colour)) + integers(size, size)
    content += convolution("stem", 3, widths[0], 7, 2, first=True)
    content += text("relu_") + kept() + text("max_pool_2") + integers(3, 3, 2, 2, 0, 0) + kept()
    inputs = widths[0]
    for stage, outputs in enumerate(widths):
        for index in range(BLOCKS[stage]):
            halve, name = bool(stage) and not index, f"stages.{stage}.{index}"
            content += convolution(f"{name}.conv1", inputs, outputs, 3, 2 if halve else 1) + text("relu_") + kept()
            content += convolution(f"{name}.conv2", outputs, outputs, 3, 1)
            if halve:
                content += text("avg_pool_2") + integers(2, 2, 2, 2, 0, 0) + kept()
            content += text("add_prev_") + kept() + text("relu_") + kept()
            inputs = outputs
    numbers["fc"] = rng.normal(0, 0.5, (inputs, embedding)).astype("<f4")
    content += text("avg_pool_2") + integers(0, 0, 1, 1, 0, 0) + kept() + text("fc_2") + integers(embedding, inputs)
    content += tensor(numbers["fc"].reshape(inputs, embedding, 1, 1))
    content += integers(1, inputs, embedding, 1, 1, 1, 0, 0, 0, 0, 1) + factors() + kept()
    return content, numbers
