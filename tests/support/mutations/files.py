"""Mutations of weights, of finished runs, of checkpoints and of prepared tables."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, Tensor]


class Danger:
    """Would leave a mark if it were unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def wrapped(rng: random.Random, state: State, folder: Path) -> Path:
    """As training programs leave it: prefixes, wrappers, a classifier beside."""
    for prefix in rng.choices(["module.", "_orig_mod.", "backbone.", "model.", "net."], k=rng.randint(0, 3)):
        state = {f"{prefix}{name}": value for name, value in state.items()}
        if rng.random() < 0.3:
            state[rng.choice(["fc", "head", "classifier"]) + ".weight"] = torch.zeros(2, 2)
    wrapper = rng.choice([None, "state_dict", "model", "net", "model_state_dict", "state_dict_backbone"])
    if wrapper is None and rng.random() < 0.5:
        save_file(state, folder / "it.safetensors")
        return folder / "it.safetensors"
    torch.save({wrapper: state, "epoch": 3, "args": {"lr": 0.1}} if wrapper else state, folder / "it.pth")
    return folder / "it.pth"


def half(rng: random.Random, state: State, folder: Path) -> Path:
    kept = {name: value.half().float() if value.is_floating_point() else value for name, value in state.items()}
    save_file(kept, folder / "it.safetensors")
    return folder / "it.safetensors"


def lost_key(rng: random.Random, state: State, folder: Path) -> Path:
    name = rng.choice(sorted(name for name in state if "num_batches" not in name and not name.startswith("fc.")))
    torch.save({key: value for key, value in state.items() if key != name}, folder / "it.pth")
    return folder / "it.pth"


def other_shape(rng: random.Random, state: State, folder: Path) -> Path:
    name = rng.choice(sorted(name for name in state if "num_batches" not in name and not name.startswith("fc.")))
    shape = rng.choice([(3,), (0,), (), (1, 1)])
    torch.save(state | {name: torch.zeros(shape)}, folder / "it.pth")
    return folder / "it.pth"


def not_finite(rng: random.Random, state: State, folder: Path) -> Path:
    name = rng.choice(sorted(name for name in state if name.endswith("weight") and not name.startswith("fc.")))
    torch.save(
        state | {name: torch.full_like(state[name], rng.choice([float("nan"), float("inf")]))}, folder / "it.pth"
    )
    return folder / "it.pth"


def program(rng: random.Random, state: State, folder: Path) -> Path:
    path, mark = folder / "it.pth", folder / "ran"
    if rng.random() < 0.5:
        path.write_bytes(pickle.dumps(Danger(mark)))
    else:
        torch.save({"state_dict": state, "hook": Danger(mark)}, path)
    return path


def two_networks(rng: random.Random, state: State, folder: Path) -> Path:
    torch.save({"model": state, "state_dict": {name: value + 1 for name, value in state.items()}}, folder / "it.pth")
    return folder / "it.pth"


def other_things(rng: random.Random, state: State, folder: Path) -> Path:
    path = folder / f"it{rng.choice(['.pth', '.safetensors', '.ckpt', '.onnx', '.txt', ''])}"
    things: list[Any] = [[1, 2], {"a": 1}, {}, None, "x", torch.zeros(3)]
    if rng.random() < 0.5:
        torch.save(rng.choice(things), path)
    else:
        path.write_bytes(
            rng.choice([b"", b"x", rng.randbytes(99), (2**60).to_bytes(8, "little") + b"{}", b"PK\x03\x04"])
        )
    return path


def cut(rng: random.Random, state: State, folder: Path) -> Path:
    path = wrapped(rng, state, folder)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])
    return path


def no_file(rng: random.Random, state: State, folder: Path) -> Path:
    return rng.choice([folder / "gone.pth", folder, Path("/dev/null"), Path("/"), folder / ("x" * 300)])


WEIGHTS_SAME = (wrapped, wrapped, wrapped)
WEIGHTS_REFUSED = (lost_key, other_shape, not_finite, program, two_networks, other_things, cut, no_file)

JSON_VALUES: tuple[Any, ...] = (None, -1, 0, 1e308, "", "x", [], {}, True, [None], {"a": {}}, 2**70, "nan")


def damaged(rng: random.Random, path: Path) -> str:
    """Damage a file as disks, copies and editors do; return how."""
    content = path.read_bytes()
    kind = rng.choice(
        ["cut", "empty", "flip", "noise", "gone", "folder", *(["value", "value", "value"] * _is_json(path))]
    )
    if kind == "cut":
        path.write_bytes(content[: rng.randrange(max(len(content), 1))])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "flip":
        changed = bytearray(content or b"x")
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
    elif kind == "noise":
        path.write_bytes(rng.randbytes(len(content) or 9))
    elif kind in ("gone", "folder"):
        path.unlink()
        if kind == "folder":
            path.mkdir()
    else:
        kind = f"value {_other_value(rng, path)}"
    return f"{kind} {path.name}"


def _is_json(path: Path) -> bool:
    return path.suffix == ".json"


def _other_value(rng: random.Random, path: Path) -> str:
    tree = json.loads(path.read_text())
    node, trail = tree, []
    while isinstance(node, (dict, list)) and node:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        trail.append(str(key))
        if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.3:
            value = rng.choice([*JSON_VALUES, ...])
            if value is ...:
                del node[key]
            else:
                node[key] = value
            path.write_text(json.dumps(tree))
            return f"{'.'.join(trail)} = {'(gone)' if value is ... else value!r}"
        node = node[key]
    path.write_text(json.dumps(rng.choice(JSON_VALUES)))
    return "all"


def copied(source: Path, folder: Path) -> Path:
    """Return a copy of a folder to damage."""
    shutil.copytree(source, folder / "copy", symlinks=True)
    return folder / "copy"


def damaged_below(rng: random.Random, folder: Path, choose: Callable[[Path], bool]) -> str:
    """Damage one of the files below a folder."""
    return damaged(rng, rng.choice(sorted(path for path in folder.rglob("*") if path.is_file() and choose(path))))
