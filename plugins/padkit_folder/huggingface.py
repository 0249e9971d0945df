"""A Hugging Face dataset with an image and a label column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.column_names import present
from padkit.data.labels import LabelCount, stated_values
from padkit.data.media.formats import image_suffixes
from padkit.data.media.pictures import decode_image, read_image
from padkit.data.media.walk import Identity, folders_below, identity_of
from padkit.data.preparation.prepare import cache_folder, without_progress_bars
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.data.unread import Unread
from padkit.errors import DataError, closest
from padkit.settings.ranges import CropSide
from padkit_folder.names import OPTION, SPLIT_NAMES, attack_names, named_split
from padkit_folder.remote import PARQUET, is_remote, remote_splits

METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})  # columns of an imagefolder
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class HuggingFaceReader(DatasetReader):
    """Reads a folder written by `save_to_disk`, Parquet files, an imagefolder, or a dataset of the Hub.

    Parquet files at an address of fsspec (`s3://`, `gs://`, `https://`, ...) are streamed: nothing of them is stored
    but the crops.

    Column settings that are None are left unknown. Splits named train, validation, test, ... become padkit's; a lone
    split divides nothing and is ignored. Labels are read by their class names where the column has them, else as words,
    or as 1 = bona fide and 0 = attack.

    Args:
        path: The folder, an address of Parquet files (`s3://bucket/faces/*.parquet`), or a hub id `owner/name`.
        download: Allow fetching a hub id from the Hub (with the `datasets` client's own cache and token).
        config: Configuration of a hub dataset, or None.
        image_size: Side in pixels of the prepared square crops.
        image_column: Column of images.
        label_column: Column of labels.
        domain_column: Column of domains; None makes the dataset one domain.
        subject_column: Column of subjects.
        presentation_column: Column that frames of one presentation share.
        attack_type_column: Column of attack types.
        species_column: Column of PAI species.
        bona_fide: Label values or class names that mean bona fide (0, or client); other numbers or names then mean
            attack. None knows live, bonafide, real, genuine, 1 and spoof, attack, fake, 0.
    """

    path_settings = ("path",)

    def __init__(
        self,
        *,
        path: str,
        download: bool = False,
        config: str | None = None,
        image_size: CropSide = 256,
        image_column: str = "image",
        label_column: str = "label",
        domain_column: str | None = None,
        subject_column: str | None = None,
        presentation_column: str | None = None,
        attack_type_column: str | None = None,
        species_column: str | None = None,
        bona_fide: list[str | int] | None = None,
    ) -> None:
        self.path = path
        self.download = download
        self.config = config
        self.image_size = image_size
        self.columns = {
            "image": image_column,
            "label": label_column,
            "domain": domain_column,
            "subject": subject_column,
            "presentation": presentation_column,
            "attack_type": attack_type_column,
            "species": species_column,
        }
        self._values = stated_values(bona_fide, OPTION)
        self._notes: tuple[str, ...] = ()
        self._loaded: dict[str, Any] | None = None
        self._unread = Unread()

    def unread(self) -> Sequence[Mapping[str, Any]]:
        """Return what lies beside the Parquet files."""
        return self._unread.entries()

    def __getstate__(self) -> dict[str, Any]:
        # Each process maps the files for itself.
        return {**self.__dict__, "_loaded": None}

    def records(self) -> Iterable[Presentation]:
        """Yield one record per row; `frames` holds the row's number over all splits.

        Raises:
            DataError: Nothing is found at `path`, a column is missing, or a label is unknown.
        """
        name = Path(self.path).name
        row_number = 0
        column = self.columns["label"] or ""
        count = LabelCount(self._values.said_by(column))
        for split, rows in self._splits().items():
            names = self._label_names(rows)
            facts = rows.select_columns([column for key, column in self._present() if key != "image"])
            for row, values in enumerate(facts):
                where = f"{self.path}, split {split or 'all'}, row {row}"
                label = count.read(_label(values[column], names), where)
                yield self._record(name, split, row, row_number, values, label)
                row_number += 1
        if not row_number:
            raise DataError(f"Dataset {self.path!r} has no rows.")
        self._notes = tuple(count.lines(f"column {column!r}", column))

    def notes(self) -> Sequence[str]:
        """Return how labels were read."""
        return self._notes

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the row's image.

        Raises:
            DataError: The image is missing or damaged.
        """
        row = presentation.frames[0]
        for rows in self._splits().values():
            if row < len(rows):
                image = rows[row][self.columns["image"]] or {}
                if image.get("bytes"):
                    yield decode_image(image["bytes"], presentation.id)
                elif image.get("path"):
                    yield read_image(image["path"])
                else:
                    raise DataError(f"{presentation.id}: the image is missing.")
                return
            row -= len(rows)

    def fingerprint(self) -> str:
        """Return the fingerprints of the splits and the image column."""
        marks = [f"{split}={rows._fingerprint}" for split, rows in self._splits().items()]
        return " ".join([str(self.columns["image"]), *marks])

    def _present(self) -> list[tuple[str, str]]:
        return [(key, column) for key, column in self.columns.items() if column]

    def _record(
        self, name: str, split: str, row: int, row_number: int, values: Mapping[str, Any], label: int
    ) -> Presentation:
        fact = {key: values[column] for key, column in self._present() if key not in {"image", "label"}}
        text = {key: "" if value is None else present(str(value)) for key, value in fact.items()}
        attack_type, species = attack_names(label, text.get("attack_type", ""), text.get("species", ""))
        return Presentation(
            dataset=name,
            domain=text.get("domain") or name,
            id=text.get("presentation") or f"{split or 'all'}/{row}",
            label=label,
            split=SPLIT_NAMES.get(split.lower(), ""),
            subject=text.get("subject", ""),
            attack_type=attack_type,
            species=species,
            frames=(row_number,),
        )

    def _label_names(self, rows: Any) -> list[str] | None:
        feature = rows.features[self.columns["label"]]
        names: list[str] | None = getattr(feature, "names", None)
        for name in names or ():
            self._values.read(name, f"{self.path}, column {self.columns['label']!r}")
        return names

    def _splits(self) -> dict[str, Any]:
        """Return the undecoded rows of each split, opened once per process."""
        if self._loaded is None:
            import datasets

            found = self._load()
            splits = dict(found) if isinstance(found, dict) else {"": found}
            if len(splits) == 1:
                # `datasets` calls data without splits "train".
                splits = {"": next(iter(splits.values()))}
            for name in splits:
                if name and name.lower() not in SPLIT_NAMES:
                    raise DataError(f"{self.path}: unknown split {name!r}.{closest(name.lower(), SPLIT_NAMES)}")
            for key, column in self._present():
                for rows in splits.values():
                    if column not in rows.column_names:
                        raise DataError(
                            f"{self.path} has no column {column!r}; set `{key}_column`."
                            f"{closest(column, rows.column_names)}"
                        )
            image = self.columns["image"]
            self._loaded = {
                name: rows.cast_column(image, datasets.Image(decode=False)) for name, rows in splits.items()
            }
        return self._loaded

    def _load(self) -> Any:
        import datasets

        if is_remote(self.path):
            return remote_splits(self.path)
        folder = Path(self.path).expanduser()
        with without_progress_bars(datasets):
            if not folder.exists():
                return self._from_hub(datasets)
            try:
                if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
                    return datasets.load_from_disk(str(folder), keep_in_memory=False)
                converted = str(cache_folder() / "huggingface")
                for kind, known in (("parquet", PARQUET), ("imagefolder", _image_suffixes())):
                    if files := self._files(folder, known):
                        return datasets.load_dataset(kind, data_files=_by_split(folder, files), cache_dir=converted)
            except DataError:
                raise
            # The readers of `datasets` may raise errors of any library they use.
            except Exception as error:
                raise DataError(f"{self.path} cannot be opened as a dataset ({_line(error)}).") from error
        raise DataError(f"Folder {self.path!r} is empty or no folder; check the setting `path`.")

    def _files(self, folder: Path, suffixes: frozenset[str]) -> list[Path]:
        """Return the files of these kinds in a folder, or the file itself; each once, without hidden ones."""
        if folder.is_file():
            return [folder] if folder.suffix.lower() in suffixes else []
        unread, found = Unread(), dict[Identity, Path]()
        for place, files in folders_below(folder, unread):
            for path in (place / name for name in files):
                if (path.suffix.lower() not in suffixes or path.name.startswith(".")) and path.name not in METADATA:
                    unread.note(f"with suffix {path.suffix.lower()}, which `datasets` does not read here", path)
                elif found.setdefault(identity_of(path), path) != path:
                    unread.note("the same file as another (a link)", path)
        if not any(path.name not in METADATA for path in found.values()):
            return []
        self._unread = unread
        return list(found.values())

    def _from_hub(self, datasets: Any) -> Any:
        if not HUB_ID.fullmatch(self.path):
            raise DataError(f"Folder {self.path!r} does not exist; check the setting `path`.")
        if not self.download:
            raise DataError(
                f"{self.path!r} is no local folder; if it is a dataset of the Hugging Face Hub, set `download` to true."
            )
        try:
            return datasets.load_dataset(self.path, self.config)
        except Exception as error:
            raise DataError(
                f"Dataset {self.path!r} could not be had from the Hugging Face Hub ({_line(error)}); check the name "
                "and the network, or download it elsewhere and give its folder."
            ) from error


def _label(value: object, names: Sequence[str] | None) -> object:
    """Return a label as its class name, if it has one, or as it is; "" if it is missing."""
    if value is None or value != value:
        return ""
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _image_suffixes() -> frozenset[str]:
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    return frozenset(ImageFolder.EXTENSIONS) & image_suffixes()


def _by_split(folder: Path, files: list[Path]) -> dict[str, list[str]]:
    """Group files by the split that a folder or the name of a Parquet file tells (`train-00000-of-00002.parquet`).

    Files without any are one group, called `train`, as `datasets` calls data without splits. Metadata
    above all splits belong to each.

    Raises:
        DataError: Some files name a split and others do not.
    """
    splits = {file: _split_of(folder, file) for file in files if file.name not in METADATA}
    named = [file for file, split in splits.items() if split]
    unnamed = [file for file, split in splits.items() if not split]
    if named and unnamed:
        raise DataError(
            f"{unnamed[0]} names no split, but {named[0]} does; rename it (train-..., dev-..., test-...), or give its "
            "folder alone."
        )
    groups: dict[str, list[str]] = {}
    for file, split in splits.items():
        groups.setdefault(split or "train", []).append(str(file))
    metadata = {str(file): _split_of(folder, file) for file in files if file.name in METADATA}
    return {
        split: [*found, *(file for file, own in metadata.items() if own in ("", split))]
        for split, found in groups.items()
    }


def _split_of(folder: Path, file: Path) -> str:
    parts = () if file == folder else file.relative_to(folder).parts[:-1]
    return named_split(parts, file.name if file.suffix.lower() in PARQUET else "")
