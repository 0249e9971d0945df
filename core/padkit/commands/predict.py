"""`padkit predict`: judges faces in photographs, videos or before a webcam. Imports no torch."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from padkit.commands.judging import (
    add_judging,
    judging_parser,
    judging_settings,
    parse_judging,
    tell_doubts,
    tell_program,
)
from padkit.commands.parser import Number
from padkit.errors import SettingsError
from padkit.settings.ranges import Whole

if TYPE_CHECKING:
    from padkit.deploy.predictor import Predictor
    from padkit.deploy.verdict import Judgement

DESCRIPTION = """\
Judge every face: bona fide, attack, or not judged with a reason. A score is P(bona fide) in [0, 1], bona fide if it
reaches the threshold. What cannot be judged is never counted as an attack; its share is the non-response rate.

  padkit predict photograph.jpg                  # no model named: the embedded one, `experimental`
  padkit predict runs/dtda-webcam-seed0 photograph.jpg
  padkit predict MODEL folder 'more/*.jpg' --json > results.jsonl
  find . -name '*.jpg' | padkit predict MODEL - --csv
  padkit predict MODEL crops --cropped           # pictures that are face crops already
  padkit predict MODEL clip.mp4 --combine median # a video: one result, and one per frame
  padkit predict MODEL --webcam 0
  padkit predict model-int8.onnx photograph.jpg  # a file that padkit export wrote is enough
  padkit predict MODEL photos --stability        # does the verdict hold if the box moves a little?

Exit status: 0 if something was judged, 1 if nothing could be judged, 2 for a mistake in the command.
"""
DEFAULT = "experimental"  # the model where none is named
PATTERN = frozenset("*?[")
COLUMNS = ("source", "frame", "face", "verdict", "score", "threshold", "policy", "reason", "detail", "box", "model")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong, nothing is to be judged, or MODEL stands behind an input.
    """
    parser = judging_parser("padkit predict", DESCRIPTION, files=True, default=DEFAULT)
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="images, videos, folders, quoted patterns, - for paths on stdin")
    add("--webcam", type=Number(Whole), metavar="N", help="judge what camera N sees, until Ctrl-C")
    add_judging(parser)
    add("--combine", default="mean", metavar="RULE", help="how frames make one result: mean, median, vote or first:K")
    add("--frames", default="uniform:8", metavar="RULE", help="frames of a video: uniform:N, every:N, first:N or all")
    add("--stability", action="store_true", help="judge each face again with its box moved a little, and smaller")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per line")
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header")
    add("--annotate", metavar="DIR", help="write each picture with its boxes and verdicts into DIR")
    add("--explain", metavar="DIR", help="write where the student looked (Grad-CAM) on each judged face into DIR")
    line = parse_judging(parser, arguments)
    if line.model is not None and names_input(line.model):
        line.inputs.insert(0, line.model)
        line.model = None
    if (line.webcam is None) == (not line.inputs):
        raise SettingsError(
            "padkit predict: name pictures, videos or folders after MODEL, or --webcam N, one of them; the embedded "
            f"MODEL is called {DEFAULT}."
        )
    if line.model is None and (model := next(filter(is_model, line.inputs), "")):
        raise SettingsError(
            f"padkit predict: {model} is a MODEL and stands behind pictures, so {DEFAULT} would judge; name it first."
        )
    return line


def is_model(word: str) -> bool:
    """Return whether a word names a run, a bundle's folder or an exported file, and no pictures."""
    from padkit.deploy import BUNDLE
    from padkit.deploy.runtimes import SUFFIXES

    path = Path(word).expanduser()
    if path.is_dir():
        return any((folder / BUNDLE).is_file() for folder in (path, path / "model")) or (path / "checkpoints").is_dir()
    return path.suffix in SUFFIXES and path.is_file()


def names_input(word: str) -> bool:
    """Return whether the first word is no MODEL but the first INPUT: a picture's or video's name, a pattern, or `-`.

    A folder never is: one that lacks its model must not be judged by another.
    """
    from padkit.data.media.formats import STILL, VIDEO, kind_of

    if Path(word).expanduser().is_dir():
        return False
    return word == "-" or not PATTERN.isdisjoint(word) or kind_of(Path(word)) in (STILL, VIDEO)


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from padkit.deploy.predictor import load, non_response
    from padkit.deploy.quality import Limits
    from padkit.deploy.videos import Combine

    combine = Combine(rule=line.combine, frames=line.frames)
    limits = None if line.judge_all else Limits()
    tell_program(line.model or "")
    settings = {"limits": limits, "stability": line.stability, **judging_settings(line)}
    predictor = _default(settings) if line.model is None else load(line.model, **settings)
    chosen = f"no MODEL named, so {DEFAULT} judges" if line.model is None else ""
    tell_doubts(predictor.bundle, policy=predictor.policy, cropped=line.cropped, chosen=chosen)
    write = _json if line.json else _csv if line.csv else _table
    results = list(write(_judged(line, predictor, combine)))
    silent, count = non_response(results)
    share = f", non-response rate {100 * silent / count:.1f} %" if count else ""
    words = {"bona fide": 0, "attack": 0, "not judged": 0}
    for one in results:
        words[str(one.verdict)] += 1
    print(", ".join(f"{number} {word}" for word, number in words.items()) + share, file=sys.stderr)
    if line.stability:
        _steadiness(results)
    return int(silent == count)


def _default(settings: dict[str, Any]) -> Predictor:
    from padkit.deploy.predictor import installed_model, load

    folder = installed_model(DEFAULT)
    if folder is None:
        raise SettingsError(f"padkit predict: no model `{DEFAULT}` is installed, so name a MODEL before the pictures.")
    return load(folder, **settings)


def _steadiness(results: Sequence[Judgement]) -> None:
    """Print the shares of flipped verdicts; faces cut from photographs and stored crops apart."""
    from padkit.deploy.stability import flips

    known = [one for one in results if one.stability is not None]
    for wider, what in ((True, "in the photograph"), (False, "within the stored crop")):
        shares = flips(one.stability for one in known if one.stability and (one.box is not None) == wider)
        if shares is None:
            continue
        print(
            f"stability, box changed {what} (scale +-10 %, shift +-5 % of its side): {100 * shares.share:.1f} % of "
            f"verdicts flip, {100 * shares.any:.1f} % of {shares.faces} faces at least once",
            file=sys.stderr,
        )
        for name, share in shares.by_change.items():
            print(f"  {100 * share:5.1f} %  {name}", file=sys.stderr)
        for side, (share, larger) in shares.by_side.items():
            print(f"  {100 * share:5.1f} %  shrunk to a face of {side} pixels ({larger} faces)", file=sys.stderr)


def _judged(line: argparse.Namespace, predictor: Predictor, combine: Any) -> Iterator[Judgement]:
    """Yield the results as they come, and write the pictures that were asked for."""
    from padkit.data.unread import unread_line
    from padkit.deploy import inputs
    from padkit.inspection.drawing import Drawer

    drawer = Drawer(predictor, line.annotate, line.explain)
    if line.webcam is not None:
        try:
            for number, picture in inputs.webcam(line.webcam):
                yield from predictor.judge(picture, f"webcam:{line.webcam}", number)
        except KeyboardInterrupt:
            return
    found = inputs.listed(line.inputs, sys.stdin)
    for path in found.paths:
        results = inputs.judge_file(predictor, path, combine)
        drawer.draw(path, results)
        yield from results
    if entries := found.unread.entries():
        print(f"note: not judged in folders: {unread_line(entries)}", file=sys.stderr)


def _json(results: Iterable[Judgement]) -> Iterator[Judgement]:
    for one in results:
        print(json.dumps(one.to_dict(), ensure_ascii=False), flush=True)
        yield one


def _csv(results: Iterable[Judgement]) -> Iterator[Judgement]:
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for one in results:
        row = one.to_dict()
        writer.writerow(row | {"box": " ".join(map(str, row["box"] or ()))})
        sys.stdout.flush()
        yield one


def _table(results: Iterable[Judgement]) -> Iterator[Judgement]:
    print(f"{'verdict':<10}  {'score':>6}  {'threshold':>9}  input", flush=True)
    for one in results:
        score = "-" if one.score is None else f"{one.score:.4f}"
        print(f"{one.verdict:<10}  {score:>6}  {one.threshold:>9.4f}  {_place(one)}{_unsteady(one)}", flush=True)
        yield one


def _unsteady(one: Judgement) -> str:
    if one.stability is None:
        return ""
    names = one.stability.flipped
    return f"; flips: {', '.join(names)}" if names else f"; no flip in {len(one.stability.scores)} changes of the box"


def _place(one: Judgement) -> str:
    parts = [one.source]
    if one.frame is not None:
        parts.append(f"frame {one.frame}")
    if one.frames is not None:
        parts.append(f"whole video, {one.frames[0]} of {one.frames[1]} frames judged")
    if one.faces > 1 and one.box is not None:
        parts.append(f"face {one.face + 1} of {one.faces}")
    return ", ".join(parts) + (f": {one.detail}" if one.detail else "")
