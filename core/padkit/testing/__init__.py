"""Test suites for components: pytest classes that the authors of a component inherit.

    from padkit.testing import TeacherSuite

    class TestMine(TeacherSuite):
        name = "mine"
        settings = {"channels": 8}

They need only `pip install pytest` in addition to padkit; padkit's own components pass the same suites.
"""

from __future__ import annotations

from padkit.testing.aligner import AlignerSuite
from padkit.testing.augmentation import AugmentationSuite
from padkit.testing.dataset import DatasetSuite
from padkit.testing.model import ModelSuite
from padkit.testing.peer import PeerSuite
from padkit.testing.student import StudentSuite
from padkit.testing.suite import ComponentSuite
from padkit.testing.teacher import TeacherSuite

__all__ = [
    "AlignerSuite",
    "AugmentationSuite",
    "ComponentSuite",
    "DatasetSuite",
    "ModelSuite",
    "PeerSuite",
    "StudentSuite",
    "TeacherSuite",
]
