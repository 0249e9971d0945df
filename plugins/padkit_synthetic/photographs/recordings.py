"""The simulated presentations of one photograph: their domain, split and instruments, and their pictures with names."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from padkit.data.media.pictures import encode_png
from padkit.data.presentation import CONTENT, SPLITS
from padkit.errors import DataError, SettingsError, closest
from padkit.files import write_atomically
from padkit_synthetic.camera import Camera
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.gallery import Gallery
from padkit_synthetic.photographs.scene import largest_photograph, photograph_scene, read_content, read_photograph
from padkit_synthetic.presentations import attack, bona_fide, chosen_camera
from padkit_synthetic.world import DRAWN, Domain, Instrument, World, domains_of

SIMULATE_STREAM = 303
ATTACKS = ("print", "replay")
# Shares of a setting's subjects in `train` and `dev`; `test` gets the rest.
TRAIN_SHARE, DEV_SHARE = 0.5, 0.2


def instruments_for_photographs(domain: Domain, without: Collection[str] = ()) -> dict[str, list[Instrument]]:
    """Return a domain's instruments by attack type, without prints with holes, which need the places of the eyes.

    Args:
        domain: The domain.
        without: Species that are left out as well.
    """
    found: dict[str, list[Instrument]] = {}
    for instrument in domain.instruments:
        if not instrument.needs_wearer and instrument.species not in without:
            found.setdefault(instrument.attack_type, []).append(instrument)
    return found


def find_domains(
    names: Sequence[str] | None, attacks: Sequence[str], world: World = DRAWN, *, video: bool = True
) -> list[Domain]:
    """Return the domains called `names`, by default all domains that have instruments of every type in `attacks`.

    Args:
        names: Names of domains; None takes all that have the attacks.
        attacks: Attack types.
        world: Version of the world.
        video: Whether some of the cameras of world 4 deliver H.264.

    Raises:
        SettingsError: A name or an attack type is unknown or given twice, or a domain has no such attack.
    """
    known = domains_of(world, video=video)
    kinds = {domain.name: set(instruments_for_photographs(domain)) for domain in known}
    _check_names("--attacks", "attack type", attacks, set().union(*kinds.values()))
    if names is None:
        names = [name for name, mine in kinds.items() if mine >= set(attacks)]
    _check_names("--settings", "capture setting", names, kinds)
    for name in names:
        if not kinds[name] >= set(attacks):
            lacking = ", ".join(kind for kind in attacks if kind not in kinds[name])
            mine = ", ".join(sorted(kinds[name])) or "none for photographs"
            raise SettingsError(f"capture setting {name!r} has no attack {lacking}, only {mine}: leave one out.")
    return [domain for name in names for domain in known if domain.name == name]


def _check_names(option: str, kind: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"{kind} {name!r} is unknown.{closest(name, known)}")
    if not names or len(set(names)) < len(names):
        raise SettingsError(f"{option} must name one or more, each once ({' '.join(names) or 'none given'}).")


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """The settings of all recordings.

    Attributes:
        seed: Seed of splits and captures.
        image_size: Side of the pictures in pixels.
        attacks: Attack types.
        frames: Frames per presentation, each with another movement of the hand.
        margin: Share of the face's side shown beyond it on each side; None takes the middle of each photograph.
        world: Version of the world whose cameras and instruments are used.
        without: Families of instruments that only the test split has.
        video: Whether some of the cameras of world 4 deliver H.264.
    """

    seed: int
    image_size: int
    attacks: tuple[str, ...]
    frames: int
    margin: float | None = None
    world: World = DRAWN
    without: tuple[str, ...] = ()
    video: bool = True

    @property
    def limit(self) -> int:
        """Side in pixels that larger photographs are reduced to."""
        return largest_photograph(self.image_size, self.world)


@dataclass(frozen=True, slots=True)
class Recording:
    """One photograph of a subject before the camera of one domain: a bona fide presentation and one per attack type.

    Attributes:
        domain, split, subject, number: Where it is, whose it is, and which of the subject's photographs.
        photograph: The file.
        content: Whether it shows no face; `subject` is then the picture's name.
    """

    domain: Domain
    split: str
    subject: str
    number: int
    photograph: Path
    content: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """One presentation of a recording; `instrument` None is bona fide."""

    camera: Camera
    instrument: Instrument | None
    key: tuple[int, ...]
    names: tuple[PurePosixPath, ...]


def recordings(gallery: Gallery, domains: Sequence[Domain], seed: int) -> list[Recording]:
    """Return the recordings of all photographs: every subject is in one domain and one split.

    Raises:
        DataError: There are too few subjects for one per split and domain.
    """
    if len(gallery) < 3 * len(domains):
        remedy = f" or name at most {len(gallery) // 3} --settings" if len(gallery) >= 3 else ""
        raise DataError(
            f"{len(gallery)} subjects are too few for {len(domains)} capture settings with train, dev and test: "
            f"have at least {3 * len(domains)} subjects{remedy}."
        )
    names = sorted(gallery)
    order = [names[place] for place in generator(SIMULATE_STREAM, seed).permutation(len(names))]
    found = []
    for place, domain in enumerate(domains):
        mine = order[place :: len(domains)]
        train = max(1, round(TRAIN_SHARE * len(mine)))
        dev = max(1, round(DEV_SHARE * len(mine)))
        if train + dev >= len(mine):
            train, dev = len(mine) - 2, 1
        splits = ["train"] * train + ["dev"] * dev + ["test"] * (len(mine) - train - dev)
        for name, split in zip(mine, splits, strict=True):
            found += [Recording(domain, split, name, number, path) for number, path in enumerate(gallery[name])]
    return sorted(found, key=lambda one: (one.domain.name, SPLITS.index(one.split), one.subject, one.number))


def takes(one: Recording, plan: RecordingPlan) -> Iterator[Take]:
    """Yield the presentations of a recording; cameras and instruments are taken in turn from a random start."""
    cameras, root = one.domain.cameras, PurePosixPath(one.domain.name, one.split)
    camera = chosen_camera(cameras, _number(one.domain.name, one.subject, "camera") + one.number)
    yield _take(one, plan, camera, None, root / "live")
    for kind in plan.attacks:
        if choices := instruments_for_photographs(one.domain, plan.without if one.split != "test" else ()).get(kind):
            turn = _number(one.domain.name, one.subject, kind) + one.number
            yield _take(one, plan, camera, choices[turn % len(choices)], root / "spoof" / kind)


def _take(
    one: Recording, plan: RecordingPlan, camera: Camera, instrument: Instrument | None, folder: PurePosixPath
) -> Take:
    kind = instrument.attack_type if instrument else "live"
    identity = (one.domain.name, one.subject, str(one.number), kind)
    key = (SIMULATE_STREAM, plan.seed, *(_number(*identity, str(word)) for word in range(4)))
    stem = f"{one.subject}_{one.number}"
    return Take(camera, instrument, key, tuple(folder / f"{stem}_f{frame:02d}.png" for frame in range(plan.frames)))


def _number(*words: str) -> int:
    """Return 32 bits that depend only on the words."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:4], "little")


def finished(one: Recording, plan: RecordingPlan, out: Path) -> bool:
    """Return whether all pictures of a recording exist."""
    return all((out / name).exists() for take in takes(one, plan) for name in take.names)


def record(one: Recording, plan: RecordingPlan, out: Path) -> str:
    """Write the missing pictures of a recording, each completely or not at all.

    Returns:
        Why the photograph could not be used, or "".

    Raises:
        DataError: The disk cannot be written.
    """
    try:
        if one.content:
            photograph = read_content(one.photograph, plan.limit)
        else:
            photograph = read_photograph(one.photograph, plan.margin, plan.limit)
    except DataError as error:
        return str(error)
    for take in takes(one, plan):
        if all((out / name).exists() for name in take.names):
            continue
        scene = photograph_scene(photograph, key=(*take.key, 1))
        rng = generator(*take.key)
        if take.instrument is None:
            frames = bona_fide(scene, one.domain, take.camera, plan.image_size, plan.frames, rng)
        else:
            frames = attack(scene, one.domain, take.camera, take.instrument, plan.image_size, plan.frames, rng)
        for frame, name in zip(frames, take.names, strict=True):
            write_atomically(out / name, encode_png(np.ascontiguousarray(frame)))
    return ""


def manifest_rows(one: Recording, plan: RecordingPlan, *, marked: bool = False) -> Iterator[dict[str, str]]:
    """Yield a row of the manifest for each picture of a recording.

    Args:
        one: The recording.
        plan: The settings of all recordings.
        marked: Whether the list holds content, so that a column `session` must tell it from faces.
    """
    kind = {"session": CONTENT if one.content else ""} if marked else {}
    for take in takes(one, plan):
        for frame, name in enumerate(take.names):
            yield {
                "path": str(name),
                "label": "spoof" if take.instrument else "live",
                "domain": one.domain.name,
                "split": one.split,
                "subject": "" if one.content else one.subject,
                "presentation": str(name).rpartition("_f")[0],
                "frame": str(frame),
                "attack_type": take.instrument.attack_type if take.instrument else "",
                "species": f"{CONTENT}-" * one.content + take.instrument.species if take.instrument else "",
                "device": take.camera.name,
                **kind,
                "source": str(one.photograph),
            }
