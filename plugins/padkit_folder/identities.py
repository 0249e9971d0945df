"""Reads bona fide portraits by identity, or CelebA's flat folder with its text tables, to pretrain teachers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from padkit.data.presentation import BONA_FIDE, Presentation
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import CropSide, OpenShare, Seed
from padkit_folder.files import FilesReader
from padkit_folder.names import existing_folder


class IdentitiesReader(FilesReader):
    """Reads `<root>/<identity>/*.jpg`, or a flat folder with an identity table in CelebA's format. All are bona fide.

    Identities are divided into train and test; no identity is in both.

    Args:
        root: The folder.
        image_size: Side in pixels of the prepared square crops.
        attributes: Table like CelebA's `list_attr_celeba.txt` (a count, a line of names, then a file name and 1 or -1
            for each), or None.
        identity_file: Table like CelebA's `identity_CelebA.txt` (a file name and an identity on each line), or None
            where the folders name the identities.
        test_share: Share of the identities kept for testing.
        seed: Draws these identities.
    """

    path_settings = ("root", "attributes", "identity_file")

    def __init__(
        self,
        *,
        root: str,
        image_size: CropSide = 112,
        attributes: str | None = None,
        identity_file: str | None = None,
        test_share: OpenShare = 0.1,
        seed: Seed = 0,
    ) -> None:
        if not 0 < test_share < 1:
            raise SettingsError(f"test_share {test_share} must lie between 0 and 1.")
        self.root = root
        self.image_size = image_size
        self.attributes = attributes
        self.identity_file = identity_file
        self.test_share = test_share
        self.seed = seed
        self.attribute_names = _attribute_names(Path(attributes).expanduser()) if attributes else ()

    def records(self) -> Iterable[Presentation]:
        """Yield one record per image.

        Raises:
            DataError: The root is missing or empty, holds fewer than two identities, or a table does not fit it.
        """
        root = existing_folder(self.root, "the setting `root`")
        files = list(self.media_below(root))
        if not files:
            raise DataError(
                f"Folder {self.root!r} holds no images; expected <identity>/<image> below it.{self.nothing_read()}"
            )
        identities = self._identities(root, files)
        test = self._test(set(identities))
        attributes = _attributes(Path(self.attributes).expanduser(), self.attribute_names) if self.attributes else {}
        for path, identity in zip(files, identities, strict=True):
            name = path.relative_to(root).as_posix()
            held = attributes.get(name, attributes.get(path.name))
            if self.attributes and held is None:
                raise DataError(f"Table {self.attributes} has no line for {name}.")
            yield Presentation(
                dataset=root.resolve().name,
                domain=root.resolve().name,
                id=name,
                label=BONA_FIDE,
                split="test" if identity in test else "train",
                subject=identity,
                path=str(path),
                attributes=held or (),
            )

    def fingerprint(self) -> str:
        """Return the attribute names; the records hold the rest."""
        return " ".join(self.attribute_names)

    def _identities(self, root: Path, files: list[Path]) -> list[str]:
        if not self.identity_file:
            flat = next((path for path in files if path.parent == root), None)
            if flat is not None:
                raise DataError(
                    f"{flat} lies in no identity's folder; sort the images by identity, or give `identity_file`."
                )
            return [path.relative_to(root).parts[0] for path in files]
        table = {}
        for line, words in _lines(Path(self.identity_file).expanduser()):
            if len(words) != 2:
                raise DataError(f"{self.identity_file}, line {line}: expected a file name and an identity.")
            table[words[0]] = words[1]
        try:
            return [table.get(path.relative_to(root).as_posix()) or table[path.name] for path in files]
        except KeyError as error:
            raise DataError(f"Table {self.identity_file} has no line for {error.args[0]}.") from error

    def _test(self, identities: set[str]) -> set[str]:
        if len(identities) < 2:
            raise DataError(f"Folder {self.root!r} holds one identity only; at least two are needed.")
        drawn = sorted(identities, key=lambda name: hashlib.sha256(f"{self.seed}/{name}".encode()).digest())
        return set(drawn[: min(max(round(self.test_share * len(drawn)), 1), len(drawn) - 1)])


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if words := line.split():
                    yield number, words
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Table {path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def _attribute_names(path: Path) -> tuple[str, ...]:
    for number, words in _lines(path):
        # CelebA's first line is the count of images, its second the names.
        if number == 1 and len(words) == 1 and words[0].isdigit():
            continue
        if any(word in {"1", "-1", "0"} for word in words):
            break
        return tuple(words)
    raise DataError(
        f"Table {path} has no line of attribute names; expected the format of CelebA's list_attr_celeba.txt."
    )


def _attributes(path: Path, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for number, words in _lines(path):
        if tuple(words) == names or (number == 1 and len(words) == 1):
            continue
        if len(words) != len(names) + 1 or set(words[1:]) - {"1", "-1", "0"}:
            raise DataError(f"{path}, line {number}: expected a file name and {len(names)} values of 1 or -1.")
        table[words[0]] = tuple(name for name, value in zip(names, words[1:], strict=True) if value == "1")
    return table
