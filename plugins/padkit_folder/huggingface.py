"""A Hugging Face dataset with an image and a label column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.pictures import decode_image, read_image
from padkit.data.preparation.prepare import cache_folder, without_progress_bars
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, closest
from padkit.settings.ranges import CropSide
from padkit_folder.names import SPLIT_NAMES, attack_names, label_of

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class HuggingFaceReader(DatasetReader):
    """Reads a folder written by `save_to_disk`, a folder of Parquet files, an imagefolder, or a dataset of the Hub.

    Column settings that are None are left unknown. Splits named train, validation, test, ... become padkit's; a lone
    split divides nothing and is ignored. Labels are read by their class names where the column has them, else as
    1 = bona fide and 0 = attack.

    Args:
        path: The folder, or a hub id `owner/name`.
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
    """

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
        self._loaded: dict[str, Any] | None = None

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
        for split, rows in self._splits().items():
            names = self._label_names(rows)
            facts = rows.select_columns([column for key, column in self._present() if key != "image"])
            for row, values in enumerate(facts):
                yield self._record(name, split, row, row_number, values, names)
                row_number += 1
        if not row_number:
            raise DataError(f"Dataset {self.path!r} has no rows.")

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
        self, name: str, split: str, row: int, row_number: int, values: Mapping[str, Any], names: list[str] | None
    ) -> Presentation:
        fact = {key: values[column] for key, column in self._present() if key != "image"}
        text = {key: "" if value is None else str(value).strip() for key, value in fact.items()}
        where = f"{self.path}, split {split or 'all'}, row {row}"
        label = fact["label"]
        if isinstance(label, bool):
            label = int(label)
        elif names is not None and isinstance(label, int):
            label = names[label] if 0 <= label < len(names) else label
        code = label_of("" if label is None else str(label), where)
        attack_type, species = attack_names(code, text.get("attack_type", ""), text.get("species", ""))
        return Presentation(
            dataset=name,
            domain=text.get("domain") or name,
            id=text.get("presentation") or f"{split or 'all'}/{row}",
            label=code,
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
            label_of(name, f"{self.path}, column {self.columns['label']!r}")
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

        folder = Path(self.path).expanduser()
        with without_progress_bars(datasets):
            if not folder.exists():
                return self._from_hub(datasets)
            try:
                if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
                    return datasets.load_from_disk(str(folder), keep_in_memory=False)
                converted = str(cache_folder() / "huggingface")
                if files := sorted(str(path) for path in folder.rglob("*.parquet")):
                    return datasets.load_dataset("parquet", data_files=_by_split(files), cache_dir=converted)
                if folder.is_dir() and any(path.is_file() for path in folder.rglob("*")):
                    return datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=converted)
            # The readers of `datasets` may raise errors of any library they use.
            except Exception as error:
                raise DataError(f"{self.path} cannot be opened as a dataset ({_line(error)}).") from error
        raise DataError(f"Folder {self.path!r} is empty or no folder; check the setting `path`.")

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


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _by_split(files: list[str]) -> dict[str, list[str]]:
    """Group Parquet files by the split in their names (`train-00000-of-00002.parquet`), or return them as one group."""
    groups: dict[str, list[str]] = {}
    for file in files:
        words = re.split(r"[-_.]", Path(file).name.lower())
        split = next((word for word in words if word in SPLIT_NAMES), Path(file).parent.name.lower())
        groups.setdefault(split, []).append(file)
    return groups if all(split in SPLIT_NAMES for split in groups) else {"all": files}
