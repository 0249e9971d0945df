"""The test suite of dataset readers."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, SPLITS, Presentation
from padkit.data.reader import DatasetReader
from padkit.testing.suite import ComponentSuite

FIRST = 8  # frames read per presentation


class DatasetSuite(ComponentSuite):
    """Inherit and give `name` (and `settings`, or `make_settings` to write a small dataset first).

    The first presentations of each domain and label are opened, and some of their frames are read as preparation gets
    them, before any face is found or cut. Hints, protocols and published counts are checked if there are any.

    Attributes:
        read: How many presentations are opened.
        shared_subjects: True if the published division itself trains and tests on the same people.
    """

    role = "dataset"
    read: ClassVar[int] = 4
    shared_subjects: ClassVar[bool] = False

    def records(self) -> list[Presentation]:
        """Return the records of a new reader; they are read once per test class."""
        cls: Any = type(self)
        if "_records" not in vars(cls):
            cls._records = list(self.build().records())
        found: list[Presentation] = cls._records
        assert found, "records() yields nothing; give the test a dataset of some presentations"
        return found

    def test_records_are_valid(self) -> None:
        """Every field has a value that `Presentation` allows."""
        names = set(self.build().attribute_names)
        for record in self.records():
            assert isinstance(record, Presentation), f"records() yields a {type(record).__name__}; yield Presentation"
            for field in ("dataset", "domain", "id"):
                assert getattr(record, field), f"{record.id!r} has no {field}"
            assert record.label in (BONA_FIDE, ATTACK), f"{record.id!r}: label {record.label!r} must be 1 or 0"
            assert record.split in (*SPLITS, ""), (
                f"{record.id!r}: split {record.split!r} must be one of {SPLITS}, or ''"
            )
            if record.label == BONA_FIDE:
                told = record.attack_type or record.species
                assert not told, f"{record.id!r} is bona fide and has the attack type or species {told!r}"
            assert record.rotation in (0, 90, 180, 270), f"{record.id!r}: rotation {record.rotation} degrees"
            if record.box is not None:
                assert min(record.box[2:]) > 0, f"{record.id!r}: box {record.box} must be x, y, width, height"
            unknown = set(record.attributes) - names
            assert not unknown, f"{record.id!r}: attributes {sorted(unknown)} are not in attribute_names"
            if record.path:
                assert Path(record.path).exists(), f"{record.id!r}: {record.path} does not exist"

    def test_every_presentation_comes_once(self) -> None:
        """Ids are unique; only the still files of one presentation share one, and their other fields are equal."""
        seen: dict[tuple[str, str], dict[tuple[str, tuple[int, ...]], tuple[Any, ...]]] = defaultdict(dict)
        for record in self.records():
            place = (record.path, record.frames)
            known = seen[record.dataset, record.id]
            assert place not in known, f"{record.id!r} comes twice; give each presentation an id of its own"
            known[place] = (record.domain, record.label, record.split, record.subject, record.species)
            assert len(set(known.values())) == 1, f"frames of {record.id!r} disagree: {set(known.values())}"

    def test_no_subject_is_in_two_splits(self) -> None:
        """Otherwise a detector is tested on people it was trained on."""
        splits: dict[tuple[str, str], set[str]] = defaultdict(set)
        for record in self.records():
            if record.subject and record.split:
                splits[record.dataset, record.subject].add(record.split)
        shared = sorted(subject for (_, subject), found in splits.items() if len(found) > 1)
        assert self.shared_subjects or not shared, (
            f"subjects {shared[:5]} are in more than one split; make subject names unique across domains, or, "
            "where the published division is at fault, set shared_subjects of this test"
        )

    def test_records_come_in_a_stable_order(self) -> None:
        """The prepared table and its cache depend on the order."""
        assert list(self.build().records()) == self.records(), "records() changes from call to call; sort the files"

    def test_it_survives_pickling(self) -> None:
        """Worker processes get the reader that way."""
        try:
            copied = pickle.loads(pickle.dumps(self.build()))  # noqa: S301 - our own bytes
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            pytest.fail(f"the reader cannot be pickled: {error}; keep no open files, locks or lambdas in it")
        assert list(copied.records()) == self.records(), "an unpickled reader yields other records"
        assert copied.fingerprint() == self.build().fingerprint(), "an unpickled reader has another fingerprint"

    def test_what_it_says_of_itself_is_valid(self) -> None:
        """The attributes of the reader are valid."""
        reader = self.build()
        assert isinstance(reader.image_size, int), f"image_size {reader.image_size!r} must be a whole number"
        assert reader.image_size > 0, "image_size must be positive"
        assert isinstance(reader.simulated, bool), "simulated must be true or false"
        domains = {record.domain for record in self.records()}
        assert reader.default_target in ("", *domains), f"default_target {reader.default_target!r} is no domain"
        assert isinstance(reader.fingerprint(), str), "fingerprint() must return a text"
        assert reader.fingerprint() == self.build().fingerprint(), "fingerprint() changes from reader to reader"

    def test_frames_are_images_and_the_same_every_time(self) -> None:
        """uint8 RGB [H, W, 3], from the reader, from another one and from an unpickled one."""
        reader = self.build()
        others = [reader, self.build(), pickle.loads(pickle.dumps(reader))]  # noqa: S301 - our own bytes
        for record in self._some():
            frames = frames_of(reader, record)
            assert frames, f"{record.id!r} has no frames; raise DataError if it cannot be decoded"
            for frame in frames:
                assert isinstance(frame, np.ndarray), f"{record.id!r}: a frame is a {type(frame).__name__}"
                assert frame.dtype == np.uint8, f"{record.id!r}: a frame is {frame.dtype}; give uint8, 0 to 255"
                fits = frame.ndim == 3 and frame.shape[2] == 3 and 0 not in frame.shape
                assert fits, f"{record.id!r}: a frame is {list(frame.shape)}; give RGB [H, W, 3]"
            for other in others:
                again = frames_of(other, record)
                same = len(again) == len(frames) and all(map(np.array_equal, frames, again))
                assert same, f"{record.id!r}: frames change; draw random numbers from a seed made of its id"

    def _some(self) -> Iterator[Presentation]:
        """Yield the first record of each domain and label."""
        found: dict[tuple[str, int], Presentation] = {}
        for record in self.records():
            found.setdefault((record.domain, record.label), record)
        yield from list(found.values())[: self.read]

    def test_counts_protocols_and_hints_fit_the_records(self) -> None:
        """Published counts and protocols name only splits and presentations that exist."""
        reader: DatasetReader = self.build()
        told = reader.layout if isinstance(reader, NativeReader) else "its own affair"
        assert told, "say in `layout` what a correct root looks like; the error about a wrong one needs it"
        for (split, label), count in reader.expected.items():
            assert split in (*SPLITS, ""), f"expected: {split!r} is no split"
            assert label in (BONA_FIDE, ATTACK), f"expected: {label!r} is no label"
            assert count > 0, f"expected: {count} presentations of {split!r}"
        whole = {label for split, label in reader.expected if not split}  # counted without regard to splits
        found = {(record.split, record.label) for record in self.records() if record.label not in whole}
        unexpected = sorted(found - reader.expected.keys()) if reader.expected else []
        assert not unexpected, f"records are of {unexpected} (split, label), which `expected` does not name"
        ids = {record.id for record in self.records()}
        for name, division in reader.protocols().items():
            parts = [set(part) for part in (division.train, division.dev, division.test)]
            assert set().union(*parts) <= ids, f"protocol {name} names presentations that records() does not yield"
            shared = (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
            assert not shared, f"{sorted(shared)[:3]} are in two parts of protocol {name}"
        for record in self._some():
            for number, hint in reader.hints(record, 1920, 1080).items():
                assert number >= 0, f"{record.id!r}: hint for frame {number}"
                assert hint.box or hint.eyes, f"{record.id!r}: the hint for frame {number} says nothing; leave it out"


def frames_of(reader: DatasetReader, presentation: Presentation) -> list[NDArray[np.uint8]]:
    """Return the first frames of a presentation's medium, uncropped."""
    with reader.open_media(presentation) as source:
        return [frame for _, frame in source.take(range(min(len(source), FIRST)))]
