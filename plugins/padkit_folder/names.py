"""Translates users' names of splits into padkit's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from padkit.data.presentation import ATTACK
from padkit.errors import DataError, closest

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "devel": "dev",
    "development": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
# An attack without a named type; "" would mean bona fide.
UNNAMED_ATTACK = "unspecified"
# How users state which label values are bona fide, for messages.
OPTION = "--data.bona_fide"


def split_of(text: str, where: str) -> str:
    """Return `train`, `dev`, `test`, or "" for an empty text.

    Raises:
        DataError: The name is none of `SPLIT_NAMES`, whatever its case.
    """
    name = text.strip().lower()
    if name and name not in SPLIT_NAMES:
        raise DataError(f"{where}: unknown split {text!r}.{closest(name, SPLIT_NAMES)}")
    return SPLIT_NAMES.get(name, "")


def named_split(folders: Iterable[str], name: str = "") -> str:
    """Return the word by which a file's name, or else one of its folders, tells a split; "" if none does.

    Args:
        folders: Names of the folders that the file lies in, below the one that was asked for.
        name: Name of the file (`train-00000-of-00002.parquet`); "" where it tells nothing.
    """
    words = [*re.split(r"[-_.]", name.lower()), *map(str.lower, folders)]
    return next((word for word in words if word in SPLIT_NAMES), "")


def attack_names(label: int, attack_type: str, species: str = "") -> tuple[str, str]:
    """Return attack type and PAI species; both empty for bona fide, the species is by default the attack type."""
    if label != ATTACK:
        return "", ""
    attack_type = attack_type or species or UNNAMED_ATTACK
    return attack_type, species or attack_type


def existing_folder(root: str, setting: str) -> Path:
    """Return `root` as a folder.

    Raises:
        DataError: It is missing or not a folder.
    """
    folder = Path(root).expanduser()
    if not root or not folder.exists():
        raise DataError(f"Folder {root!r} does not exist; check {setting}.")
    if not folder.is_dir():
        raise DataError(f"{root!r} is not a folder; check {setting}.")
    return folder
