"""A student small enough to be read at a glance."""

from __future__ import annotations

from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.networks.inputs import normalise
from padkit.roles import Student, StudentFeatures
from padkit.settings.ranges import Channels


class Cells(Student):
    """Two convolutions.

    Args:
        width: Channels of the first map; the second has twice as many.
    """

    strides = (4, 8)

    def __init__(self, *, width: Channels = 16) -> None:
        super().__init__()
        if width < 1:
            raise SettingsError(f"cells: width {width} must be at least 1.")
        self.channels = (width, 2 * width)
        self.embedding_dim = 2 * width
        self.first = nn.Sequential(nn.Conv2d(3, width, 5, stride=4, padding=2), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU())

    def forward(self, images: Tensor) -> StudentFeatures:
        """Return two maps, of strides 4 and 8, and the mean of the second."""
        first = self.first(normalise(images))
        second = self.second(first)
        return StudentFeatures((first, second), second.mean(dim=(2, 3)))
