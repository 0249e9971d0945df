"""Make print and replay attacks of a person's own face photographs: `python -m padkit_synthetic.simulate`.

The photographs stand in for bona fide faces before the camera. Bona fide and attack pictures both pass the capture
chain of a domain, so that the chain itself does not tell them apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

from padkit.data.presentation import SPLITS
from padkit.data.reader import SIMULATED_NOTE
from padkit.errors import DataError, SettingsError, closest, run_as_command
from padkit_synthetic.faces import Light
from padkit_synthetic.imaging import Bytes, Floats, enlarged, generator, linear_from_srgb
from padkit_synthetic.presentations import Scene, attack, bona_fide, chosen_camera
from padkit_synthetic.reader import check_image_size, check_seed
from padkit_synthetic.world import DOMAINS, WORLD_VERSION, Domain, Instrument

SIMULATE_STREAM = 303
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})
# Shares of a setting's subjects in `train` and `dev`; `test` gets the rest.
TRAIN_SHARE, DEV_SHARE = 0.5, 0.2
# Share of a photograph's side that a bona fide picture shows.
FRAMING = 0.88
NOTE = """SIMULATED presentation attacks, made by padkit_synthetic (world version {version}, seed {seed}).

The faces are photographs from {faces}; everything else is simulated: light, camera, print, screen and recapture.
No attack in this folder was ever presented to a real camera. Figures measured on it say how a method copes with this
simulation; they say nothing about security against real attacks and compare with no published figure.
The terms of the photographs still hold.

Capture settings: {settings}. Subjects are disjoint between splits and between settings.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """The photographs of one subject in one domain and split."""

    domain: Domain
    split: str
    subject: str
    photographs: tuple[Path, ...]


def photograph_scene(photograph: Bytes) -> Scene:
    """Return the scene where `photograph` (uint8 [S, S, 3]) stands in for the face, lit evenly by the light.

    The usual framing leaves a margin of the photograph out, so that an attack's first capture can be framed wider.
    """
    linear = linear_from_srgb(photograph)

    def scene(side: int, light: Light, frames: int, wider: float) -> Floats:
        margin = round(0.5 * linear.shape[-1] * max(0.0, 1 - FRAMING * wider))
        inner = linear[:, margin : linear.shape[-1] - margin, margin : linear.shape[-1] - margin]
        radiance = np.stack([np.clip(enlarged(plane, side), 0.0, None) for plane in inner])
        radiance *= (light.key + light.ambient)[:, None, None]
        return np.broadcast_to(radiance, (frames, *radiance.shape))

    return Scene(scene)


def read_photograph(path: Path) -> Bytes:
    """Return the central square of an image file, upright, uint8 RGB [S, S, 3].

    Raises:
        DataError: The file is no readable image.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as an image ({cause}): replace or remove it.") from error
    side = min(upright.size)
    return np.asarray(ImageOps.fit(upright, (side, side), method=Image.Resampling.BICUBIC))


def find_subjects(faces: Path) -> dict[str, tuple[Path, ...]]:
    """Return the photographs of each subject folder in `faces`, in the order of their names.

    Raises:
        DataError: The folder is missing or holds no `<subject>/<image>`.
    """
    if not faces.is_dir():
        raise DataError(f"{faces} is not a folder: give --faces a folder with one folder of photographs per subject.")
    subjects = {}
    for folder in sorted(path for path in faces.iterdir() if path.is_dir()):
        found = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES))
        if found:
            subjects[folder.name] = found
    if not subjects:
        raise DataError(f"{faces} holds no photographs: lay them out as <subject>/<image> with suffix .png or .jpg.")
    return subjects


def find_domains(names: Sequence[str]) -> list[Domain]:
    """Return the domains called `names`.

    Raises:
        SettingsError: A name is unknown or given twice.
    """
    known = {domain.name: domain for domain in DOMAINS}
    for name in names:
        if name not in known:
            raise SettingsError(f"capture setting {name!r} is unknown.{closest(name, known)}")
    if len(set(names)) < len(names):
        raise SettingsError(f"--settings names a capture setting twice ({' '.join(names)}): name each once.")
    return [known[name] for name in names]


def planned(subjects: dict[str, tuple[Path, ...]], domains: Sequence[Domain], seed: int) -> list[Task]:
    """Return who appears where: every subject in one domain and one split.

    Raises:
        DataError: There are too few subjects for one per split and domain.
    """
    if len(subjects) < 3 * len(domains):
        remedy = f" or name at most {len(subjects) // 3} --settings" if len(subjects) >= 3 else ""
        raise DataError(
            f"{len(subjects)} subjects are too few for {len(domains)} capture settings with train, dev and test: "
            f"have at least {3 * len(domains)} subjects{remedy}."
        )
    names = sorted(subjects)
    order = [names[place] for place in generator(SIMULATE_STREAM, seed).permutation(len(names))]
    tasks = []
    for place, domain in enumerate(domains):
        mine = order[place :: len(domains)]
        train = max(1, round(TRAIN_SHARE * len(mine)))
        dev = max(1, round(DEV_SHARE * len(mine)))
        if train + dev >= len(mine):
            train, dev = len(mine) - 2, 1
        splits = ["train"] * train + ["dev"] * dev + ["test"] * (len(mine) - train - dev)
        tasks += [Task(domain, split, name, subjects[name]) for name, split in zip(mine, splits, strict=True)]
    return sorted(tasks, key=lambda task: (task.domain.name, SPLITS.index(task.split), task.subject))


def instruments_of(domain: Domain, number: int) -> list[Instrument]:
    """Return one instrument of each attack type for photograph `number`; a domain's instruments take turns."""
    kinds: dict[str, list[Instrument]] = {}
    for instrument in domain.instruments:
        kinds.setdefault(instrument.attack_type, []).append(instrument)
    return [choices[number % len(choices)] for choices in kinds.values()]


def write_subject(task: Task, out: Path, image_size: int, key: tuple[int, ...]) -> tuple[int, list[str]]:
    """Write the bona fide and attack pictures of one subject.

    Returns:
        How many pictures were written, and one line for each photograph that could not be read.
    """
    written, unreadable = 0, []
    for number, path in enumerate(task.photographs):
        try:
            scene = photograph_scene(read_photograph(path))
        except DataError as error:
            unreadable.append(str(error))
            continue
        domain, camera = task.domain, chosen_camera(task.domain.cameras, number)
        root, name = out / domain.name / task.split, f"{task.subject}_{number}.png"
        live = bona_fide(scene, domain, camera, image_size, 1, generator(*key, number, 0))
        save(live[0], root / "live" / name)
        for kind, instrument in enumerate(instruments_of(domain, number), start=1):
            frames = attack(scene, domain, camera, instrument, image_size, 1, generator(*key, number, kind))
            save(frames[0], root / "spoof" / instrument.attack_type / name)
            written += 1
        written += 1
    return written, unreadable


def save(frame: Bytes, path: Path) -> None:
    """Write one frame as PNG, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame).save(path)


def prepare_output(out: Path) -> None:
    """Make the output folder.

    Raises:
        DataError: It exists and is not empty, or cannot be made.
    """
    try:
        if out.is_dir() and any(out.iterdir()):
            raise DataError(f"{out} is not empty: choose a new folder for --out or empty it first.")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be made ({error.strerror}): choose another folder for --out.") from error


def simulate(faces: Path, out: Path, *, seed: int, image_size: int, settings: Sequence[str], console: Console) -> int:
    """Write the folder tree `<out>/<domain>/<train|dev|test>/{live,spoof/<type>}/<subject>_<n>.png`.

    Returns:
        The number of pictures written.

    Raises:
        DataError: The photographs are missing, too few or all unreadable, or the output folder is in use.
        SettingsError: A capture setting, the seed or the image size is not possible.
    """
    check_image_size(image_size)
    check_seed(seed)
    domains = find_domains(settings)
    tasks = planned(find_subjects(faces), domains, seed)
    prepare_output(out)
    note = NOTE.format(version=WORLD_VERSION, seed=seed, faces=faces, settings=", ".join(settings))
    (out / SIMULATED_NOTE).write_text(note, encoding="utf-8")
    written, unreadable = 0, []
    for number, task in enumerate(track(tasks, description="Simulating captures", console=console)):
        count, lines = write_subject(task, out, image_size, (SIMULATE_STREAM, seed, number))
        written += count
        unreadable += lines
    for line in unreadable:
        console.print(f"skipped: {line}", markup=False, highlight=False, soft_wrap=True)
    if not written:
        raise DataError(f"none of the {len(unreadable)} photographs in {faces} can be read: check the files.")
    return written


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m padkit_synthetic.simulate",
        description="Make simulated print and replay attacks of real face photographs, as a folder tree to train on.",
    )
    parser.add_argument("--faces", type=Path, required=True, help="folder with <subject>/<image>")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="seed of splits and captures")
    parser.add_argument("--image-size", type=int, default=128, help="side of the pictures in pixels")
    names = [domain.name for domain in DOMAINS]
    parser.add_argument("--settings", nargs="+", default=names, help=f"capture settings, of: {' '.join(names)}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    options = parse_arguments(arguments)
    console = Console(stderr=True)
    count = simulate(
        options.faces,
        options.out,
        seed=options.seed,
        image_size=options.image_size,
        settings=options.settings,
        console=console,
    )
    console.print(f"{count} simulated pictures in {options.out}", markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
