"""Names of columns in lists and score files: synonyms, missing values, and files whose first line is no header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_PARTS = ("split", "part", "partition", "subset")
COMMON: Mapping[str, tuple[str, ...]] = {
    "label": (
        "labels", "class", "target", "y_true", "ground_truth", "gt", "is_live", "liveness_label", "is_real",
        "is_genuine", "is_bonafide", "is_bona_fide", "is_spoof", "is_attack", "is_fake", "spoof_label", "attack_label",
    ),
    "domain": ("capture_domain",),
    "subject": ("subject_id", "person", "person_id", "identity", "client", "client_id"),
    "attack_type": ("attack", "type", "spoof_type"),
    "species": ("pai", "pai_species", "pais", "instrument"),
    "device": ("camera", "capture_device", "sensor", "phone"),
}  # fmt: skip
SCORE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "label": COMMON["label"],
    "score": (
        "scores", "live_score", "liveness", "liveness_score", "p_live", "live_prob", "prob_live", "bona_fide_score",
        "probability", "prob", "y_score",
    ),
    "presentation": (
        "presentation_id", "video", "video_id", "sample", "sample_id", "id", "file", "filename", "path", "image",
        "name",
    ),
    "dataset": ("database",),
    "part": tuple(name for name in _PARTS if name != "part"),
    **{name: COMMON[name] for name in ("domain", "subject", "attack_type", "species", "device")},
}  # fmt: skip
# Of a list, `id` and `name` are left alone: they may well be those of persons.
LIST_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": (
        "image_path", "file_path", "filepath", "frame_path", "video_path", "image", "img", "file", "filename",
        "file_name", "video",
    ),
    "split": tuple(name for name in _PARTS if name != "split"),
    "presentation": ("presentation_id", "video", "video_id", "clip", "clip_id", "sample", "sample_id"),
    "session": ("session_id",),
    "frame": ("frame_number", "frame_index", "frame_id"),
    "box": ("bbox", "face_box", "bounding_box"),
    **COMMON,
}  # fmt: skip
NUMBER = re.compile(r"[-+]?\d*[.,]?\d+(e[-+]?\d+)?", re.IGNORECASE)
FILE = re.compile(r"\w\.(?!\d)\w{2,5}$")  # a file's name with its suffix
MISSING = frozenset(("", "nan", "none", "null", "na", "n/a", "<na>", "nat"))


def folded(name: str) -> str:
    """Return a column's name as it is compared: `Video ID` is `video_id`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def present(text: str) -> str:
    """Return a value, or "" where it only says that there is none (`nan`, `None`, `NA`), as other programs write."""
    text = text.strip()
    return "" if text.lower() in MISSING else text


def choose(names: Iterable[str], synonyms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return column -> its name in the file, each name once: by its own name first, then by synonyms in their order."""
    free: dict[str, str] = {}
    for name in names:
        free.setdefault(folded(name), name)
    chosen = {column: free.pop(column) for column in synonyms if column in free}
    for column, words in synonyms.items():
        found = None if column in chosen else next((word for word in words if word in free), None)
        if found is not None:
            chosen[column] = free.pop(found)
    return chosen


def doubled(names: Iterable[str], chosen: Mapping[str, str]) -> str | None:
    """Return a chosen column's name that stands in the file twice, or None: which of the two is meant is open."""
    found = [folded(name) for name in names]
    return next((name for name in chosen.values() if found.count(folded(name)) > 1), None)


def rivals(names: Iterable[str], chosen: Mapping[str, str]) -> list[str]:
    """Return a warning where the file has further columns that name the label; only the chosen one is read."""
    known = {"label", *COMMON["label"]}
    others = [repr(name) for name in names if folded(name) in known and name not in chosen.values()]
    if "label" not in chosen or not others:
        return []
    return [f"warning: labels are read from column {chosen['label']!r}, not from {', '.join(others)}; do they agree?"]


def is_data(cells: Sequence[str]) -> bool:
    """Return whether a first line holds values rather than names of columns: a number, or a file's name.

    `0,1,2` is a header: pandas writes it where columns have no names.
    """
    plain = [cell.strip() for cell in cells]
    if plain == [str(number) for number in range(len(plain))]:
        return False
    return any(NUMBER.fullmatch(cell) or FILE.search(cell) for cell in plain)
