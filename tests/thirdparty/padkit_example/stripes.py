"""A dataset that renders its frames: level stripes are bona fide, upright ones an attack. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE, Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import Count, CropSide

BRIGHTNESS = {"morning": 110, "noon": 170, "night": 60}
SUBJECTS = {"train": 6, "dev": 2, "test": 2}
WORDS = {BONA_FIDE: "level", ATTACK: "upright"}


class Stripes(DatasetReader):
    """Stripes under three lights.

    Args:
        image_size: Side of the frames in pixels.
        clips: Presentations of each kind per subject.
    """

    default_target = "night"
    simulated: ClassVar[bool] = True

    def __init__(self, *, image_size: CropSide = 32, clips: Count = 2) -> None:
        if image_size < 16 or clips < 1:
            raise SettingsError(f"stripes: image_size {image_size} must be at least 16 and clips {clips} at least 1.")
        self.image_size = image_size
        self.clips = clips

    def records(self) -> Iterator[Presentation]:
        """Yield every presentation."""
        for domain in BRIGHTNESS:
            for split, subjects in SUBJECTS.items():
                for number in range(subjects * self.clips):
                    subject = f"{domain}-{split}-{number // self.clips}"
                    for label, word in WORDS.items():
                        yield Presentation(
                            dataset="stripes",
                            domain=domain,
                            id=f"{subject}-{word}-{number % self.clips}",
                            label=label,
                            split=split,
                            subject=subject,
                            attack_type="" if label else "print",
                            species="" if label else "comb",
                        )

    def frames(self, presentation: Presentation) -> Iterator[NDArray[np.uint8]]:
        """Yield the one frame uint8 [image_size, image_size, 3].

        Raises:
            DataError: The presentation is of another dataset.
        """
        if presentation.domain not in BRIGHTNESS:
            raise DataError(f"presentation {presentation.id!r} is not of dataset 'stripes'; take one from records().")
        noise = np.random.default_rng(list(presentation.id.encode()))
        wave = 40 * np.sin(np.arange(self.image_size) * noise.uniform(0.5, 1.5))
        level = np.broadcast_to(wave[:, None] if presentation.label else wave[None, :], (self.image_size,) * 2)
        pixels = BRIGHTNESS[presentation.domain] + level[..., None] + noise.normal(0, 12, (*level.shape, 3))
        yield pixels.clip(0, 255).astype(np.uint8)

    def fingerprint(self) -> str:
        """Return what the frames depend on."""
        return f"stripes 1, {self.image_size} px"
