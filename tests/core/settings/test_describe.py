"""What a constructor's signature says, and the package's face."""

from __future__ import annotations

import subprocess
import sys

import pytest

import padkit.settings
from padkit import roles
from padkit.settings import recipes
from padkit.settings.describe import handed_parameters


class Quiet(roles.Aligner):
    """Has a setting of its own."""

    def __init__(self, n_domains: int, embedding_dim: int, *, strength: float = 1.0) -> None:
        super().__init__(n_domains, embedding_dim)


def test_handed_parameters_are_the_positional_ones():
    assert handed_parameters(Quiet) == {"n_domains", "embedding_dim"}
    assert handed_parameters(roles.Aligner) == {"n_domains", "embedding_dim"}

    def anything(first, /, second, *rest, setting: int = 1, **others):
        return first

    assert handed_parameters(anything) == {"first", "second"}


def test_the_face_is_that_of_recipes():
    for name in padkit.settings.__all__:
        assert getattr(padkit.settings, name) is getattr(recipes, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        padkit.settings.nothing  # noqa: B018


def test_layers_need_no_jsonargparse():
    code = "import sys, padkit.settings.layers, padkit.cli; assert 'jsonargparse' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
