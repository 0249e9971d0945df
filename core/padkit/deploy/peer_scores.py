"""Scores a dataset's photographs by a peer: another program's ONNX files with their description. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.cropping import EVENTS, Cropper, Tally
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.shards import chunks
from padkit.data.preparation.squares import Square, cut_exactly, face_box
from padkit.data.presentation import FaceHint, Presentation, shows_no_face
from padkit.data.reader import DatasetReader
from padkit.deploy.cutting import are_photographs
from padkit.deploy.peer import Peer, View
from padkit.deploy.runtimes import onnx_session
from padkit.deploy.views import network_input, viewed
from padkit.errors import DataError, PadkitError, SettingsError, WeightsError, one_line
from padkit.processes import counting_bar

BATCH = 32
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
SUM_OF_ONE = 1e-3  # how far a row of probabilities may be from one
FACTS = ("dataset", "domain", "split", "subject", "label", "attack_type", "species", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One opened ONNX file of a peer.

    Attributes:
        path: The file.
        view: What it takes.
        session: ONNX Runtime's.
        single: Whether it takes one picture at a time.
    """

    path: Path
    view: View
    session: Any
    single: bool

    def outputs(self, pictures: Sequence[Frame]) -> NDArray[np.float64]:
        """Return the numbers of its first output for pictures of its view, [B, K].

        Raises:
            WeightsError: It cannot compute them, or gives another shape.
        """
        (given,) = self.session.get_inputs()
        batch = network_input(pictures, self.view).astype(TYPES[given.type])
        parts = np.split(batch, len(batch)) if self.single else [batch]
        try:
            found = [np.asarray(self.session.run(None, {given.name: part})[0], dtype=np.float64) for part in parts]
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise WeightsError(f"{self.path}: cannot score ({one_line(error)}); check the adapter's view.") from error
        if any(one.shape[:1] != part.shape[:1] for one, part in zip(found, parts, strict=True)):
            raise WeightsError(
                f"{self.path}: gives {list(found[0].shape)} for {len(parts[0])} pictures, not one row each."
            )
        return np.concatenate([one.reshape(len(one), -1) for one in found])


@dataclass(slots=True)
class PeerScores:
    """The frames that a peer scored, and what it could not score.

    Attributes:
        columns: By name, one entry per frame [F] (`padkit.evaluation.scores`).
        scores: P(bona fide) of each frame [F].
        silent: Presentations of which no frame could be scored, by label.
        asked: All presentations, by label.
        notes: What a reader of the figures must know.
    """

    columns: dict[str, NDArray[Any]]
    scores: NDArray[np.float64]
    silent: dict[int, int]
    asked: dict[int, int]
    notes: list[str] = field(default_factory=list)


class ViewCropper(Cropper):
    """Cuts every view of a face; the crops of a frame are one flat array, uint8, in the order of the views.

    Args:
        reader: The dataset, whose media are photographs or videos, or face crops.
        options: Frames and face finder; margin, alignment and size have no effect.
        views: The views.
    """

    def __init__(self, reader: DatasetReader, options: CropOptions, views: Sequence[View]) -> None:
        super().__init__(reader, options)
        self.views = views

    def split(self, flat: Frame) -> list[Frame]:
        """Return the views, uint8 RGB [height, width, 3] each, of a flat array."""
        ends = np.cumsum([view.width * view.height * 3 for view in self.views])
        parts = np.split(flat, ends[:-1])
        return [part.reshape(view.height, view.width, 3) for part, view in zip(parts, self.views, strict=True)]

    def _cut(self, picture: Image, face: FaceHint, square: Square | None, name: str) -> Frame:
        if square is None and face.box is not None:
            picture = cut_exactly(picture, face.box, name)
        box = None if square is None else face_box(face)
        return np.concatenate([viewed(picture, box, view).reshape(-1) for view in self.views])


def open_peer(peer: Peer, files: Sequence[Path], threads: int | None = None) -> list[Network]:
    """Open a peer's files.

    Raises:
        SettingsError: There is another number of files than of views.
        WeightsError: A file is missing or damaged, is no ONNX, or does not take its view.
        PluginError: ONNX Runtime is not installed.
    """
    if len(files) != len(peer.views):
        wanted = ", ".join(view.about or f"{view.width} x {view.height}" for view in peer.views)
        raise SettingsError(
            f"--model names {len(files)} files, the adapter describes {len(peer.views)} ({wanted}); name one --model "
            "for each, in this order."
        )
    return [_opened(path, view, threads) for path, view in zip(files, peer.views, strict=True)]


def score_dataset(
    peer: Peer, networks: Sequence[Network], reader: DatasetReader, options: CropOptions, *, name: str
) -> PeerScores:
    """Score a dataset's frames.

    Args:
        peer: What the networks' numbers mean.
        networks: Its files (`open_peer`).
        reader: The dataset.
        options: Frames and face finder.
        name: The dataset's name, for errors.

    Raises:
        DataError: It is a prepared table, is empty, or no frame of it can be scored.
        WeightsError: A network cannot compute.
    """
    if reader.tables():
        raise DataError(
            f"{name}: is a prepared table of padkit's own crops; a peer cuts its own, so give the photographs."
        )
    cropper = ViewCropper(reader, options, peer.views)
    records = [record for record in cropper.records() if not shows_no_face(record.session)]
    if not records:
        raise DataError(f"Dataset {name!r} is empty: its reader found no presentations of faces.")
    rows: list[Presentation] = []
    outputs: list[list[NDArray[np.float64]]] = []
    tally, failures = Tally(), list[str]()
    for batch in chunks(_faces(cropper, records, tally, failures), BATCH):
        rows += [record for record, _ in batch]
        pictures = [cropper.split(flat) for _, flat in batch]
        outputs.append([one.outputs([each[place] for each in pictures]) for place, one in enumerate(networks)])
    if not rows:
        raise DataError(f"{name}: no frame could be scored; the first of {len(failures)}: {failures[0]}")
    raw = [np.concatenate([part[place] for part in outputs]) for place in range(len(networks))]
    notes = list(_notes(networks, reader, cropper, tally))
    if content := len(cropper.records()) - len(records):
        notes.append(f"{content} presentations of content, which shows no face, are left out.")
    scores = np.mean([_live(peer, one.path, found, notes) for one, found in zip(networks, raw, strict=True)], axis=0)
    labels, judged = {record.id: record.label for record in records}, {record.id for record in rows}
    return PeerScores(
        columns={key: np.array([getattr(row, key) for row in rows]) for key in FACTS}
        | {"presentation": np.array([row.id for row in rows])},
        scores=scores,
        silent=_by_label({each: label for each, label in labels.items() if each not in judged}),
        asked=_by_label(labels),
        notes=[*reader.notes(), *notes],
    )


def _faces(
    cropper: ViewCropper, records: Sequence[Presentation], tally: Tally, failures: list[str]
) -> Iterator[tuple[Presentation, Frame]]:
    """Yield each frame that has a face, as one flat array; count what has none."""
    with counting_bar("scoring", len(records), shown=True) as count:
        for record in records:
            try:
                found = cropper.crops(record, tally)
            except DataError as error:
                failures.append(one_line(error))
                found = []
            count(1)
            yield from ((record, flat) for _, flat in found)


def _opened(path: Path, view: View, threads: int | None) -> Network:
    if path.suffix != ".onnx":
        raise WeightsError(f"{path}: is no .onnx file; a peer is scored by ONNX Runtime, so convert it first.")
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; padkit ships no peer's weights, get them from their authors.")
    try:
        session = onnx_session(path, threads)
    except PadkitError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise WeightsError(f"{path} cannot be read ({one_line(error)}); get it again.") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in TYPES:
        told = ", ".join(f"{one.name} {one.type}" for one in inputs)
        raise WeightsError(f"{path}: takes {told}; a peer takes one picture as {', '.join(TYPES)}.")
    shape = inputs[0].shape
    wanted = [3, view.height, view.width] if view.layout == "nchw" else [view.height, view.width, 3]
    # Free axes have names instead of numbers.
    if len(shape) != 4 or any(isinstance(had, int) and had != due for had, due in zip(shape[1:], wanted, strict=True)):
        raise WeightsError(f"{path}: takes {shape}, the adapter describes [B, {', '.join(map(str, wanted))}].")
    return Network(path=path, view=view, session=session, single=shape[0] == 1)


def _live(peer: Peer, path: Path, found: NDArray[np.float64], notes: list[str]) -> NDArray[np.float64]:
    """Return P(bona fide) of each frame [F] by one file's outputs [F, K]."""
    if not np.all(np.isfinite(found)):
        raise WeightsError(f"{path}: gives numbers that are not finite; check the adapter's mean and deviation.")
    if peer.live >= found.shape[1]:
        raise WeightsError(f"{path}: gives {found.shape[1]} numbers, the adapter takes number {peer.live} (from 0).")
    single = found.shape[1] == 1
    inside = bool(np.all((found >= 0) & (found <= 1)))
    sums = bool(np.all(np.abs(found.sum(axis=1) - 1) < SUM_OF_ONE))
    are = inside and (single or sums)
    kind = peer.outputs
    if kind == "auto":
        kind = "probabilities" if are else "sigmoid" if single else "logits"
        notes.append(f"{path.name}: its outputs were taken for {kind}, by their values.")
    elif kind == "probabilities" and not are:
        raise WeightsError(f"{path}: its outputs are no probabilities that sum to one; describe them as logits.")
    elif kind != "probabilities" and are:
        notes.append(f"warning: {path.name}: its outputs look like probabilities, but are described as {kind}.")
    if kind == "logits":
        shifted = np.exp(found - found.max(axis=1, keepdims=True))
        found = shifted / shifted.sum(axis=1, keepdims=True)
    elif kind == "sigmoid":
        found = 1 / (1 + np.exp(-found.clip(-700, 700)))
    live = found[:, peer.live].clip(0, 1)
    return 1 - live if peer.attack_scores else live


def _notes(networks: Sequence[Network], reader: DatasetReader, cropper: Cropper, tally: Tally) -> Iterator[str]:
    for one in networks:
        yield f"{one.path.name}: taken as {one.view.about or f'{one.view.width} x {one.view.height} pixels'}."
    if not are_photographs(reader) or cropper.options.face == "none":
        yield "The media were taken as face crops, whole: a view that is cut wider than the face box could not be."
    else:
        yield f"Faces were found by {cropper.options.face}, not by the peer's own finder, whose boxes may differ."
    yield from (f"{count} {EVENTS[event]}." for event, count in sorted(tally.counts.items()) if count)


def _by_label(labels: Mapping[str, int]) -> dict[int, int]:
    return {label: sum(each == label for each in labels.values()) for label in (0, 1)}
