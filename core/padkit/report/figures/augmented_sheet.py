"""The sheet of what training sees: crops of every kind as they are, and several times after an augmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit.data.augmentation import Augmentation, draw_generator, vary_image
from padkit.data.media.pictures import Frame
from padkit.data.presentation import BONA_FIDE
from padkit.data.table.frames import FrameTable
from padkit.report.figures.contact_sheet import COLOURS, drawn_sheet, sheet_rows

FRAME = 0.04  # width of the frame around an image whose label changed, as a share of its side


def augmented_sheet(table: FrameTable, augmentation: Augmentation, name: str, columns: int = 8, seed: int = 0) -> bytes:
    """Return the sheet as PNG.

    Each row shows the middle frame of one presentation: first as it is, then as `columns` - 1 draws of training would
    see it. An image that the augmentation gave another label has a frame in that label's colour.

    Args:
        table: The table.
        augmentation: What varies its images.
        name: Its name.
        columns: Images per row; two at least are drawn.
        seed: The same seed gives the same sheet.
    """
    rows, columns = sheet_rows(table, 1), max(columns, 2)
    crops = [np.ascontiguousarray(table.image(int(row.shown[0])).transpose(1, 2, 0)) for row in rows]
    labels = [row.label for row in rows for _ in range(columns - 1)]
    images, seen = varied(augmentation, [crop for crop in crops for _ in range(columns - 1)], labels, seed)
    framed = [
        image if old == new else _framed(image, new) for image, old, new in zip(images, labels, seen, strict=True)
    ]
    tiles = [[crop, *framed[place * (columns - 1) :][: columns - 1]] for place, crop in enumerate(crops)]
    relabelled = {new for old, new in zip(labels, seen, strict=True) if old != new}
    words = " and ".join("bona fide" if label == BONA_FIDE else "an attack" for label in sorted(relabelled))
    told = f"One crop of each kind: as it is, then {columns - 1} times as training may see it (seed {seed})."
    if relabelled:
        told += f" With a frame: became {words}."
    return drawn_sheet(table, rows, tiles, columns, f"what training sees with --augmentation {name}", told)


def varied(
    augmentation: Augmentation, crops: list[Frame], labels: list[int], seed: int
) -> tuple[list[Frame], list[int]]:
    """Return crops and labels after an augmentation, as the training loop applies it: one by one, then as a batch.

    Args:
        augmentation: The augmentation.
        crops: uint8 RGB [S, S, 3] each; the first is draw number 0, the next draw number 1.
        labels: 1 = bona fide, 0 = attack.
        seed: Seed of the draws; torch's own generator is left as it was.
    """
    import torch

    from padkit.data.batches import to_images

    if not crops:
        return [], []
    pairs = [
        vary_image(augmentation, crop, label, draw_generator(seed, draw))
        for draw, (crop, label) in enumerate(zip(crops, labels, strict=True))
    ]
    planes = np.stack([image for image, _ in pairs]).transpose(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        batch = augmentation.vary(to_images(torch.from_numpy(np.ascontiguousarray(planes))))
    pixels: NDArray[np.uint8] = (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return list(pixels), [label for _, label in pairs]


def _framed(image: Frame, label: int) -> Frame:
    width = max(round(FRAME * len(image)), 1)
    colour = [int(COLOURS[label][place : place + 2], 16) for place in (1, 3, 5)]
    framed = np.empty_like(image)
    framed[:] = colour
    framed[width:-width, width:-width] = image[width:-width, width:-width]
    return framed
