"""Open_clip models of a few thousand weights, and checkpoints of the layout that open_clip publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch
from torch import Tensor

EMBEDDING, VOCABULARY, CONTEXT = 24, 49408, 77
TEXT = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 16, "heads": 2, "layers": 2}
CONFIGS = {
    "tiny-ViT": {
        "embed_dim": EMBEDDING,
        "vision_cfg": {"image_size": 32, "layers": 8, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": TEXT,
    },
    "tiny-RN": {
        "embed_dim": EMBEDDING,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
        "text_cfg": TEXT,
    },
    "tiny-timm": {
        "embed_dim": EMBEDDING,
        "custom_text": True,
        "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"},
        "text_cfg": TEXT,
    },
}


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """Make open_clip know the tiny models, by its own way for configurations from outside."""
    for name, config in CONFIGS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    try:
        yield
    finally:
        open_clip.factory._MODEL_CONFIG_PATHS.remove(folder)
        for name in CONFIGS:
            open_clip.factory._MODEL_CONFIGS.pop(name)


def blocks(prefix: str, count: int, width: int) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for index in range(count):
        at = f"{prefix}.resblocks.{index}"
        shapes |= {f"{at}.{norm}.{part}": (width,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        shapes |= {f"{at}.attn.in_proj_weight": (3 * width, width), f"{at}.attn.in_proj_bias": (3 * width,)}
        shapes |= {f"{at}.attn.out_proj.weight": (width, width), f"{at}.attn.out_proj.bias": (width,)}
        shapes |= {f"{at}.mlp.c_fc.weight": (4 * width, width), f"{at}.mlp.c_fc.bias": (4 * width,)}
        shapes |= {f"{at}.mlp.c_proj.weight": (width, 4 * width), f"{at}.mlp.c_proj.bias": (width,)}
    return shapes


def vit_layout() -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a ViT's checkpoint, written out: those of ViT-B-16, narrower."""
    width, grid, text = 32, 4, 16
    shapes = {"positional_embedding": (CONTEXT, text), "text_projection": (text, EMBEDDING), "logit_scale": ()}
    shapes |= {"visual.class_embedding": (width,), "visual.positional_embedding": (grid**2 + 1, width)}
    shapes |= {"visual.proj": (width, EMBEDDING), "visual.conv1.weight": (width, 3, 8, 8)}
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"visual.{norm}.weight": (width,), f"visual.{norm}.bias": (width,)}
    shapes |= blocks("visual.transformer", 8, width) | blocks("transformer", 2, text)
    return shapes | {
        "token_embedding.weight": (VOCABULARY, text), "ln_final.weight": (text,), "ln_final.bias": (text,)
    }  # fmt: skip


def numbers(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in shapes.items():
        wide = len(shape) > 1 and "embedding" not in key
        value = torch.randn(shape, generator=generator) * (shape[-1] ** -0.5 if wide else 0.2)
        state[key] = value + 1 if key.endswith("weight") and "ln_" in key else value
    state["logit_scale"] = torch.tensor(3.0)
    return state


def random_state(name: str) -> dict[str, Tensor]:
    """The state of a model of another kind, with statistics and weights that no default equals."""
    torch.manual_seed(3)
    model = open_clip.create_model(name, pretrained_text=False)
    for key, value in model.state_dict().items():
        if key.endswith("running_mean"):
            value.uniform_(-0.1, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif "bn3.weight" in key:  # zero at first, which would hide a block
            value.fill_(0.7)
        elif value.ndim > 1 and "embed" not in key:
            value.normal_(std=(2 / value[0].numel()) ** 0.5)
    return {key: value.clone() for key, value in model.state_dict().items()}


def save_training_checkpoint(state: dict[str, Tensor], file: Path) -> str:
    """As open_clip's training writes them: of a distributed model, beside the optimiser's state."""
    state = {f"module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 32, "name": "tiny", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, file)
    return str(file)
