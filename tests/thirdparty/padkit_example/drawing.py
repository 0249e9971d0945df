"""A command: `padkit draw-stripes --out FILE.png`. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from padkit.errors import SettingsError
from padkit_example.stripes import Stripes


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    parser = argparse.ArgumentParser(prog="padkit draw-stripes", description="Draw stripes side by side.")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--count", type=int, default=8, help="how many (%(default)s)")
    options = parser.parse_args(arguments)
    if options.count < 1:
        raise SettingsError(f"--count {options.count} must be at least 1.")
    reader = Stripes()
    frames = [frame for shown in list(reader.records())[: options.count] for frame in reader.frames(shown)]
    Image.fromarray(np.concatenate(frames, axis=1)).save(options.out)
    return 0
