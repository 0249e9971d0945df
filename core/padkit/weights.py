"""Weights files: read without executing code, loaded only if every key and shape matches, verified by checksum."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from padkit.errors import DataError, WeightsError
from padkit.files import write_atomically

PICKLE_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".tar")
SHOWN = 3
# Where a checkpoint of many things keeps the tensors of the network.
WRAPPERS = ("state_dict", "model_state_dict", "state_dict_backbone", "model", "net")
# What wrappers of a network put before its names: DataParallel, torch.compile, a detector of backbone and head, ours.
PREFIXES = ("module.", "_orig_mod.", "backbone.", "model.", "student.", "net.")
# What such a wrapper holds beside the network: its classifier, the counter of averaged weights.
BESIDE = ("head", "fc", "classifier", "n_averaged")
MODEL = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsCard:
    """What is recorded beside a weights file, in a JSON file with the same stem.

    Attributes:
        file: Name of the weights file.
        size: Its length in bytes.
        sha256: Its checksum, hexadecimal.
        summary: One line: what network this is and what it was trained on.
        recipe: The command that made it.
        seed: Seed of that run.
        data: What it was trained on, for example "trained on simulated faces".
        licence: Licence of the weights.
        figures: Quality figures by name, measured on data held out from training.
    """

    file: str
    size: int
    sha256: str
    summary: str
    recipe: str
    seed: int
    data: str
    licence: str
    figures: Mapping[str, float] = field(default_factory=dict)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the state dict held by a `.safetensors`, `.pth`, `.pt` or `.ckpt` file, on the CPU.

    Pickled files are read by `torch.load(weights_only=True)`, which runs no code from the file. A checkpoint that keeps
    the tensors under one of `WRAPPERS` is unwrapped.

    Args:
        path: The file; or a run of padkit or its `model/`, whose detector is meant.

    Raises:
        WeightsError: The file is missing, is damaged, would run code, or holds anything other than named tensors.
    """
    file = Path(path).expanduser()
    if not file.exists():
        raise WeightsError(f"weights file {file} does not exist; check the path")
    if file.is_dir():
        inside = [file / MODEL, file / "model" / MODEL]
        file = next(filter(Path.is_file, inside), file)
    if not file.is_file():
        raise WeightsError(
            f"weights path {file} is not a file, and no run of padkit with a {MODEL}; name the file inside it"
        )
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    if file.suffix in PICKLE_SUFFIXES:
        return _named_tensors(_read_pickle(file), file)
    known = ", ".join((".safetensors", *PICKLE_SUFFIXES))
    raise WeightsError(f"weights file {file} has the unknown suffix {file.suffix!r}; known are {known}")


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        state = safetensors.torch.load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"weights file {file} is damaged ({_one_line(error)}); fetch it again") from error
    if not state:
        raise WeightsError(f"weights file {file} holds no tensors; fetch it again")
    return state


def _read_pickle(file: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols; what fails is reported below
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # The same exception means "this would run code" and "these bytes are no pickle"; only its text differs.
        if re.search(r"Unsupported (global|class)|not (an )?allowed", str(error)):
            raise WeightsError(
                f"weights file {file} holds more than tensors and is refused, because reading it could run code; "
                "save its state dict alone as safetensors"
            ) from error
        raise WeightsError(f"weights file {file} is damaged or no torch file; fetch it again") from error
    except (RuntimeError, OSError) as error:
        raise WeightsError(f"weights file {file} is damaged ({_one_line(error)}); fetch it again") from error
    except Exception as error:  # on junk, the unpickler may raise anything
        raise WeightsError(f"weights file {file} is damaged or no torch file; fetch it again") from error


def _named_tensors(content: object, file: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        held = [name for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if len(held) > 1:
            raise WeightsError(
                f"weights file {file} holds {len(held)} networks ({', '.join(held)}); save the state dict of one alone"
            )
        if not held:
            break
        content = content[held[0]]
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"weights file {file} holds a {type(content).__name__}, not named tensors; save `model.state_dict()`"
        )
    state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state or len(state) < len(content):
        others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
        raise WeightsError(
            f"weights file {file} holds entries that are not tensors ({_first(others) or 'it is empty'}); "
            "save `model.state_dict()` alone"
        )
    return state


def load_matched(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, *, without: Iterable[str] = ()
) -> None:
    """Copy `state` into `module`, casting to its data types, only if every key and every shape matches.

    Names are unwrapped first (see `unwrap`). A missing `num_batches_tracked` is tolerated: files written before
    PyTorch 0.4.1 lack this counter and evaluation does not read it.

    Args:
        module: The network; on an error it is left as it was.
        state: The tensors by name.
        source: Where they come from, for the error.
        without: Parts of the file that `module` does not have and that are dropped, such as a classifier: `fc`.

    Raises:
        WeightsError: Keys are missing or unexpected, shapes differ, or a value is not finite.
    """
    own = module.state_dict()
    dropped = tuple(f"{name}." for name in without)
    state = {key: value for key, value in unwrap(state, own).items() if not key.startswith(dropped)}
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    missing = [key for key in own if key not in state and key not in counters]
    unexpected = [key for key in state if key not in own]
    mismatched = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    faults = [
        f"{len(keys)} {title} ({_first(keys)})"
        for title, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", mismatched))
        if keys
    ]
    if faults:
        name = type(module).__name__
        raise WeightsError(
            f"weights {source} do not fit {name}: {', '.join(faults)}; choose weights of this architecture"
        )
    broken = [key for key, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if broken:
        raise WeightsError(f"weights {source} hold values that are not finite ({_first(broken)}); fetch them again")
    module.load_state_dict({**{key: own[key] for key in counters}, **state}, strict=True)


def unwrap(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Return `state` under the names of a network: without what wrappers put before and beside them.

    One of `PREFIXES` after the other is removed until a name of the network is found. A prefix goes only if every key
    has it, or is one of `BESIDE`, which is dropped: a detector's classifier. What fits no name stays as it is.

    Args:
        state: The tensors by name.
        names: Names that the network certainly has; all of them, or one that tells it.
    """
    found, own = dict(state), frozenset(names)
    while not own & found.keys():
        inside: dict[str, Tensor] = {}
        for prefix in PREFIXES:
            kept = [key for key in found if key.startswith(prefix)]
            if kept and all(key.split(".")[0] in BESIDE for key in found.keys() - set(kept)):
                inside = {key.removeprefix(prefix): found[key] for key in kept}
                break
        if not inside:
            break
        found = inside
    return found


def package_folder(module: str) -> Path | None:
    """Return the folder of an installed package of weights, which is not imported; None if it is not installed."""
    spec = importlib.util.find_spec(module)
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0]) if folders else None


def sha256(path: str | Path) -> str:
    """Return the file's SHA-256 checksum in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_destination(path: str | Path) -> Path:
    """Return `path` if weights can be written there; call this before a long training. Missing folders are made.

    Raises:
        WeightsError: The suffix is not `.safetensors`, or the folder cannot be written.
    """
    file = Path(path).expanduser()
    if file.suffix != ".safetensors":
        raise WeightsError(f"weights file {file} must end in .safetensors")
    probe = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise WeightsError(f"{file} cannot be written ({error.strerror}); choose another folder") from error
    return file


def write_weights(path: str | Path, state: Mapping[str, Tensor], *, half: bool = False) -> Path:
    """Write `state` as safetensors, completely or not at all.

    Args:
        path: The file; its suffix must be `.safetensors`. Missing folders are made.
        state: The tensors by name.
        half: Store matrices and kernels as float16, which halves the file; vectors (biases, normalisation
            statistics) keep their precision.

    Raises:
        WeightsError: The suffix is another one or the folder cannot be written.
    """
    file = check_destination(path)
    stored = {
        key: (value.half() if half and value.ndim > 1 else value).detach().cpu().contiguous()
        for key, value in state.items()
    }
    _replace(file, safetensors.torch.save(stored))
    return file


def write_card(
    path: str | Path, *, summary: str, recipe: str, seed: int, data: str, licence: str, figures: Mapping[str, float]
) -> WeightsCard:
    """Write the card of the weights file `path` beside it, with the file's size and checksum; return it.

    The arguments are the fields of `WeightsCard`.

    Raises:
        WeightsError: The weights file does not exist or its folder cannot be written.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"weights file {file} does not exist; write it before its card")
    card = WeightsCard(
        file=file.name,
        size=file.stat().st_size,
        sha256=sha256(file),
        summary=summary,
        recipe=recipe,
        seed=seed,
        data=data,
        licence=licence,
        figures=dict(figures),
    )
    _replace(file.with_suffix(".json"), (json.dumps(asdict(card), indent=2) + "\n").encode())
    return card


def embedded_path(package: str, filename: str) -> Path:
    """Return the path of the weights file `filename` that ships inside `package` (folder `weights/`).

    Raises:
        WeightsError: The package ships no such file.
    """
    file = Path(str(resources.files(package))) / "weights" / filename
    if not file.is_file():
        raise WeightsError(f"{package} ships no weights {filename} (looked for {file}); install padkit again")
    return file


def read_card(path: str | Path) -> WeightsCard:
    """Return the card beside the weights file `path`.

    Raises:
        WeightsError: There is none, or it is damaged.
    """
    file = Path(path).with_suffix(".json")
    try:
        return WeightsCard(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"the card {file} of the weights cannot be read ({_one_line(error)}); install padkit again"
        ) from error


def read_embedded(package: str, filename: str) -> dict[str, Tensor]:
    """Return the tensors of the weights file that ships inside `package`, after checking its recorded checksum.

    Raises:
        WeightsError: The file or its card is missing or damaged, or the checksum differs.
    """
    file = embedded_path(package, filename)
    card = read_card(file)
    if sha256(file) != card.sha256:
        raise WeightsError(f"weights file {file} differs from its recorded checksum; install padkit again")
    return read_weights(file)


def _replace(file: Path, content: bytes) -> None:
    try:
        write_atomically(file, content)
    except DataError as error:
        raise WeightsError(str(error)) from error


def _first(names: Iterable[str]) -> str:
    names = list(names)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _one_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
