"""The part of `padkit evaluate` that scores a dataset by a peer: another program's ONNX files. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from padkit.commands.parser import Number
from padkit.data.simulation import simulated_warning
from padkit.errors import SettingsError
from padkit.settings.ranges import Processes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from padkit.data.reader import DatasetReader
    from padkit.deploy.peer import Peer
    from padkit.evaluation.candidates import Candidate

DATA = "--data"
UNKNOWN = (
    "its preprocessing is by its authors' documentation ({source}); whether its weights were trained with it, and on "
    "which data, cannot be known from here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOptions:
    """The dataset that `--model` scores, by the settings of its reader."""


def apart(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of `padkit evaluate` itself, and those of `--data` and `--data.SETTING` with their values."""
    own: list[str] = []
    data: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        key, equals, _ = word.partition("=")
        if key != DATA and not key.startswith(f"{DATA}."):
            own.append(word)
            continue
        data.append(word)
        if not equals and rest and not rest[0].startswith("--"):
            data.append(rest.pop(0))
    return own, data


def is_asked(own: Sequence[str]) -> bool:
    """Return whether the words of `padkit evaluate` itself ask for a peer."""
    return any(word.partition("=")[0] in ("--model", "--adapter") for word in own)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of scoring a dataset by a model."""
    add = parser.add_argument
    add(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="a peer's ONNX file, one --model for each",
    )
    add("--adapter", metavar="NAME", help="what the files take and give: a peer's name, or a YAML file")
    add("--data", metavar="NAME", help="the dataset's reader, with --data.root DIR and its other settings")
    add("--face", default="auto", metavar="FINDER", help="face finder for a peer: auto, hints, lbp, scrfd or none")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--frames", default="uniform:8", metavar="RULE", help="frames of each presentation (%(default)s)")
    add("--cropped", action="store_true", help="the media are face crops: find nothing, take them whole")
    add("--threads", type=Number(Processes), metavar="N", help="CPU threads")
    add("--scores", type=Path, metavar="FILE", help="write the scores: .parquet, for padkit evaluate and figures")


def check(line: argparse.Namespace, data: Sequence[str]) -> None:
    """Refuse options that go without each other.

    Raises:
        SettingsError: `--model` or the dataset is missing.
    """
    if line.model and not data:
        raise SettingsError("--model scores a dataset: add --data NAME, such as --data folder --data.root DIR.")
    if data and not line.model:
        raise SettingsError("--adapter goes with --model FILE; add it, or leave it out.")
    if not line.model and (line.adapter or line.scores):
        raise SettingsError("--adapter and --scores go with --model FILE; add it, or leave them out.")
    if line.cropped and line.face != "auto":
        raise SettingsError("--cropped finds no faces, so it goes without --face; leave one of them out.")
    if line.model and not line.adapter:
        raise SettingsError(
            "--model FILE goes with --adapter NAME, a peer's; for a model of padkit: padkit evaluate MODEL --data NAME."
        )


def scored(line: argparse.Namespace, data: Sequence[str]) -> Candidate:
    """Return the candidate that a model's scores on a dataset make; write the scores if asked.

    Raises:
        PadkitError: The model or the data cannot be had.
    """
    from padkit.catalog import Catalog
    from padkit.settings import read_settings
    from padkit.settings.recipes import Slot

    catalog = Catalog()
    slots = {"data": Slot("dataset", "folder", required=True)}
    chosen = read_settings(NoOptions, slots, data, catalog, "padkit evaluate --model FILE").needed("data")
    reader = catalog.build_chosen(chosen)
    found = _by_peer(line, chosen.name, reader, catalog)
    if line.scores is not None:
        from padkit.evaluation.scores import write_scores

        write_scores(found.target, line.scores.expanduser())
    return found


def find_peer(name: str, catalog: Any) -> Peer:
    """Return the description of this name, or of this YAML file."""
    from padkit.deploy.peer import SUFFIXES, read_peer

    if name.endswith(SUFFIXES):
        return read_peer(Path(name).expanduser())
    found: Peer = catalog.build("peer", name, {})
    return found


def _by_peer(line: argparse.Namespace, name: str, reader: DatasetReader, catalog: Any) -> Candidate:
    from padkit.data.preparation.options import CropOptions
    from padkit.deploy.peer_scores import open_peer, score_dataset
    from padkit.deploy.predictor import finder_weights

    peer = find_peer(line.adapter, catalog)
    networks = open_peer(peer, [Path(file).expanduser() for file in line.model], line.threads)
    face = "none" if line.cropped else line.face
    options = CropOptions(frames=line.frames, face=face, face_model=finder_weights(face, line.face_model))
    found = score_dataset(peer, networks, reader, options, name=name)
    notes = [UNKNOWN.format(source=peer.source or line.adapter), *found.notes]
    title = f"{Path(line.adapter).stem} ({', '.join(Path(file).name for file in line.model)})"
    return _candidate(title, reader, found.columns, found.scores, [*notes, *_silent(found.silent, found.asked)])


def _candidate(
    name: str, reader: DatasetReader, columns: Mapping[str, NDArray[Any]], scores: NDArray[np.float64],
    notes: Sequence[str],
) -> Candidate:  # fmt: skip
    """Return the candidate of a dataset's scores; its split `test` is assessed, if it has one."""
    from padkit.evaluation.candidates import WITHOUT_DEV, Candidate, with_notes
    from padkit.evaluation.scores import presentation_scores

    split = columns["split"]
    tested, dev = split == "test", split == "dev"
    left = ~(tested | dev)
    told = list(notes)
    if not np.any(tested):
        tested, dev, left = np.ones_like(tested), np.zeros_like(tested), np.zeros_like(tested)
        told.append("the data have no split test, so all presentations are assessed.")
    if np.any(left):
        count = len(np.unique(columns["presentation"][left]))
        told.append(f"{count} presentations of other splits than test and dev are left out.")
    if warning := simulated_warning(reader.simulated, reader.real_faces):
        told.append(warning)

    def of(mask: NDArray[np.bool_]) -> Any:
        return presentation_scores({key: column[mask] for key, column in columns.items()}, scores[mask])

    found = Candidate(name=name, target=of(tested), target_dev=of(dev) if np.any(dev) else None)
    if found.target_dev is None:
        told.append(WITHOUT_DEV)
    return with_notes(
        replace(found, policies=found.possible_policies(), notes=tuple(f"{name}: {note}" for note in told))
    )


def _silent(silent: Mapping[int, int], asked: Mapping[int, int]) -> Iterator[str]:
    words = {1: "bona fide presentations", 0: "attacks"}
    shares = " and ".join(f"{_share(silent[label], asked[label])} {word}" for label, word in words.items())
    yield f"non-response: {shares} had no face that could be scored; they are in no rate."


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"
