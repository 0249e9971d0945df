"""Calibrates a bundle on a dataset and writes a new one beside it. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.pictures import Frame
from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.finders import HINTED
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.presentation import SPLITS, Presentation, shows_no_face
from padkit.data.reader import DatasetReader
from padkit.data.simulation import facts_of, simulated_part
from padkit.deploy import BUNDLE, CARD, WEIGHTS
from padkit.deploy.bundle import WHOLE, Bundle, BundleThreshold, describe, sha256_of
from padkit.deploy.card import recarded
from padkit.deploy.cutting import PolicyCropper, are_photographs, judged_as_cut, policy_options, unlike
from padkit.deploy.predictor import Predictor, finder_weights
from padkit.deploy.steady import Stable
from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.calibration import Calibration, facts
from padkit.evaluation.scores import COLUMNS
from padkit.evaluation.temperature import tempered
from padkit.files import write_atomically

BATCH = 64
ASKED = tuple(name for name in COLUMNS if name not in ("score", "frames"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The presentations that a model is calibrated on.

    Attributes:
        table: Their crops.
        rows: The rows that count [F], ascending.
        scores: P(bona fide) of each row [F].
        cropper: What cuts them from photographs; None for data that are face crops already.
        told: What they are, in words.
        silent: Presentations without a crop and all presentations, of what was asked for; None if a table that was
            prepared before does not tell them of a part.
        notes: What a reader of the figures must know.
    """

    table: FrameTable
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    cropper: PolicyCropper | None
    told: str
    silent: tuple[int, int] | None
    notes: tuple[str, ...] = ()

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the rows that count, [F] each."""
        return {name: self.table.column(name)[self.rows] for name in ASKED}


def gather(
    predictor: Predictor,
    reader: DatasetReader,
    name: str,
    *,
    cropped: bool = False,
    frames: str = "uniform:8",
    face: str = "",
    face_model: str = "",
    split: str = "",
    domains: Sequence[str] = (),
) -> Sample:
    """Prepare a dataset as the bundle wants its crops, and score what is asked for.

    Args:
        predictor: The model.
        reader: The dataset: prepared tables and face crops are taken as they are, photographs are cut.
        name: Its name.
        cropped: Its media are face crops, although the reader does not say so.
        frames: Frames of each presentation that are cut from photographs and videos.
        face: Another face finder than the bundle's.
        face_model: The weights of `scrfd`: an .onnx file or a pack's name. They are looked for if faces are.
        split: Only this split.
        domains: Only these domains.

    Raises:
        DataError: The data cannot be read, or nothing is left.
        SettingsError: The split or a domain is unknown.
    """
    table, cropper = prepared(
        predictor.bundle, reader, name, cropped=cropped, frames=frames, face=face, face_model=face_model
    )
    rows = chosen_rows(table, split, domains)
    about = table.preparation
    told = f"{about['dataset']} ({', '.join(np.unique(table.column('domain')[rows]).tolist())})"
    return Sample(
        table=table,
        rows=rows,
        scores=np.concatenate([predictor.scores(crops) for crops in crops_of(table, rows)]),
        cropper=cropper,
        told=told
        + (f", split {split}" if split else "")
        + (f", {part}" if (part := simulated_part(*facts_of(about))) else ""),
        silent=silent_among(table, records_of(reader, cropper), split, domains),
        notes=tuple(_notes(predictor.bundle, table, rows, cropper)),
    )


def prepared(
    bundle: Bundle,
    reader: DatasetReader,
    name: str,
    *,
    cropped: bool = False,
    frames: str = "uniform:8",
    face: str = "",
    face_model: str = "",
) -> tuple[FrameTable, PolicyCropper | None]:
    """Return a dataset's crops as a bundle wants them, and what cut them; arguments and errors as in `gather`."""
    if are_photographs(reader) and not cropped:
        if face == WHOLE:
            raise SettingsError(f"--face {WHOLE}: for data that are face crops already write --cropped true.")
        weights = finder_weights(face or bundle.crop.face, face_model)
        options = policy_options(bundle, frames=frames, face=face, face_model=weights)
        cropper = PolicyCropper(reader, options, bundle.crop.drop)
        return prepare(cropper, dataset_name=name), cropper
    if face:
        raise SettingsError(
            f"--face {face}: the dataset {name} gives face crops, in which no face is found; leave it out."
        )
    if reader.tables() or reader.draws_room:  # whose crops have their size already
        return prepare(reader, dataset_name=name), None
    # Resized twice, by the reader's size and then by the model's, crops would be others than in training.
    return prepare(Cropper(reader, size=bundle.image_size), dataset_name=name), None


def calibrated(bundle: Bundle, found: Calibration, sample: Sample) -> Bundle:
    """Return a bundle with the new threshold first, the new temperature, and thresholds that decide as before.

    A policy of the same name is replaced. The other thresholds are moved along with the scores.
    """
    scale, worst = found.fitted.temperature, found.worst
    new = BundleThreshold(
        policy=found.target.policy,
        value=found.threshold,
        chosen_on=f"calibration sample: {sample.told}",
        bona_fide=found.bona_fide.trials,
        attack=found.pooled.trials,
        rates={
            "apcer": worst.rate,
            "bpcer": found.bona_fide.rate,
            "hter": found.hter,
        },
        intervals={"apcer": worst.interval, "bpcer": found.bona_fide.interval},
    )
    kept = [
        replace(old, value=float(tempered(old.value, scale))) for old in bundle.thresholds if old.policy != new.policy
    ]
    record = {
        "data": sample.told,
        "tables": [str(entry.name) for entry in sample.table.folders],
        "key": sample.table.preparation["key"],
        "parent_sha256": bundle.sha256,
        "padkit": metadata.version("padkit"),
        **facts(found),
    }
    earlier = bundle.provenance.get("calibrations", [])
    return replace(
        judged_as_cut(bundle, sample.cropper.options.face if sample.cropper else ""),
        thresholds=(new, *kept),
        temperature=bundle.temperature * scale,
        provenance={**bundle.provenance, "calibrations": [*earlier, record]},
    )


def with_stability(bundle: Bundle, stable: Stable) -> Bundle:
    """Return a bundle whose last calibration records how its verdicts hold."""
    *earlier, last = bundle.provenance["calibrations"]
    return replace(
        bundle, provenance={**bundle.provenance, "calibrations": [*earlier, {**last, "stability": stable.record()}]}
    )


def write_calibrated(predictor: Predictor, bundle: Bundle, out: Path, report: str) -> None:
    """Write a new bundle: all files of the old one, the new `bundle.json`, the card's thresholds and the report.

    Raises:
        DataError: The folder is the model's own or is not empty, or cannot be written.
    """
    check_out(predictor, out)
    predictor.save(out)
    weights = out / WEIGHTS
    if not bundle.sha256 and weights.is_file():  # format 1 recorded none
        bundle = replace(bundle, sha256=sha256_of(weights))
    describe(out, bundle)
    card = out / CARD
    old = card.read_text(encoding="utf-8") if card.is_file() else ""
    write_atomically(card, recarded(old, bundle).encode())
    write_atomically(out / "calibration.md", report.encode())


def check_out(predictor: Predictor, out: Path, done: str = "calibrated") -> None:
    """Refuse a folder that something is in, the model's own among them.

    Args:
        predictor: The model.
        out: The new model's folder.
        done: What is done to the model.

    Raises:
        DataError: It is not empty, or the model is an exported file.
    """
    if not predictor.folder.is_dir() or not (predictor.folder / BUNDLE).is_file():
        raise DataError(f"{predictor.folder}: an exported file cannot be {done}; take the bundle, and export again.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not empty; name a new folder for the {done} model.")


def chosen_rows(table: FrameTable, split: str, domains: Sequence[str]) -> NDArray[np.int64]:
    """Return the rows of a split and of domains, ascending; all by default.

    Raises:
        DataError: Nothing is left.
        SettingsError: The split or a domain is unknown.
    """
    kept = np.ones(len(table), dtype=np.bool_)
    if split:
        if split not in SPLITS:
            raise SettingsError(f"--split {split!r} is none.{closest(split, SPLITS)}")
        kept &= table.column("split") == split
    known = np.unique(table.column("domain")).tolist()
    for domain in domains:
        if domain not in known:
            raise SettingsError(f"--domains: the data have no domain {domain!r}.{closest(domain, known)}")
    if domains:
        kept &= np.isin(table.column("domain"), list(domains))
    kept &= ~table.coded("session").where(shows_no_face)
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise DataError(
            f"{table.preparation['dataset']}: no frame is in the split and the domains asked for; ask for others."
        )
    return rows


def records_of(reader: DatasetReader, cropper: Cropper | None) -> Sequence[Presentation] | None:
    """Return all presentations of a dataset; None for tables that were prepared before."""
    return None if reader.tables() else (cropper or Cropper(reader)).records()


def silent_among(
    table: FrameTable, records: Iterable[Presentation] | None = None, split: str = "", domains: Sequence[str] = ()
) -> tuple[int, int] | None:
    """Return how many presentations gave no crop, and how many there are.

    Args:
        table: The crops.
        records: All presentations of the dataset, if they are known; content, which shows no face, does not count.
        split: Only this split.
        domains: Only these domains.

    Returns:
        None if a part is asked for and the records are not known.
    """
    there = {*table.coded("presentation").dictionary.to_pylist()}
    if records is not None:
        asked = {
            one.id
            for one in records
            if split in ("", one.split) and (not domains or one.domain in domains) and not shows_no_face(one.session)
        }
        return len(asked - there), len(asked)
    if split or domains:
        return None
    count = int(table.preparation["presentations"])
    return max(count - len(there), 0), count


def non_response_line(sample: Sample) -> str:
    """Return what must be known of presentations that gave no crop, and of those that `padkit predict` refuses."""
    if sample.silent is None:
        return "Non-response rate: not known of a part of tables that were prepared before."
    count, asked = sample.silent
    unseen = f"{count} of {asked} presentations of the data gave no face and are in no rate"
    line = f"Non-response rate: {100 * count / asked:.2f} %, {unseen}."
    if sample.cropper is not None:
        line += " Faces that padkit predict does not judge (too small, dark, blurred, near the border) are in them."
    return line


def crop_notes(bundle: Bundle, table: FrameTable, cropper: PolicyCropper | None) -> Iterator[str]:
    """Yield in what a table's crops differ, or may differ, from those that a bundle was trained on."""
    if cropper is not None and not bundle.crop.known:
        yield "The model does not say how its faces were cropped; padkit's default margin was used."
    if cropper is not None and cropper.options.face not in HINTED and any(one.box for one in cropper.records()):
        used = f"{cropper.options.face} found faces instead"
        yield f"The data give boxes of faces, and {used}; --face auto takes the boxes."
    about = table.preparation
    for part in [] if cropper is not None else about.get("tables", [about]):
        if differs := unlike(part, bundle):
            yield f"The crops of {part['dataset']} differ from those that the model was trained on: {differs}."


def _notes(bundle: Bundle, table: FrameTable, rows: NDArray[np.int64], cropper: PolicyCropper | None) -> Iterator[str]:
    about = table.preparation
    if part := simulated_part(*facts_of(about)):
        real = "attacks" if about.get("real_faces") else "faces and attacks"
        yield f"The data are not real ({part}): rates and thresholds on them say nothing about real {real}."
    division = bundle.provenance.get("protocol", {})
    seen = sorted({*division.get("sources", ())} & {*table.column("domain")[rows].tolist()})
    if seen:
        yield (
            f"The model was trained on the domains {', '.join(seen)}: if these are the same captures, or people, every "
            "rate is too good; take others."
        )
    keys = {str(one["key"]) for one in (about, *about.get("tables", ()))}
    if any(keys & {*record.get("keys", ())} for record in bundle.provenance.get("adaptations", ())):
        yield (
            "The model was adapted on these data: what it has learnt, and the same people, make every rate too good; "
            "take others."
        )
    yield from crop_notes(bundle, table, cropper)
    if np.any((table.column("label")[rows] == 0) & (table.column("species")[rows] == "")):
        yield "Some attacks have no PAI species; they count by attack type, those without one as one species."


def crops_of(table: FrameTable, rows: NDArray[np.int64]) -> Iterator[list[Frame]]:
    """Yield the crops of rows, uint8 RGB [S, S, 3] each, in batches."""
    for start in range(0, len(rows), BATCH):
        yield [table.image(int(row)).transpose(1, 2, 0) for row in rows[start : start + BATCH]]
