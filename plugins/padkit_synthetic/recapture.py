"""The capture chain as an augmentation: live training images of any dataset become simulated attacks of themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit.data.augmentation import Augmentation
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import Share
from padkit_synthetic.imaging import resized
from padkit_synthetic.photographs.recordings import ATTACKS, find_domains, instruments_for_photographs
from padkit_synthetic.photographs.scene import photograph_scene
from padkit_synthetic.presentations import attack, bona_fide, chosen_camera
from padkit_synthetic.world import DRAWN, World

SMALLEST, LARGEST, STEP = 64, 256, 16  # sides in pixels that the chain can render


class Recapture(Augmentation):
    """Makes simulated attacks of some bona fide training images, and passes others through a simulated camera only.

    Attack images are left alone. Batches are balanced before: a share s of the bona fide images turns a batch of equal
    halves into (1 - s) bona fide to (1 + s) attacks. Images passed through a camera only keep their label, so that
    traces of the simulated cameras alone do not tell an attack. The face keeps its size. Images are rendered at the
    nearest side that the chain knows (64 to 256 pixels in steps of 16) and resized back. All of it is simulated.

    Args:
        share: Share of bona fide images that become an attack.
        live_share: Share of bona fide images that pass a simulated camera and stay bona fide; with `share` at most 1.
        attacks: Attack types, joined by `+`.
        settings: Capture settings whose cameras, light and instruments are used, joined by `+`; `all` takes every one
            that has these attacks.
        world: Version of the simulated world: 4 draws cameras and instruments from ranges, anew for each image; 3 takes
            those of a fixed list.
        video: Whether some of the cameras of world 4 deliver H.264, for which padkit[video] is needed; without, all
            deliver JPEG.
    """

    def __init__(
        self,
        *,
        share: Share = 0.25,
        live_share: Share = 0.25,
        attacks: str = "+".join(ATTACKS),
        settings: str = "all",
        world: World = DRAWN,
        video: bool = False,
    ) -> None:
        if not (share >= 0 and live_share >= 0 and share + live_share <= 1):
            raise SettingsError(
                f"share {share} and live_share {live_share} of augmentation 'recapture' must not be negative, "
                "nor together more than 1."
            )
        self.share = share
        self.live_share = live_share
        self.attacks = tuple(attacks.split("+"))
        names = None if settings == "all" else settings.split("+")
        self.domains = tuple(find_domains(names, self.attacks, world, video=video))

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return the image (uint8 RGB [S, S, 3]) and its label, changed or not.

        Raises:
            DataError: The image is not square.
        """
        chance = rng.random()
        if label != BONA_FIDE or chance >= self.share + self.live_share:
            return image, label
        if image.shape[0] != image.shape[1]:
            raise DataError(f"recapture needs square images, this one is {image.shape[1]}x{image.shape[0]} pixels.")
        side = image.shape[0]
        size = min(max(STEP * round(side / STEP), SMALLEST), LARGEST)
        domain = self.domains[int(rng.integers(len(self.domains)))]
        camera = chosen_camera(domain.cameras, int(rng.integers(len(domain.cameras))))
        scene = photograph_scene(image, framing=1.0)
        if chance >= self.share:
            return resized(bona_fide(scene, domain, camera, size, 1, rng)[0], side), BONA_FIDE
        kind = self.attacks[int(rng.integers(len(self.attacks)))]
        choices = instruments_for_photographs(domain)[kind]
        instrument = choices[int(rng.integers(len(choices)))]
        return resized(attack(scene, domain, camera, instrument, size, 1, rng)[0], side), ATTACK
