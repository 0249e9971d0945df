"""The options by which commands judge faces: model, threshold, face finder, backend. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from padkit.commands.parser import Number, Parser
from padkit.errors import SettingsError
from padkit.settings.ranges import Processes

if TYPE_CHECKING:
    from padkit.deploy.bundle import Bundle

BACKENDS = ("auto", "torch", "onnx", "openvino")
MODEL = "a run's folder, its model/ folder, {}an installed model's name, or owner/name on the Hugging Face Hub"
FACES = {
    "all": ("all", "largest", "one"),
    "one": ("one", "largest"),  # a presentation is of one face
}


def judging_parser(prog: str, description: str, *, files: bool = False, default: str = "") -> Parser:
    """Return a command's parser, whose first word is MODEL.

    Args:
        prog: What the help calls the command.
        description: What it does, as the help shows it, line by line.
        files: Whether MODEL may be an exported file.
        default: The installed model that judges where MODEL is left out; "" where it may not be.
    """
    parser = Parser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    told = MODEL.format("an exported file, " if files else "")
    if default:
        parser.add_argument("model", nargs="?", metavar="MODEL", help=f"{told}; left out: {default}")
    else:
        parser.add_argument("model", metavar="MODEL", help=told)
    return parser


def add_judging(parser: Parser, *, faces: str = "all") -> None:
    """Add the options that say how faces are found, cut and judged.

    Args:
        parser: The command's parser.
        faces: Which faces of a picture count by default, `all` or `one`.
    """
    add = parser.add_argument
    add("--policy", default="", help="threshold policy of the model, or fixed:VALUE; the model's first by default")
    add("--face", default="", metavar="FINDER", help="face finder, lbp, lbp-tight or scrfd; by default the model's")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--cropped", action="store_true", help="the pictures are face crops already: find nothing, take the square")
    add("--faces", choices=FACES[faces], default=faces, help="which faces count; one: several are refused")
    add("--judge-all", action="store_true", help="judge whatever has a face: no limits on size, blur, light or pose")
    add("--backend", choices=BACKENDS, default="auto", help="what computes the scores")
    add("--threads", type=Number(Processes), metavar="N", help="CPU threads, of each worker if there are several")


def parse_judging(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong, or `--cropped` and `--face` contradict each other.
    """
    line = parser.parse_args(arguments)
    if line.cropped and line.face:
        raise SettingsError("--cropped finds no faces, so it goes without --face; leave one of them out.")
    return line


def judging_settings(line: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of `padkit.load` that a command line asks for, all but `limits`."""
    settings = {name: getattr(line, name) for name in ("backend", "threads", "policy", "faces", "face_model")}
    face = "none" if line.cropped else line.face
    return settings | ({"face": face} if face else {})


def tell_program(model: str) -> None:
    """Print on stderr that opening a model runs code, if it is a file of torch.export.

    `torch.export.load` reads pickles, and what a file calls is looked up in Python; nobody can check it from outside.
    """
    if model.endswith(".pt2"):
        print(f"note: {model} is a program: torch runs what is in it. Open only files of your own.", file=sys.stderr)


def tell_doubts(bundle: Bundle, *, policy: str = "", cropped: bool = False, chosen: str = "") -> None:
    """Print on stderr what makes a model's verdicts doubtful.

    Args:
        bundle: The model.
        policy: The threshold policy asked for.
        cropped: Whether the pictures are face crops, so that it does not matter how faces are cut.
        chosen: How the model came to be used, where the user did not name it; stands before what is said of it.
    """
    notes = []
    if bundle.caution or chosen:
        notes.append(": ".join(filter(None, (chosen, bundle.caution))))
    if not bundle.crop.known and not cropped:
        notes.append("the model does not say how its faces were cropped; padkit's default margin is used.")
    if bundle.choose(policy).test_set_choice:
        notes.append("this threshold was chosen on the model's own test set; expect more errors.")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
