"""Students from timm (https://huggingface.co/docs/timm), used through its common `forward_intermediates` interface."""

from __future__ import annotations

from typing import Any

import timm
from torch import Tensor, nn

from padkit.errors import SettingsError, WeightsError, closest
from padkit.roles import Features, Student, normalise
from padkit.weights import load_matched, read_weights

N_MAPS = 4


class TimmStudent(Student):
    """A timm model as student, normalised as its pretraining was.

    A model with a feature pyramid gives its last four stages, a plain vision transformer the token grids of four evenly
    spaced blocks. The embedding is what timm hands to its classifier.

    Args:
        model: Any timm model name.
        pretrained: Download timm's weights for the model (their licence is on the model's hub page).
        weights: File with the model's state dict (safetensors, or .pth with tensors only) to start from.
        drop_rate: Dropout before the classifier, in [0, 1).
    """

    def __init__(
        self, *, model: str = "resnet18", pretrained: bool = False, weights: str | None = None, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        if pretrained and weights:
            raise SettingsError("student.pretrained and student.weights exclude each other; give one of the two.")
        if not 0 <= drop_rate < 1:
            raise SettingsError(f"student.drop_rate {drop_rate} is a probability and must lie in [0, 1).")
        if not timm.is_model(model.partition(".")[0]):
            raise SettingsError(f"student.model: timm has no {model!r}.{_like(model)}")
        self.net = net = _create(model, pretrained, drop_rate)
        config = net.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        if weights:
            _load(net, weights, config.get("classifier"))
        info = net.feature_info
        stages = list(info) if isinstance(info, list) else list(info.info)
        self.indices = _spread([stage["reduction"] for stage in stages])
        self.channels = tuple(stages[i]["num_chs"] for i in self.indices)
        self.strides = tuple(stages[i]["reduction"] for i in self.indices)
        self.embedding_dim = int(getattr(net, "head_hidden_size", None) or net.num_features)

    def forward(self, images: Tensor) -> Features:
        """Return four maps and the embedding of `images` [B, 3, H, W], RGB in [0, 1]."""
        inputs = normalise(images, None, self.mean, self.std)
        net: Any = self.net
        last, maps = net.forward_intermediates(inputs, indices=self.indices, output_fmt="NCHW")
        return Features(tuple(maps), net.forward_head(last, pre_logits=True))


def _like(model: str) -> str:
    """Return the closest model names; timm knows over a thousand, too many to print."""
    hint = closest(model, timm.list_models()).partition(" Known:")[0]
    return hint or " timm.list_models() names them all."


def _create(model: str, pretrained: bool, drop_rate: float) -> Any:
    settings = {"pretrained": pretrained, "num_classes": 0, "drop_rate": drop_rate}
    try:
        try:
            net = timm.create_model(model, dynamic_img_size=True, **settings)  # vision transformers at any size
        except TypeError:
            net = timm.create_model(model, **settings)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"student.model {model!r}: its weights could not be had ({reason}); "
            "go online once, give --student.weights FILE, or drop --student.pretrained."
        ) from error
    if not hasattr(net, "forward_intermediates"):
        raise SettingsError(f"student.model {model!r} gives no feature maps in timm; choose another, say resnet18.")
    return net


def _load(net: nn.Module, weights: str, classifier: str | tuple[str, ...] | None) -> None:
    """Load a genuine timm state dict; the ImageNet classifier is the one part that is dropped, by name."""
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    state = {k: v for k, v in read_weights(weights).items() if not k.startswith(tuple(f"{h}." for h in heads))}
    load_matched(net, state, weights)


def _spread(reductions: list[int]) -> list[int]:
    """Return indices of up to four stages: the last of each stride, or evenly spaced blocks where all are alike."""
    if len(set(reductions)) == 1:
        n_blocks = len(reductions)
        return sorted({round((i + 1) * n_blocks / N_MAPS) - 1 for i in range(N_MAPS)} - {-1})
    last_of_stride = {reduction: i for i, reduction in enumerate(reductions)}
    return sorted(last_of_stride.values())[-N_MAPS:]
