"""`padkit selftest`: tests a model before one's own webcam, or on a folder of captures. Imports no torch."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from padkit.commands.judging import (
    add_judging,
    judging_parser,
    judging_settings,
    parse_judging,
    tell_doubts,
    tell_program,
)
from padkit.commands.parser import Number
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import Count, Whole

if TYPE_CHECKING:
    from PIL import Image

    from padkit.deploy.predictor import Predictor
    from padkit.deploy.selftest import Captures

SPECIES = "live,print,phone,tablet"
LEAST = 20
DESCRIPTION = f"""\
Test a model on your own camera: live faces, prints, phones and tablets, {LEAST} presentations of each. With --webcam
you are guided from one to the next; every picture is stored at once in OUT/captures, so that a stopped test goes on
with the same command. With --captures a folder of your own is judged, one folder for each species, of pictures or
videos. The report has the error rate of each species (APCER, BPCER) and its non-response rate, with exact intervals;
of a species with fewer than {LEAST} judged presentations it states no rate.

  padkit selftest runs/dtda-webcam-seed0 --webcam 0 --out selftest
  padkit selftest OTHER --captures selftest/captures --out selftest-other    # the same presentations again
  padkit selftest MODEL --captures DIR --strict                              # refuse a test that is too small

Exit status: 0 if something was judged, 1 if nothing could be judged, 2 for a mistake in the command.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong, or it is not said what is tested on.
    """
    parser = judging_parser("padkit selftest", DESCRIPTION, files=True)
    add = parser.add_argument
    add("--webcam", type=Number(Whole), metavar="N", help="guide through presentations before camera N")
    add("--captures", default="", metavar="DIR", help="judge captures: DIR/live, DIR/print, DIR/phone, DIR/tablet, ...")
    add("--out", default="selftest", metavar="DIR", help="folder of the report, and of the webcam's captures")
    add("--species", default=SPECIES, metavar="A,B", help="with --webcam: what is presented; live is bona fide")
    add("--count", type=Number(Count), default=LEAST, metavar="N", help="with --webcam: presentations of each species")
    add(
        "--strict", action="store_true", help=f"refuse a test with fewer than {LEAST} judged presentations of a species"
    )
    add("--combine", default="mean", metavar="RULE", help="how frames make one result: mean, median, vote or first:K")
    add("--frames", default="uniform:8", metavar="RULE", help="frames of a video: uniform:N, every:N, first:N or all")
    add_judging(parser, faces="one")
    line = parse_judging(parser, arguments)
    if (line.webcam is None) == (not line.captures):
        raise SettingsError("padkit selftest: write --webcam N or --captures DIR, one of them.")
    if line.webcam is not None and line.cropped:
        raise SettingsError("--cropped is for captures that are face crops, so it goes without --webcam; leave it out.")
    line.species = _species(line.species)
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from padkit.deploy.guided import CAPTURES, discarded
    from padkit.deploy.predictor import load
    from padkit.deploy.quality import Limits
    from padkit.deploy.selftest import judge_captures, read_captures
    from padkit.deploy.videos import Combine
    from padkit.report.selftest import STEM, selftest_notes, selftest_tables, write_selftest
    from padkit.report.tables.layout import MADE_BY, terminal

    combine = Combine(rule=line.combine, frames=line.frames)
    tell_program(line.model)
    predictor = load(line.model, limits=None if line.judge_all else Limits(), **judging_settings(line))
    tell_doubts(predictor.bundle, policy=predictor.policy, cropped=line.cropped)
    out = Path(line.out).expanduser()
    if line.webcam is not None and not _guide(line, predictor, out):
        again = shlex.join(["padkit", "selftest", *arguments])
        print(f"note: the test is not complete; it goes on with: {again}", file=sys.stderr)
        if not (out / CAPTURES).is_dir():
            return 1
    root = out / CAPTURES if line.webcam is not None else Path(line.captures).expanduser()
    captures = read_captures(root)
    wanted = line.species if line.webcam is not None else [*captures.species]
    if line.strict:
        _refuse_few({name: len(captures.species.get(name, ())) for name in wanted}, "presentations")
    results = judge_captures(
        predictor, captures, combine, LEAST, lambda name: print(f"judging {name}", file=sys.stderr)
    )
    if line.strict:
        _refuse_few({one.name: one.judged for one in results}, "presentations that could be judged")
    taken_back = discarded(out) if line.webcam is not None else {}
    notes = [*selftest_notes(results, LEAST, taken_back), *_unread(captures)]
    notes.append(f"{MADE_BY}{shlex.join(['padkit', 'selftest', *arguments])}")
    facts = {"captures": str(root.absolute()), "taken_back": taken_back, "unread": captures.unread.entries()}
    write_selftest(out, results, predictor, notes, facts)
    written = f"Written: {out / STEM}.md, .json and .html"
    Console().print(terminal(selftest_tables(results, predictor), [*notes, written]))
    return int(not any(one.judged for one in results))


def _guide(line: argparse.Namespace, predictor: Predictor, out: Path) -> bool:
    """Take the captures that are still to be taken; return whether all are there."""
    from padkit.deploy import inputs
    from padkit.deploy.camera import LiveCamera
    from padkit.deploy.guided import GuidedSession
    from padkit.deploy.verdict import WORDS

    def seen(picture: Image.Image) -> str:
        found = predictor.find(picture)
        if not found:
            return "no face was found; the presentation counts as one that is not judged"
        if predictor.faces == "one" and len(found) > 1:
            return f"{len(found)} faces were found; the presentation counts as one that is not judged"
        refused = found[0].refused
        return f"{WORDS[refused[0]]}; it counts as one that is not judged" if refused else "a face was found"

    with LiveCamera(inputs.webcam(line.webcam, every=1)) as camera:
        camera.take()  # what is wrong with the camera is said before the person gets ready
        session = GuidedSession(
            folder=out, species=line.species, count=line.count, take=camera.take, seen=seen, ask=input, tell=print
        )
        return session.run()


def _species(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(name and name not in (".", "..") and not set(name) & set("/\\") and name[0] != "." for name in names):
        raise SettingsError(f"--species {text!r}: write names of folders with commas between them: {SPECIES}.")
    if len({*names}) < len(names):
        raise SettingsError(f"--species {text!r}: a name is there twice; write each once.")
    return names


def _refuse_few(counts: dict[str, int], what: str) -> None:
    from padkit.deploy.selftest import missing_classes, too_few

    few = too_few(counts, LEAST, what)
    if few:
        raise DataError(f"--strict: {few}; present some more, or leave --strict out.")
    if missing := missing_classes([*counts]):
        raise DataError(f"--strict: no {' and no '.join(missing)} presentation; add some, or leave --strict out.")


def _unread(captures: Captures) -> list[str]:
    from padkit.data.unread import unread_line

    entries = captures.unread.entries()
    return [f"Not judged, {unread_line(entries)}."] if entries else []
