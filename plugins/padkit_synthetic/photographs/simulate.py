"""`padkit simulate`: makes simulated print and replay attacks of a user's face photographs.

The photographs replace bona fide faces before the camera. Bona fide and attack pictures both pass the capture chain of
a domain, so that the chain itself does not distinguish them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from rich.console import Console

from padkit.commands.parser import Number, Parser
from padkit.data.labels import LabelCount, stated_values
from padkit.data.preparation.options import CropOptions
from padkit.data.reader import SIMULATED_NOTE
from padkit.data.unread import Unread, unread_line
from padkit.errors import DataError, SettingsError, run_as_command
from padkit.files import printable, write_atomically, write_json
from padkit.processes import cores, counting_bar, worker_pool
from padkit.settings.ranges import Count, Margin, Processes, Seed
from padkit_synthetic.delivery import ENCODER, made_with
from padkit_synthetic.drawn.instruments import FAMILIES, left_out
from padkit_synthetic.photographs.content import content_recordings, find_pictures, refuse_shared, refuse_within
from padkit_synthetic.photographs.gallery import Gallery, find_photographs
from padkit_synthetic.photographs.recordings import (
    ATTACKS,
    Recording,
    RecordingPlan,
    find_domains,
    finished,
    manifest_rows,
    record,
    recordings,
)
from padkit_synthetic.reader import RenderedSide, check_image_size, check_seed
from padkit_synthetic.world import DOMAINS, DRAWN, LISTED, Domain

# Records what the folder was made from and how: only the same command may continue there.
RECEIPT, MANIFEST = "simulation.json", "manifest.csv"
WORTH_A_PROCESS = 16  # recordings; a process takes a second to start
NOTE = """SIMULATED presentation attacks, made by padkit_synthetic (world version {version}, seed {seed}).

The faces are photographs from {faces}; everything else is simulated: light, camera, print, screen and recapture.
No attack in this folder was ever presented to a real camera. Figures measured on it say how a method copes with this
simulation; they say nothing about security against real attacks and compare with no published figure.
The terms of the photographs still hold.

Capture settings: {settings}. Attacks: {attacks}. Subjects are disjoint between splits and between settings.
Files are <setting>/<split>/live or spoof/<attack>/<subject>_<photograph>_f<frame>.png. Training on them:
  --data manifest --data.file DIR/manifest.csv (DIR is this folder)
  --data folder --data.root DIR --data.subject_pattern '^([^_]+)_' --data.presentation_pattern '^(.+)_f'
"""
CONTENT_NOTE = """
Files called content-... show no face: they are pictures from {content}, recaptured like the faces. In manifest.csv
their session is "content" and the species of their attacks begin with "content-": padkit trains on them and never tests
on them. The folder tree cannot tell them from faces: train by --data manifest.
"""


def describe(
    faces: Path,
    gallery: Gallery,
    domains: Sequence[Domain],
    plan: RecordingPlan,
    content: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Return everything that the pictures depend on; `content` are the pictures without faces."""
    # Without faces nothing is added, so that folders of earlier versions can be continued.
    framing = {} if plan.margin is None else {"face": "lbp", "margin": plan.margin}
    others = {"content": _digest({name: (path,) for name, path in content.items()})} if content else {}
    fewer: dict[str, Any] = {"without": list(plan.without)} if plan.without else {}
    drawn = plan.world == DRAWN
    if drawn and not plan.video:
        fewer["video"] = False
    return {
        "simulated": True,
        "world_version": plan.world,
        "seed": plan.seed,
        "image_size": plan.image_size,
        "settings": [domain.name for domain in domains],
        "attacks": list(plan.attacks),
        "frames": plan.frames,
        "photographs": _digest(gallery),
        "faces": printable(str(faces)),
        **framing,
        **others,
        **fewer,
        **made_with(drawn=drawn, video=plan.video),
    }


def _digest(gallery: Gallery) -> str:
    """Return a checksum of the names, sizes and times of photographs."""
    digest = hashlib.sha256()
    for subject, paths in gallery.items():
        for path in paths:
            try:
                status = path.stat()
                size, changed = status.st_size, status.st_mtime_ns
            except OSError:
                size, changed = -1, -1
            digest.update(f"{subject}\0{printable(path.name)}\0{size}\0{changed}\n".encode())
    return digest.hexdigest()


def prepare_output(out: Path, description: dict[str, Any]) -> None:
    """Make the output folder, or check that an earlier run with the same description began it.

    Raises:
        DataError: It holds something else, or cannot be made.
    """
    receipt = out / RECEIPT
    try:
        strange = [p.name for p in out.iterdir() if not p.name.startswith(f".{RECEIPT}.")] if out.exists() else []
        if receipt.is_file():
            before = json.loads(receipt.read_text(encoding="utf-8"))
            # The world, with or without video, decides whether there is an encoder; earlier versions did not tell it.
            untold = set() if ENCODER in before and ENCODER in description else {ENCODER}
            names = sorted({*before, *description} - {"faces"} - untold)
            changed = [name for name in names if before.get(name) != description.get(name)]
            if changed:
                raise DataError(f"{out} was begun with other {', '.join(changed)}: choose a new folder for --out.")
            description = {name: value for name, value in description.items() if name in before}
        elif strange:
            raise DataError(f"{out} is not empty ({strange[0]}): choose a new folder for --out or empty it first.")
        out.mkdir(parents=True, exist_ok=True)
        written = [f".{name}.*" for name in (RECEIPT, MANIFEST, SIMULATED_NOTE, "*.png")]
        for leftover in (path for pattern in written for path in out.rglob(pattern)):
            leftover.unlink(missing_ok=True)  # incomplete files of killed runs
    except OSError as error:
        raise DataError(f"{out} cannot be made ({error.strerror}): choose another folder for --out.") from error
    except ValueError as error:
        raise DataError(f"{receipt} is damaged: choose a new folder for --out or remove this one.") from error
    write_json(receipt, description)


def record_all(
    pending: Sequence[Recording], plan: RecordingPlan, out: Path, workers: int
) -> Iterator[tuple[Recording, str]]:
    """Make all recordings in `workers` processes; yield each with the result of `record`, as they finish.

    Raises:
        DataError: The disk cannot be written, or a process died.
    """
    if workers <= 1:
        for one in pending:
            yield one, record(one, plan, out)
        return
    pool = worker_pool(workers)
    try:
        futures = {pool.submit(record, one, plan, out): one for one in pending}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "A process died (out of memory?); finished pictures are kept: run again with fewer --workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def simulate(
    faces: Path,
    out: Path,
    *,
    plan: RecordingPlan,
    settings: Sequence[str] | None = None,
    subject_pattern: str | None = None,
    bona_fide: Sequence[str] | None = None,
    content: Path | None = None,
    workers: int | None = None,
    strict: bool = False,
) -> tuple[int, list[str]]:
    """Write `<out>/<domain>/<split>/{live,spoof/<type>}/<subject>_<photograph>_f<frame>.png` and a manifest of them.

    An interrupted run continues where it stopped and ends with the same files.

    Returns:
        The number of pictures, and one line for each photograph that could not be used, and for what else was there.

    Raises:
        DataError: The photographs are missing, too few, or cannot be used (all, or under `strict` one), or the output
            folder is in use.
        SettingsError: A setting is not possible.
    """
    _check(plan, workers)
    domains = find_domains(settings, plan.attacks, plan.world, video=plan.video)
    _refuse_within(out, "--faces", faces)
    _refuse_within(out, "--content", content)
    if content is not None:
        refuse_within(content, faces)
    unread = Unread()
    gallery = _photographs(faces, subject_pattern, bona_fide, unread)
    pictures = {} if content is None else find_pictures(content, unread)
    refuse_shared(pictures, gallery)
    planned = [
        *recordings(gallery, domains, plan.seed),
        *content_recordings(pictures, domains, plan.seed, gallery),
    ]
    prepare_output(out, describe(faces, gallery, domains, plan, pictures))
    write_atomically(out / SIMULATED_NOTE, _note(faces, content, domains, plan).encode())

    unreadable = _recorded(planned, plan, out, workers, strict=strict)
    used = [one for one in planned if one not in unreadable]
    for folder, shown in ((faces, False), (content, True)):
        _require_some([one for one in planned if one.content == shown], unreadable, folder)
    if pictures:
        taken = sum(one.content for one in used)
        print(f"content: {taken} of {len(pictures)} pictures without faces, to train on only", file=sys.stderr)
    rows = [row for one in used for row in manifest_rows(one, plan, marked=bool(pictures))]
    write_atomically(out / MANIFEST, _csv(rows))
    others = [f"unread: {unread_line(unread.entries())}."] if unread.entries() else []
    return len(rows), [*(unreadable[one] for one in planned if one in unreadable), *others]


def _check(plan: RecordingPlan, workers: int | None) -> None:
    check_image_size(plan.image_size)
    check_seed(plan.seed)
    if plan.frames < 1 or (workers is not None and workers < 1):
        raise SettingsError(f"--frames ({plan.frames}) and --workers ({workers}) must be at least 1.")
    if plan.margin is not None and not 0 <= plan.margin <= 2:
        raise SettingsError(f"--margin {plan.margin:g} must lie between 0 and 2.")


def _photographs(faces: Path, subject_pattern: str | None, bona_fide: Sequence[str] | None, unread: Unread) -> Gallery:
    """Return the photographs of each subject, and tell what the labels of a list mean."""
    count = LabelCount(stated_values(bona_fide, "--bona-fide"))
    gallery = find_photographs(faces, subject_pattern, count, unread)
    for line in count.lines("the label column") if count.counts else ():
        print(line, file=sys.stderr)
    return gallery


def _recorded(
    planned: Sequence[Recording], plan: RecordingPlan, out: Path, workers: int | None, *, strict: bool
) -> dict[Recording, str]:
    """Make what is not there yet; return why photographs could not be used.

    Raises:
        DataError: One cannot be used, under `strict`; or as in `record_all`.
    """
    pending = [one for one in planned if not finished(one, plan, out)]
    unreadable: dict[Recording, str] = {}
    with counting_bar("simulating captures", len(planned), shown=True) as advance:
        advance(len(planned) - len(pending))
        processes = workers or min(cores(), len(pending) // WORTH_A_PROCESS)
        for one, problem in record_all(pending, plan, out, processes):
            if problem and strict:
                raise DataError(problem)
            if problem:
                unreadable[one] = problem
            advance(1)
    return unreadable


def _refuse_within(out: Path, option: str, folder: Path | None) -> None:
    if folder is not None and out.resolve().is_relative_to(folder.resolve()):
        raise SettingsError(f"--out {out} lies within {option} {folder}: choose a folder beside it.")


def _note(faces: Path, content: Path | None, domains: Sequence[Domain], plan: RecordingPlan) -> str:
    names = ", ".join(domain.name for domain in domains)
    note = NOTE.format(version=plan.world, seed=plan.seed, faces=faces, settings=names, attacks=", ".join(plan.attacks))
    return note if content is None else note + CONTENT_NOTE.format(content=content)


def _require_some(planned: Sequence[Recording], unreadable: Mapping[Recording, str], folder: Path | None) -> None:
    """Refuse a folder of which no photograph can be used.

    Raises:
        DataError: Names the first and its fault.
    """
    problems = [unreadable[one] for one in planned if one in unreadable]
    if planned and len(problems) == len(planned):
        raise DataError(f"none of the {len(planned)} photographs in {folder} can be used; the first: {problems[0]}")


def _csv(rows: Sequence[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line.

    Raises:
        SettingsError: An option is unknown, missing or of the wrong type.
    """
    parser = Parser(
        prog="padkit simulate",
        description="Make simulated print and replay attacks of real face photographs, as a folder tree to train on. "
        "Interrupted, it goes on when started again.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--faces", type=Path, required=True, help="folder <subject>/<image>, folder of images, or list (path[,subject])"
    )
    add("--out", type=Path, required=True, help="new folder to write to")
    add(
        "--content", type=Path, metavar="DIR",
        help="folder of pictures without faces, objects or landscapes, to recapture alike; they are trained on only",
    )  # fmt: skip
    add(
        "--subject-pattern", metavar="REGEX", help="its one group is the subject in the names of a flat folder's images"
    )
    add("--bona-fide", metavar="A,B", help="labels of a list that mean bona fide, such as 0; the others are left out")
    add("--seed", type=Number(Seed), default=0, help="seed of splits and captures (0)")
    add("--image-size", type=Number(RenderedSide), default=128, help="side of the pictures in pixels (128)")
    add(
        "--world", type=int, choices=(LISTED, DRAWN), default=DRAWN,
        help="version of the simulated world: 4 draws cameras and instruments from ranges, anew for each picture; "
        "3 takes those of a fixed list (4)",
    )  # fmt: skip
    families = " ".join(family.species for family in FAMILIES)
    add(
        "--without", metavar="NAMES", default="",
        help=f"families of instruments, joined by +, that are left out of train and dev and kept in test, of: "
        f"{families} (none)",
    )  # fmt: skip
    add(
        "--no-video", dest="video", action="store_false",
        help="no camera of world 4 delivers H.264, for which padkit[video] is needed; all deliver JPEG",
    )  # fmt: skip
    names = " ".join(domain.name for domain in DOMAINS)
    add("--settings", nargs="+", metavar="NAME", help=f"capture settings, of: {names} (all that have the attacks)")
    kinds = " ".join(sorted({instrument.attack_type for domain in DOMAINS for instrument in domain.instruments}))
    add("--attacks", nargs="+", metavar="TYPE", default=ATTACKS, help=f"attack types, of: {kinds} (print replay)")
    add(
        "--frames",
        type=Number(Count),
        default=1,
        help="frames of a presentation, each with another movement of the hand (1)",
    )
    add(
        "--face", choices=("none", "lbp"), default="none",
        help="lbp: find the face in each photograph (needs padkit[lbp]) and skip those without; "
        "none: take the middle, for photographs that are face crops already (none)",
    )  # fmt: skip
    add(
        "--margin",
        type=Number(Margin),
        help="with --face lbp: share of the face's side shown beyond it on each side (0.15)",
    )
    add("--workers", type=Number(Processes), help="processes (one per core)")
    add("--strict", action="store_true", help="an unreadable photograph is an error; otherwise it is skipped and named")
    options = parser.parse_args(arguments)
    if options.face == "none" and options.margin is not None:
        raise SettingsError("--margin has no effect without --face lbp; leave it out, or find the faces.")
    if options.face == "lbp" and options.margin is None:
        options.margin = CropOptions().margin
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    options = parse_arguments(arguments)
    plan = RecordingPlan(
        options.seed, options.image_size, tuple(options.attacks), options.frames, options.margin, options.world,
        left_out(options.without, drawn=options.world == DRAWN, attacks=options.attacks), options.video,
    )  # fmt: skip
    count, unreadable = simulate(
        options.faces.expanduser(),
        options.out.expanduser(),
        plan=plan,
        settings=options.settings,
        subject_pattern=options.subject_pattern,
        bona_fide=options.bona_fide.split(",") if options.bona_fide is not None else None,
        content=None if options.content is None else options.content.expanduser(),
        workers=options.workers,
        strict=options.strict,
    )
    console = Console(stderr=True)
    if unreadable:
        told = f"{len(unreadable)} photographs are skipped:"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    for line in unreadable:
        console.print(f"skipped: {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{count} simulated pictures in {options.out}, listed in {options.out / MANIFEST}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
