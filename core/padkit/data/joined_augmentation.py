"""Several augmentations as one, chosen by names with `+` between them. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.augmentation import Augmentation, vary_image
from padkit.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor


class JoinedAugmentation(Augmentation):
    """Several augmentations as one, `--augmentation recapture+light`: each varies the result of the previous one.

    Those that vary single images always run before those that vary batches, whatever the order of the names.

    Args:
        members: The augmentations by name.

    Raises:
        PluginError: A member is not an augmentation.
    """

    def __init__(self, members: Mapping[str, Augmentation]) -> None:
        for name, member in members.items():
            if not isinstance(member, Augmentation):
                raise PluginError(
                    f"augmentation {name!r} is a {type(member).__name__}, "
                    "which is no padkit.data.augmentation.Augmentation."
                )
        self.members = dict(members)

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return the image and its label after all members."""
        for member in self.members.values():
            image, label = vary_image(member, image, label, rng)
        return image, label

    def vary(self, images: Tensor) -> Tensor:
        """Return the batch after all members."""
        for member in self.members.values():
            images = member.vary(images)
        return images

    @property
    def varies_images(self) -> bool:
        """Whether a member varies single images."""
        return any(member.varies_images for member in self.members.values())


def joined(factories: Mapping[str, Callable[..., Any]]) -> Callable[..., JoinedAugmentation]:
    """Return a factory of a `JoinedAugmentation`, which builds each member from the settings under its name."""

    def build(**settings: Mapping[str, Any]) -> JoinedAugmentation:
        return JoinedAugmentation({name: make(**settings.get(name, {})) for name, make in factories.items()})

    return build
