"""Both versions of the simulated world as they were frozen: parameters and first frames of every species, in a file.

`python tests/support/frozen_world.py --world 4 --write` writes the file of a version anew.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from padkit.files import write_atomically
from padkit_synthetic.imaging import Bytes, generator
from padkit_synthetic.reader import FacesReader, SyntheticReader
from padkit_synthetic.world import DRAWN, LISTED, SIZES, SOURCE_CAMERAS, WORLDS, World

CHANGED = (
    "the world changed: give what changed another version in plugins/padkit_synthetic/world.py, and keep this one; a "
    "version that nobody has used yet is frozen anew by `python tests/support/frozen_world.py --world N --write`"
)
# The fields that describe world 3. What came later counts only where it is not at its default, which changes nothing.
FIELDS = {
    "Domain": "name cameras place instruments attack_share restless view splits",
    "Camera": "name resolution defocus misfocus shake vignetting flare exposure full_well read_noise balance_error "
    "crosstalk saturation contrast sharpening quality denoise",
    "Place": "kelvin surround_kelvin azimuth elevation ambient softness clutter wall window",
    "Printer": "species form screen pitch crispness paper ink cast gain saturation gloss bend fibre",
    "Display": "species layout pitch gamma black white depth reflectance bands brightness saturation",
    "Size": "train dev test clips frames",
}
BLOCKS = 8
# Grey levels by which block means may differ between processors, rounding in the file included.
TOLERANCE = 1.5


def file_of(world: World) -> Path:
    """Return the file of a version."""
    return Path(__file__).parents[1] / "data" / f"world_{world}.json"


def described(value: Any) -> str:
    """Return the `repr` of a value, in which dataclasses leave out later fields that have their defaults."""
    if isinstance(value, tuple):
        return f"({', '.join(map(described, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {described(one)}' for key, one in value.items())}}}"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    kind = type(value).__name__
    fields = dataclasses.fields(value)
    first = FIELDS[kind].split() if kind in FIELDS else [field.name for field in fields]
    told = [
        f"{field.name}={described(getattr(value, field.name))}"
        for field in fields
        if field.name in first or getattr(value, field.name) != field.default
    ]
    return f"{kind}({', '.join(told)})"


def parameters(world: World) -> str:
    """Return a checksum of all numbers that make the world."""
    return hashlib.sha256(described((WORLDS[world], SOURCE_CAMERAS, SIZES)).encode()).hexdigest()


def arithmetic() -> str:
    """Return a checksum of elementary arithmetic, which differs between processors and library versions.

    Where it agrees, frames must agree to the bit.
    """
    digest = hashlib.sha256()
    rng = generator(1)
    values = rng.random(1003, np.float32)
    for function in (np.exp, np.sin, np.cos, np.tan, np.arcsin, np.sqrt, np.log, np.log2, np.tanh, np.cbrt):
        digest.update(function(values).tobytes())
        digest.update(function(values.astype(np.float64)).tobytes())
    digest.update((values ** np.float32(1.3)).tobytes())
    digest.update(rng.standard_normal((51, 51), np.float32).tobytes())
    sheet = rng.random((48, 48), np.float32)
    digest.update(np.float32([sheet.mean(), sheet.std(), sheet.sum(), np.linalg.norm(sheet[0])]).tobytes())
    digest.update(np.asarray(Image.fromarray(sheet).resize((80, 80), Image.Resampling.BICUBIC)).tobytes())
    picture = Image.fromarray((255 * sheet).astype(np.uint8)).convert("RGB")
    for kind in (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS):
        digest.update(picture.resize((33, 33), kind).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    digest.update(buffer.getvalue())
    digest.update(np.asarray(Image.open(buffer)).tobytes())
    return digest.hexdigest()


def first_frames(world: World) -> Iterator[tuple[str, Bytes]]:
    """Yield a name and the first frame uint8 [64, 64, 3] of every domain's bona fide and species, and of a portrait.

    Without H.264, whose pictures depend on the build of PyAV.
    """
    reader = SyntheticReader(size="tiny", image_size=64, seed=0, world=world, video=False)
    seen = set()
    for record in reader.records():
        kind = (record.domain, record.species)
        if kind not in seen:
            seen.add(kind)
            yield f"{record.domain}/{record.species or 'live'}", next(iter(reader.frames(record)))
    if world != LISTED:
        return
    portraits = FacesReader(identities=2, images=1, test_share=0.0)
    record = next(iter(portraits.records()))
    yield "portrait", next(iter(portraits.frames(record)))


def block_means(frame: Bytes) -> list[int]:
    """Return the rounded means of 8 x 8 blocks, row by row, red, green and blue of each."""
    side = frame.shape[0] // BLOCKS
    means = frame.reshape(BLOCKS, side, BLOCKS, side, 3).mean(axis=(1, 3))
    return [int(value) for value in np.round(means).ravel()]


def present(world: World) -> dict[str, Any]:
    """Return what there is to freeze."""
    return {
        "version": world,
        "parameters": parameters(world),
        "arithmetic": arithmetic(),
        "frames": {
            name: {"sha256": hashlib.sha256(frame.tobytes()).hexdigest(), "blocks": block_means(frame)}
            for name, frame in first_frames(world)
        },
    }


def differences(now: dict[str, Any], frozen: dict[str, Any]) -> list[str]:
    """Return what differs, a line each; frames to the bit only where the arithmetic is the frozen one's."""
    found = [name for name in ("version", "parameters") if now[name] != frozen[name]]
    found += [f"frame of {name}: not in both" for name in sorted(now["frames"].keys() ^ frozen["frames"].keys())]
    exact = now["arithmetic"] == frozen["arithmetic"]
    for name in sorted(now["frames"].keys() & frozen["frames"].keys()):
        mine, theirs = now["frames"][name], frozen["frames"][name]
        off = float(np.abs(np.subtract(mine["blocks"], theirs["blocks"])).max())
        if off > TOLERANCE:
            found.append(f"frame of {name}: a block is off by {off:g} grey levels")
        elif exact and mine["sha256"] != theirs["sha256"]:
            found.append(f"frame of {name}: other bytes")
    return found


def main() -> None:
    """Write the file, or say what differs from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", type=int, choices=tuple(WORLDS), default=DRAWN)
    parser.add_argument("--write", action="store_true", help="write the file anew")
    options = parser.parse_args()
    now, file = present(options.world), file_of(options.world)
    if options.write:
        # A line for each frame: a diff shows which ones changed.
        text = json.dumps(now).replace('{"sha256"', '\n{"sha256"').replace('"frames"', '\n"frames"')
        write_atomically(file, f"{text}\n".encode())
        print(f"wrote {file}")
    else:
        print("\n".join(differences(now, json.loads(file.read_text()))) or "nothing differs")


if __name__ == "__main__":
    main()
