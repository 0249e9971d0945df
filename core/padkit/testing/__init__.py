"""What every component must keep, as pytest classes that its authors inherit.

    from padkit.testing import TeacherSuite

    class TestMine(TeacherSuite):
        name = "mine"
        settings = {"channels": 8}

`pip install pytest` is all they need beside padkit; padkit's own components pass the very same suites.
"""

from __future__ import annotations

from padkit.testing.aligner import AlignerSuite
from padkit.testing.augmentation import AugmentationSuite
from padkit.testing.dataset import DatasetSuite
from padkit.testing.student import StudentSuite
from padkit.testing.suite import ComponentSuite
from padkit.testing.teacher import TeacherSuite

__all__ = ["AlignerSuite", "AugmentationSuite", "ComponentSuite", "DatasetSuite", "StudentSuite", "TeacherSuite"]
