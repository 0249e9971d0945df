"""Draw docs/world/families.jpg: a photograph and simulated faces in world 4, live and as attacks of every family.

    python benchmarks/families_picture.py [--out docs/world/families.jpg] [--size 112] [--seed 2]

It needs scikit-image (padkit[lbp]), whose photograph of Eileen Collins (NASA, public domain) is shown. From the left:
bona fide, then the families of prints and screens; two rows a setting, the second of a simulated face.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

from padkit_synthetic.imaging import Bytes, generator
from padkit_synthetic.photographs.scene import photograph_scene
from padkit_synthetic.presentations import Scene, attack, bona_fide, chosen_camera, first_capture
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.world import DRAWN, Domain, domains_of

FACE = (slice(10, 240), slice(110, 340))  # rows and columns of the photograph


def row_of_photograph(scene: Scene, domain: Domain, size: int, seed: int) -> Iterator[Bytes]:
    """Yield the photograph before a camera and its attacks, all of one session."""
    key, camera = (seed, *domain.name.encode()), chosen_camera(domain.cameras, seed)
    yield bona_fide(scene, domain, camera, size, 1, generator(*key, 1))[0]
    shown = first_capture(scene, domain, size, 1, generator(*key, 2))
    for number, family in enumerate(domain.instruments):
        rng = generator(*key, 3, number)
        yield attack(scene, domain, camera, family, size, 1, rng, shown=shown, again=generator(*key, 1))[0]


def row_of_face(reader: SyntheticReader, domain: Domain) -> Iterator[Bytes]:
    """Yield the first test subject's first presentation of each kind."""
    seen = set()
    for record in reader.records():
        if (record.domain, record.split) == (domain.name, "test") and record.species not in seen:
            seen.add(record.species)
            yield next(iter(reader.frames(record)))


def main() -> int:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/world/families.jpg"))
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    scene = photograph_scene(np.ascontiguousarray(astronaut()[FACE]))
    reader = SyntheticReader(size="tiny", image_size=options.size, seed=options.seed, world=DRAWN)
    rows = []
    for domain in domains_of(DRAWN):
        if "train" in domain.splits:
            rows.append(np.concatenate([*row_of_photograph(scene, domain, options.size, options.seed)], axis=1))
            rows.append(np.concatenate([*row_of_face(reader, domain)], axis=1))
    Image.fromarray(np.concatenate(rows)).save(options.out, quality=85)
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
