"""`padkit world`: a page of the simulated world with portraits, every species in every domain, and spectra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from padkit.commands.parser import Number, Parser
from padkit.data.presentation import Presentation
from padkit.errors import DataError
from padkit.files import write_atomically
from padkit.settings.ranges import Seed
from padkit_synthetic.imaging import Bytes
from padkit_synthetic.reader import FacesReader, RenderedSide, SyntheticReader, check_image_size
from padkit_synthetic.spectra import excess, line_strength, spectrum
from padkit_synthetic.world import DRAWN, LISTED, World, domains_of

PEOPLE, PORTRAITS, COLUMNS = 10, 8, 8
PICTURES = 14  # of each kind, behind the spectra
LABEL = 150  # pixels beside a row of pictures
SHOWN = {
    LISTED: (
        ("office", ""),
        ("office", "laser-plain"),
        ("phone", "photo-glossy"),
        ("webcam", "laptop-tn"),
        ("phone", "phone-oled"),
    ),
    DRAWN: (("office", ""), ("office", "laser"), ("phone", "inkjet"), ("webcam", "laptop"), ("phone", "phone")),
}
Kind = tuple[str, str]

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>padkit's simulated world, version {version}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }}
img {{ max-width: 100%; height: auto; background: white }}
p.note {{ border-left: 4px solid #c60; padding-left: 1rem }}
</style>
<h1>padkit's simulated world, version {version}</h1>
<p class="note"><strong>Everything here is simulated.</strong> No person, photograph or attack stands behind a picture.
What is measured on these data says nothing about security against real attacks, about groups of people, or about
figures in the literature.</p>
<h2>Portraits</h2>
<p>{people} people of dataset <code>faces</code>, a row each, before different cameras.</p>
<img src="faces.jpg" alt="Rows of simulated faces">
<h2>Every species in every domain</h2>
<p>Dataset <code>synthetic</code>, test split, a column a person: bona fide above, below it the attacks with the same
face. Seed {seed}.</p>
<img src="species.jpg" alt="Simulated bona fide presentations and attacks by domain and species">
<h2>Spectra</h2>
<p>Above: a picture of each kind, and by how many dB (black 0, white 25) its spectrum exceeds what is usual at each
spatial frequency. Clustered halftone dots and display pixels, or the moire that the sensor makes of them, are sharp
lines; a living face has none, and the scattered dots of an inkjet are noise without lines. Below: how far the strongest
line of a picture stands above its surroundings, for {count} pictures of each kind (boxes: quartiles).</p>
<img src="spectra.png" alt="Spectra of bona fide presentations, prints and replays">
</html>
"""


def examples(reader: SyntheticReader, people: int) -> dict[Kind, list[Bytes]]:
    """Return a frame uint8 [S, S, 3] of each of `people` test subjects for every (domain, species); "" is bona fide."""
    chosen: dict[Kind, dict[str, Presentation]] = {}
    for record in reader.records():
        if record.split == "test":
            of_kind = chosen.setdefault((record.domain, record.species), {})
            if len(of_kind) < people:
                of_kind.setdefault(record.subject, record)
    return {kind: [next(reader.frames(record)) for record in found.values()] for kind, found in chosen.items()}


def draw_portraits(image_size: int, seed: int) -> Image.Image:
    """Return a sheet of portraits, one row per person."""
    reader = FacesReader(identities=PEOPLE, images=PORTRAITS, image_size=image_size, seed=seed)
    frames = [next(reader.frames(record)) for record in reader.records()]
    rows = [np.concatenate(frames[start : start + PORTRAITS], axis=1) for start in range(0, len(frames), PORTRAITS)]
    return Image.fromarray(np.concatenate(rows))


def draw_species(kinds: dict[Kind, list[Bytes]], world: World = LISTED) -> Image.Image:
    """Return a sheet with a labelled row for each (domain, species)."""
    side = next(iter(kinds.values()))[0].shape[0]
    types = {one.species: one.attack_type for domain in domains_of(world) for one in domain.instruments}
    sheet = Image.new("RGB", (LABEL + COLUMNS * side, len(kinds) * side), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, ((domain, species), frames) in enumerate(kinds.items()):
        text = f"{domain}\n{types[species]}\n{species}" if species else f"{domain}\nbona fide"
        pen.multiline_text((8, row * side + side // 2), text, "black", font, anchor="lm")
        for column, frame in enumerate(frames[:COLUMNS]):
            sheet.paste(Image.fromarray(frame), (LABEL + column * side, row * side))
    return sheet


def draw_spectra(kinds: dict[Kind, list[Bytes]], world: World) -> Figure:
    """Return the figure of spectra: examples above, the strength of the strongest line by kind below."""
    figure = Figure(figsize=(13, 9.5), layout="constrained")
    grid = figure.add_gridspec(3, len(SHOWN[world]), height_ratios=(1, 1, 1.25))
    for column, kind in enumerate(SHOWN[world]):
        frame = max(kinds[kind], key=line_strength) if kind[1] else kinds[kind][0]
        picture, plane = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        picture.imshow(frame)
        picture.set_title(f"{kind[1] or 'bona fide'} ({kind[0]})")
        picture.set_axis_off()
        plane.imshow(excess(spectrum(frame)), vmin=0, vmax=25, cmap="magma", extent=(-0.5, 0.5, 0.5, -0.5))
        plane.set_xlabel("cycles per pixel")
    strengths = figure.add_subplot(grid[2, :])
    strengths.boxplot([[line_strength(frame) for frame in frames] for frames in kinds.values()], showfliers=False)
    strengths.set_xticks(
        range(1, len(kinds) + 1),
        [f"{species or 'bona fide'}\n{domain}" for domain, species in kinds],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    strengths.set_ylabel("strongest line over its\nsurroundings, dB")
    return figure


def draw_world(out: Path, image_size: int, seed: int, people: int, world: World) -> None:
    """Write `faces.jpg`, `species.jpg`, `spectra.png` and `index.html` into the folder `out`.

    Raises:
        DataError: The folder cannot be written.
    """
    kinds = examples(SyntheticReader(size="default", image_size=image_size, seed=seed, world=world), people)
    try:
        out.mkdir(parents=True, exist_ok=True)
        draw_portraits(image_size, seed).save(out / "faces.jpg", quality=90)
        draw_species(kinds, world).save(out / "species.jpg", quality=90, subsampling=0)
        with mpl.rc_context({"svg.hashsalt": "padkit"}):
            draw_spectra(kinds, world).savefig(out / "spectra.png", dpi=80, metadata={"Software": None})
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}): choose another folder for --out.") from error
    page = PAGE.format(version=world, people=PEOPLE, seed=seed, count=people)
    write_atomically(out / "index.html", page.encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `padkit world`; return 0."""
    parser = Parser(
        prog="padkit world",
        allow_abbrev=False,
        description="Draw the simulated world: portraits, every species in every domain, spectra.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write index.html and its pictures to")
    parser.add_argument("--image-size", type=Number(RenderedSide), default=128, help="side of the pictures in pixels")
    parser.add_argument("--seed", type=Number(Seed), default=0, help="which population")
    parser.add_argument(
        "--world", type=int, choices=(LISTED, DRAWN), default=LISTED,
        help="version: 3 has listed cameras and instruments, 4 draws both from ranges (3)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    check_image_size(options.image_size)
    draw_world(options.out, options.image_size, options.seed, PICTURES, options.world)
    Console(stderr=True).print(f"{options.out / 'index.html'}", markup=False, highlight=False, soft_wrap=True)
    return 0
