"""The captures of live photographs for training: which camera, split and instrument each has, and their pairs.

A capture is told from others by its plan alone; `padkit_synthetic.photographs.reader` makes its frame.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from padkit.data.presentation import ATTACK, BONA_FIDE, CONTENT, CONTENT_CAPTURE, SPLITS, Presentation
from padkit.data.simulation import simulated_part
from padkit.errors import DataError
from padkit_synthetic.camera import Camera
from padkit_synthetic.photographs.content import Pictures, content_recordings
from padkit_synthetic.photographs.gallery import Gallery
from padkit_synthetic.photographs.recordings import Recording, instruments_for_photographs, recordings
from padkit_synthetic.presentations import chosen_camera
from padkit_synthetic.world import Domain, Instrument

DATASET = "photographs"
UNTOUCHED = "photograph"  # the device of a photograph that no simulated camera has captured
PHOTOGRAPHS_STREAM = 505
SESSION, FIRST, PRESENTED = 1, 2, 3  # last words of the keys that a pair shares, or not


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePlan:
    """What is captured of every photograph.

    Attributes:
        attacks: Attack types.
        cameras: `all`: every subject is before the cameras of every setting; `one`: of one setting only.
        untouched: Share of the training photographs that are also taken as they are.
        variants: Captures of each training photograph by each setting.
        seed: Draws splits and captures.
        without: Families of instruments that only the test split has.
        simulated_faces: Whether the photographs are simulated too.
    """

    attacks: tuple[str, ...]
    cameras: Literal["all", "one"]
    untouched: float
    variants: int
    seed: int
    without: tuple[str, ...] = ()
    simulated_faces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One picture: a photograph as it is, before a camera, or attacked and before a camera.

    Attributes:
        recording: The photograph and its setting, split and subject.
        variant: Number of the drawing of light, camera and instrument.
        camera: The capturing camera; None is the photograph as it is.
        instrument: What shows the photograph; None is bona fide.
    """

    recording: Recording
    variant: int
    camera: Camera | None
    instrument: Instrument | None = None

    def key(self, seed: int, part: int) -> tuple[int, ...]:
        """Return the random key of a part of this capture; captures of a pair share `SESSION` and `FIRST`."""
        one = self.recording
        own = self.instrument.species if self.instrument and part == PRESENTED else ""
        words = _words(one.domain.name, one.subject, str(one.number), str(self.variant), own)
        return (PHOTOGRAPHS_STREAM, seed, *words, part)

    def presentation(self) -> Presentation:
        """Return the record; domain, subject, session and device are equal within a pair and nowhere else.

        A picture without a face has no subject; its session names it and marks it as such.
        """
        one, shown = self.recording, self.instrument
        kind = shown.species if shown else "live" if self.camera else UNTOUCHED
        name = CONTENT_CAPTURE + one.subject.removeprefix(CONTENT_CAPTURE) if one.content else str(one.number)
        return Presentation(
            dataset=DATASET,
            domain=one.domain.name,
            id=f"{one.domain.name}_{one.subject}_{one.number}_v{self.variant}_{kind}",
            label=ATTACK if shown else BONA_FIDE,
            split=one.split,
            subject="" if one.content else one.subject,
            attack_type=shown.attack_type if shown else "",
            species=f"{CONTENT}-" * one.content + shown.species if shown else "",
            device=self.camera.name if self.camera else UNTOUCHED,
            session=f"{name}.{self.variant}",
        )


def captures(gallery: Gallery, domains: Sequence[Domain], plan: CapturePlan, pictures: Pictures) -> Iterator[Capture]:
    """Yield every capture, photograph by photograph, so that each file is read once; pictures without faces come last.

    A photograph is untouched in one setting only, in turn: the same picture in several domains would be an equal image
    across domains. Development and test have one variant and none untouched, so that only the presentation, and not a
    missing camera, tells bona fide from attack there.

    Raises:
        DataError: There are too few subjects, or one is called like a picture.
    """
    for one in [*stations(gallery, domains, plan), *_content(pictures, domains, plan, gallery)]:
        train, start = one.split == "train", _words(one.subject)[0]
        instruments = instruments_for_photographs(one.domain, plan.without if one.split != "test" else ())
        home = domains[(start + one.number) % len(domains)] if plan.cameras == "all" else one.domain
        if train and home == one.domain and _share(one) < plan.untouched:
            yield Capture(recording=one, variant=0, camera=None)
        for variant in range(plan.variants if train else 1):
            turn = _words(one.domain.name, one.subject)[0] + one.number + variant
            camera = chosen_camera(one.domain.cameras, turn)
            yield Capture(recording=one, variant=variant, camera=camera)
            for kind in plan.attacks:
                choices = instruments[kind]
                instrument = choices[(_words(one.subject, kind)[0] + one.number + variant) % len(choices)]
                yield Capture(recording=one, variant=variant, camera=camera, instrument=instrument)


def stations(gallery: Gallery, domains: Sequence[Domain], plan: CapturePlan) -> list[Recording]:
    """Return each photograph with its settings; every subject is in one split, and with cameras `one` in one setting.

    Raises:
        DataError: There are too few subjects for train, dev and test.
    """
    needed = 3 * (len(domains) if plan.cameras == "one" else 1)
    if len(gallery) < needed:
        few = f"{len(gallery)} subjects in the photographs are too few for train, dev and test"
        if plan.cameras == "one" and len(gallery) >= 3:
            names = f"of {len(domains)} capture settings: have {needed}, name fewer settings, or set cameras to all"
            raise DataError(f"{few} {names}.")
        raise DataError(f"{few}: have photographs of at least 3 people, in a folder each (or one file each).")
    if plan.cameras == "one":
        found = recordings(gallery, domains, plan.seed)
    else:
        found = [replace(one, domain=it) for one in recordings(gallery, domains[:1], plan.seed) for it in domains]
    order = {domain.name: place for place, domain in enumerate(domains)}
    return sorted(found, key=lambda one: (SPLITS.index(one.split), one.subject, one.number, order[one.domain.name]))


def _content(pictures: Pictures, domains: Sequence[Domain], plan: CapturePlan, gallery: Gallery) -> list[Recording]:
    """Return each picture without a face with its settings, like the photographs; all are trained on."""
    first = domains[:1] if plan.cameras == "all" else domains
    found = content_recordings(pictures, first, plan.seed, gallery, option="--data.content", others="--data.root")
    return [replace(one, domain=it) for one in found for it in domains] if plan.cameras == "all" else found


def told(gallery: Gallery, domains: Sequence[Domain], plan: CapturePlan, pictures: Pictures) -> list[str]:
    """Return lines on what is real, what is simulated, and how the subjects are divided."""
    split_of = {one.subject: one.split for one in stations(gallery, domains, plan)}
    counts = Counter(split_of.values())
    subjects = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
    names = ", ".join(domain.name for domain in domains)
    where = "each subject before all" if plan.cameras == "all" else "each subject before one"
    counted = f"{sum(map(len, gallery.values()))} photographs of {len(gallery)} subjects"
    part = simulated_part(simulated=True, real_faces=not plan.simulated_faces)
    lines = [
        f"{part}: {counted}; light, cameras, prints and screens are simulated, no attack was before a real camera",
        f"subjects by split: {subjects}; {where} of the capture settings {names}",
    ]
    if pictures:
        faces = sum(len(gallery[subject]) for subject, split in split_of.items() if split == "train")
        lines.append(
            f"content: {len(pictures)} pictures without faces beside the {faces} photographs of train, captured and "
            "attacked like them; they are trained on only"
        )
    if plan.without:
        lines.append(f"without {' and '.join(plan.without)}: only the test split has these families of instruments")
    return lines


def photographs_digest(gallery: Gallery) -> str:
    """Return a checksum of the photographs' subjects, names, sizes and times."""
    digest = hashlib.sha256()
    for subject, paths in gallery.items():
        for path in paths:
            digest.update(f"{subject}\0{_state(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path.name}\0missing"
    return f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}"


def _share(one: Recording) -> float:
    """Return a number in [0, 1) that depends only on the photograph's place among the subject's."""
    return _words(one.subject, str(one.number), UNTOUCHED)[0] / 2**32


def _words(*texts: str) -> tuple[int, ...]:
    """Return four numbers of 32 bits that depend only on the texts."""
    digest = hashlib.sha256("\0".join(texts).encode()).digest()
    return tuple(int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4))
