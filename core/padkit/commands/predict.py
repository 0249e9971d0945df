"""`padkit predict`: judges faces in photographs, videos or before a webcam. Imports no torch."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from padkit.commands.parser import Parser
from padkit.errors import SettingsError

if TYPE_CHECKING:
    from padkit.deploy.predictor import Predictor
    from padkit.deploy.verdict import Judgement

DESCRIPTION = """\
Judge every face: bona fide, attack, or not judged with a reason. A score is P(bona fide) in [0, 1], bona fide if it
reaches the threshold. What cannot be judged is never counted as an attack; its share is the non-response rate.

  padkit predict runs/dtda-webcam-seed0 photograph.jpg
  padkit predict MODEL folder 'more/*.jpg' --json > results.jsonl
  find . -name '*.jpg' | padkit predict MODEL - --csv
  padkit predict MODEL crops --cropped           # pictures that are face crops already
  padkit predict MODEL clip.mp4 --combine median # a video: one result, and one per frame
  padkit predict MODEL --webcam 0

Exit status: 0 if something was judged, 1 if nothing could be judged, 2 for a mistake in the command.
"""
COLUMNS = ("source", "frame", "face", "verdict", "score", "threshold", "policy", "reason", "detail", "box", "model")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong, or nothing is to be judged.
    """
    parser = Parser(
        prog="padkit predict", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("model", metavar="MODEL", help="a run's folder, its model/ folder, or owner/name on the Hugging Face Hub")
    add("inputs", nargs="*", metavar="INPUT", help="images, videos, folders, quoted patterns, - for paths on stdin")
    add("--webcam", type=int, metavar="N", help="judge what camera N sees, until Ctrl-C")
    add("--policy", default="", help="threshold policy of the model, or fixed:VALUE; the model's first by default")
    add("--face", default="", metavar="FINDER", help="face finder: lbp (default) or scrfd")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--cropped", action="store_true", help="the pictures are face crops already: find nothing, take the square")
    add("--faces", choices=("all", "largest", "one"), default="all", help="which faces count; one: several are refused")
    add("--judge-all", action="store_true", help="judge whatever has a face: no limits on size, blur, light or pose")
    add("--combine", default="mean", metavar="RULE", help="how frames make one result: mean, median, vote or first:K")
    add("--frames", default="uniform:8", metavar="RULE", help="frames of a video: uniform:N, every:N, first:N or all")
    add("--backend", choices=("auto", "torch", "onnx"), default="auto", help="what computes the scores")
    add("--threads", type=int, metavar="N", help="CPU threads")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per line")
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header")
    add("--annotate", metavar="DIR", help="write each picture with its boxes and verdicts into DIR")
    add("--explain", metavar="DIR", help="write where the student looked (Grad-CAM) on each judged face into DIR")
    line = parser.parse_args(arguments)
    if (line.webcam is None) == (not line.inputs):
        raise SettingsError("padkit predict: name pictures, videos or folders after MODEL, or --webcam N, one of them.")
    for name in ("threads", "webcam"):
        value, least = getattr(line, name), 1 if name == "threads" else 0
        if value is not None and value < least:
            raise SettingsError(f"--{name} must be at least {least}.")
    if line.cropped and line.face:
        raise SettingsError("--cropped finds no faces, so it goes without --face; leave one of them out.")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from padkit.deploy.predictor import load, non_response
    from padkit.deploy.quality import Limits
    from padkit.deploy.videos import Combine

    combine = Combine(rule=line.combine, frames=line.frames)
    face = {"face": "none"} if line.cropped else {"face": line.face} if line.face else {}
    if line.face == "scrfd":
        face |= {"face_model": _scrfd(line.face_model)}
    limits = None if line.judge_all else Limits()
    predictor = load(
        line.model, backend=line.backend, threads=line.threads, policy=line.policy, faces=line.faces, limits=limits,
        **face,
    )  # fmt: skip
    _notes(predictor, cropped=line.cropped)
    write = _json if line.json else _csv if line.csv else _table
    results = list(write(_judged(line, predictor, combine)))
    silent, count = non_response(results)
    share = f", non-response rate {100 * silent / count:.1f} %" if count else ""
    words = {"bona fide": 0, "attack": 0, "not judged": 0}
    for one in results:
        words[str(one.verdict)] += 1
    print(", ".join(f"{number} {word}" for word, number in words.items()) + share, file=sys.stderr)
    return int(silent == count)


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


def _scrfd(model: str) -> str:
    from padkit.data.preparation.scrfd import scrfd_weights

    return str(scrfd_weights(model, download=False))


def _notes(predictor: Predictor, *, cropped: bool) -> None:
    bundle = predictor.bundle
    if bundle.simulated:
        print(
            "note: this model was trained on simulated faces: its verdicts on real ones mean nothing.", file=sys.stderr
        )
    if not bundle.crop.known and not cropped:
        print(
            "note: the model does not say how its faces were cropped; padkit's default margin is used.", file=sys.stderr
        )
    if bundle.choose(predictor.policy).test_set_choice:
        print("note: this threshold was chosen on the model's own test set; expect more errors.", file=sys.stderr)


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
        print(f"{one.verdict:<10}  {score:>6}  {one.threshold:>9.4f}  {_place(one)}", flush=True)
        yield one


def _place(one: Judgement) -> str:
    parts = [one.source]
    if one.frame is not None:
        parts.append(f"frame {one.frame}")
    if one.frames is not None:
        parts.append(f"whole video, {one.frames[0]} of {one.frames[1]} frames judged")
    if one.faces > 1 and one.box is not None:
        parts.append(f"face {one.face + 1} of {one.faces}")
    return ", ".join(parts) + (f": {one.detail}" if one.detail else "")
