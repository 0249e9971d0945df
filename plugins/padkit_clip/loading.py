"""Builds open_clip models by name, with weights from a tag or a file; runs no code from the file, matches every key."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed
from torch import Tensor

from padkit.errors import SettingsError, WeightsError, closest
from padkit.weights import load_matched, read_weights, unwrap


@dataclass(frozen=True, slots=True)
class Clip:
    """An open_clip model.

    Attributes:
        name: Its name in open_clip.
        model: The model, both towers.
        size: Side in pixels of its square images.
        mean, std: Standardisation of RGB in [0, 1].
        trained: Whether weights of both towers were loaded; otherwise that of texts is random.
    """

    name: str
    model: Any
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    trained: bool


def build(name: str, *, pretrained: str | None, weights: str | None, image_size: int | None) -> Clip:
    """Return the open_clip model `name`.

    Args:
        name: Name of its configuration in open_clip.
        pretrained: Tag of the weights to download. With `weights`, the tag that file is of; nothing is downloaded.
        weights: File with the state dict of the whole model; or a run of padkit whose student is its image tower.
        image_size: Side of its images instead of its own; position embeddings are interpolated.

    Raises:
        SettingsError: The name, the tag or the size is unknown or impossible.
        WeightsError: The weights cannot be loaded or downloaded, or do not fit.
    """
    name = name.replace("/", "-")
    known = open_clip.list_models()
    if name not in known:
        hint = closest(name, known).partition(" Known:")[0]
        raise SettingsError(f"clip: open_clip has no model {name!r}.{hint or ' open_clip.list_models() names them.'}")
    if image_size is not None and image_size < 1:
        raise SettingsError(f"clip: image_size {image_size} must be at least 1.")
    tag = _tag(name, pretrained, known) if pretrained else {}
    file = weights or (_download(name, str(pretrained), tag) if tag else None)
    # timm's towers are built at their own size: their position embeddings are interpolated after loading.
    of_timm = "timm_model_name" in open_clip.get_model_config(name)["vision_cfg"]
    model = _create(name, None if of_timm else image_size, {key: tag[key] for key in ("mean", "std") if tag.get(key)})
    state = {} if file is None else unwrap(read_weights(file), model.state_dict())
    mean, std = _load_student(model, state, str(file)) or ((), ())
    if file is not None and not mean:
        load_matched(model, _converted(model, state), file)
    if of_timm and image_size is not None:
        model.visual.set_input_size(image_size)
    config, size = model.visual.preprocess_cfg, model.visual.image_size
    sides = set(size) if isinstance(size, (tuple, list)) else {size}
    if len(sides) != 1:
        raise SettingsError(f"clip: {name} takes images of {size} pixels; only square ones are known.")
    trained = file is not None and not mean
    return Clip(name, model, sides.pop(), mean or tuple(config["mean"]), std or tuple(config["std"]), trained)


def _tag(name: str, tag: str, known: Sequence[str]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not found:
        tags = open_clip.list_pretrained_tags_by_model(name)
        hint = closest(tag, tags) or " It has none; give a weights file."
        raise SettingsError(f"clip: {name} has no pretrained weights {tag!r}.{hint}")
    quick = f"{name}-quickgelu"
    # open_clip only warns and then computes with the wrong activation.
    if found.get("quick_gelu") and not open_clip.get_model_config(name).get("quick_gelu") and quick in known:
        raise SettingsError(f"clip: {tag!r} was trained with another activation than {name}'s; set model to {quick}.")
    return found


def _download(name: str, tag: str, config: Mapping[str, Any]) -> str:
    try:
        with _quiet():
            return str(open_clip.download_pretrained(dict(config)))
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"clip: weights {tag!r} of {name} could not be had ({reason}); go online once, or name a weights file."
        ) from error


def _create(name: str, image_size: int | None, preprocessing: Mapping[str, Any]) -> Any:
    try:
        with _quiet():
            return open_clip.create_model(
                name,
                load_weights=False,
                pretrained_text=False,
                force_image_size=image_size,
                force_patch_dropout=0.0,  # maps need every patch
                force_preprocess_cfg=dict(preprocessing),
            )
    except (OSError, RuntimeError, ImportError) as error:  # transformers downloads a tower's configuration
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"clip: {name} could not be built ({reason}); go online once, or choose another.") from error


def _load_student(
    model: Any, state: Mapping[str, Tensor], source: str
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Load the image tower of padkit's own student, if `state` is one, and return its standardisation."""
    if not {"mean", "std"} <= state.keys():
        return None
    mean, std = (tuple(state[key].flatten().tolist()) for key in ("mean", "std"))
    visual = {key.removeprefix("tower."): value for key, value in state.items() if key not in ("mean", "std")}
    resize_pos_embed(visual, model)
    load_matched(model.visual, {key.removeprefix("visual."): value for key, value in visual.items()}, source)
    return mean, std


def _converted(model: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint under the model's tensor names, with older layouts and other image sizes converted."""
    found: dict[str, Tensor] = convert_state_dict(model, dict(state))
    if "positional_embedding" in found and not hasattr(model, "positional_embedding"):
        found = convert_to_custom_text_state_dict(found)
    for key in ("logit_scale", "logit_bias"):
        own = getattr(model, key, None)
        if key in found and own is not None and found[key].numel() == own.numel():
            found[key] = found[key].reshape(own.shape)
    resize_pos_embed(found, model)
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip from printing through the root logger and from leaving a handler there."""
    root = logging.getLogger()
    handlers, disabled = root.handlers[:], root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
