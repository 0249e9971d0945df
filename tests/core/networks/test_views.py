"""What is told of the views that a crop is judged by."""

from __future__ import annotations

import pytest

from padkit.networks.views import VIEWS, views_told


@pytest.mark.parametrize("views", ["one", None])
def test_nothing_is_told_of_the_crop_alone(views):
    assert views_told(views) == ""


def test_each_other_kind_is_told_and_an_unknown_one_is_named():
    assert all(views_told(views).startswith("the mean of the logits of") for views in VIEWS if views != "one")
    assert "five views: the whole crop, and its corners cut at 0.9" in views_told("five")
    assert "'seven'" in views_told("seven")
