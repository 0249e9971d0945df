"""`dlib_face_recognition_resnet_model_v1.dat`: found, checked and read, without dlib and without running code from it.

The file lists, from the loss inwards, the version of every layer; then the input; then, from the input outwards, each
layer with its settings and numbers. Everything in it is read in order and compared with what this network must have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from padkit.errors import WeightsError, pip_install
from padkit.weights import package_folder
from padkit_dlib.network import BLOCKS, COLOUR, SIZE
from padkit_dlib.tokens import Tokens

PACKAGE = "face_recognition_models"
FILE = "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
LARGEST = 64 * 2**20  # bytes; the genuine file has 22 466 066
WIDEST = 4096  # channels
LAYER, INNERMOST, MARK, LOSS = 2, 3, 1, 1  # versions
NOTHING = (0, 0, 0, 0)
CLOSE = 1e-3  # of a colour in [0, 255]

State = dict[str, Tensor]


def find(path: str | None) -> Path:
    """Return the weights file: `path`, or the one in the installed package, which is not imported.

    Raises:
        WeightsError: There is none.
    """
    if path is not None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise WeightsError(f"dlib: weights file {file} does not exist; check the path")
        return file
    folder = package_folder(PACKAGE)
    if folder is not None and (file := folder / "models" / FILE).is_file():
        return file
    raise WeightsError(
        f"dlib: its weights are not installed; {pip_install('padkit[dlib]')}, or name a {FILE} in `weights`"
    )


def read(file: Path, sha256: str) -> State:
    """Return the tensors in `file` by `FaceNet`'s names, affine layers folded into the convolutions before them.

    Args:
        file: The file.
        sha256: The checksum it must have, hexadecimal.

    Raises:
        WeightsError: The file is too large or another one, or holds anything but this network.
    """
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise WeightsError(f"dlib: weights file {file} cannot be read ({error.strerror}); check it") from error
    if size > LARGEST:
        raise WeightsError(f"dlib: weights file {file} has {size} bytes, not dlib's 22466066; fetch {FILE} again")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise WeightsError(
            f"dlib: weights file {file} has the sha256 {found[:16]}..., not {sha256[:16]}...; fetch {FILE} again, or "
            "give the setting `sha256` of a file that you trust"
        )
    return parse(content, file)


def parse(content: bytes, source: str | Path) -> State:
    """Return the tensors in the bytes of a file; see `read`.

    Raises:
        WeightsError: They are anything but this network.
    """
    tokens = Tokens(content, source)
    tokens.expect(LOSS, "a loss of version")
    tokens.name("loss_metric_2")
    tokens.real(), tokens.real()  # margin and threshold of training
    for version in _versions():
        tokens.expect(version, "a layer of version")
    _input(tokens)
    state: State = {}
    width = _stem(tokens, state)
    for stage, blocks in enumerate(BLOCKS):
        for index in range(blocks):
            width = _block(tokens, state, f"stages.{stage}.{index}", width, halve=stage > 0 and index == 0)
    _pool(tokens, "avg_pool_2", (0, 0, 1, 1, 0, 0))
    _matrix(tokens, state, width)
    tokens.end()
    return state


def _versions() -> Iterator[int]:
    """Yield the version of each layer and mark (dlib's tags and skips), from the loss inwards."""
    yield from (LAYER, LAYER)  # the matrix and the average
    for stage, blocks in reversed([*enumerate(BLOCKS)]):
        for index in reversed(range(blocks)):
            halve = stage > 0 and index == 0
            yield from (LAYER, LAYER)  # ReLU and sum
            yield from (LAYER, MARK, MARK) if halve else ()  # average, skip, tag
            yield from (LAYER,) * 5  # affine, convolution, ReLU, affine, convolution
            yield MARK  # tag
    yield from (LAYER, LAYER, LAYER, INNERMOST)  # largest, ReLU, affine, convolution


def _input(tokens: Tokens) -> None:
    tokens.name("input_rgb_image_sized")
    colours = tuple(tokens.real() for _ in COLOUR)
    if any(abs(found - wanted) > CLOSE for found, wanted in zip(colours, COLOUR, strict=True)):
        tokens.fail(f"mean colour {colours}")
    tokens.expect((SIZE, SIZE), "an image side of")


def _stem(tokens: Tokens, state: State) -> int:
    """Read the first convolution, with what follows up to the pooling; return its channels."""
    width = _convolution(tokens, state, "stem", 3, 7, 2, innermost=True)
    _plain(tokens, "relu_")
    _pool(tokens, "max_pool_2", (3, 3, 2, 2, 0, 0))
    return width


def _block(tokens: Tokens, state: State, name: str, inputs: int, *, halve: bool) -> int:
    """Read a residual block; return its channels."""
    width = _convolution(tokens, state, f"{name}.conv1", inputs, 3, 2 if halve else 1)
    if width != inputs and (not halve or width < inputs):
        tokens.fail(f"{name} has {width} channels after {inputs}")
    _plain(tokens, "relu_")
    if _convolution(tokens, state, f"{name}.conv2", width, 3, 1) != width:
        tokens.fail(f"{name} changes its channels within")
    if halve:
        _pool(tokens, "avg_pool_2", (2, 2, 2, 2, 0, 0))
    _plain(tokens, "add_prev_")
    _plain(tokens, "relu_")
    return width


def _convolution(
    tokens: Tokens, state: State, name: str, inputs: int, side: int, stride: int, *, innermost: bool = False
) -> int:
    """Read a convolution and its affine layer, gamma (w * x + b) + beta; return the channels.

    The numbers stand before the settings that tell their shape, so they are read as a row first.
    """
    tokens.name("con_4")
    row = tokens.row(name, WIDEST * (inputs * side**2 + 1))
    width, rest = divmod(len(row), inputs * side**2 + 1)
    if rest or not width:
        tokens.fail(f"{name} of {len(row)} numbers, which are no kernels of {inputs} x {side} x {side}")
    padding = side // 2 if stride == 1 else 0
    tokens.expect((width, side, side, stride, stride, padding, padding), f"{name}: a setting of")
    tokens.expect((1, width, inputs, side, side, 1, 1, width, 1, 1), f"{name}: a part of size")
    _learning(tokens)
    _state(tokens)
    if innermost:
        tokens.expect(1, "a sample expansion of")
    tokens.name("affine_")
    scale = tokens.tensor((2 * width, 1, 1, 1), f"the affine layer of {name}")
    tokens.expect((1, 1, width, 1, 1, 1, 1, width, 1, 1, 0), f"the affine layer of {name}: a part of size")
    _state(tokens)
    gamma, beta = scale[:width], scale[width:]
    kernels = row[:-width].reshape(width, inputs, side, side)
    state[f"{name}.weight"] = kernels * gamma.view(-1, 1, 1, 1)
    state[f"{name}.bias"] = row[-width:] * gamma + beta
    return width


def _matrix(tokens: Tokens, state: State, width: int) -> None:
    tokens.name("fc_2")
    outputs = tokens.integer()
    if not 1 <= outputs <= WIDEST:
        tokens.fail(f"an embedding of {outputs} numbers")
    tokens.expect(width, "a matrix of height")
    state["fc.weight"] = tokens.tensor((width, outputs, 1, 1), "the matrix").reshape(width, outputs).T.contiguous()
    tokens.expect((1, width, outputs, 1, 1, 1, 0, 0, 0, 0, 1), "the matrix: a part of size")
    _learning(tokens)
    _state(tokens)


def _plain(tokens: Tokens, name: str) -> None:
    tokens.name(name)
    _state(tokens)


def _pool(tokens: Tokens, name: str, settings: tuple[int, ...]) -> None:
    tokens.name(name)
    tokens.expect(settings, f"{name}: a setting of")
    _state(tokens)


def _learning(tokens: Tokens) -> None:
    """Pass over four factors of training: of learning rate and weight decay, for weights and biases."""
    for _ in range(4):
        tokens.real()


def _state(tokens: Tokens) -> None:
    """Pass over what every layer keeps of training: three truth values and three empty tensors."""
    for _ in range(3):
        tokens.flag()
    for _ in range(3):
        tokens.tensor(NOTHING, "a tensor of training")
