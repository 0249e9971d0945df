"""The test suite of peers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from padkit.data.media.pictures import Box
from padkit.deploy.peer import Peer
from padkit.deploy.views import network_input, viewed
from padkit.testing.suite import ComponentSuite

# In the middle, beyond the left upper corner, at the right lower one, and nearly the whole picture.
BOXES: tuple[Box | None, ...] = ((60, 40, 50, 60), (-12, -8, 50, 60), (150, 100, 50, 60), (2, 2, 196, 156), None)


class PeerSuite(ComponentSuite):
    """Inherit and give `name`. What its files compute is not tested: they are not here."""

    role = "peer"

    def test_every_view_shows_every_face(self) -> None:
        """Also one at the picture's edge, and a picture that is a face crop already."""
        noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), dtype=np.uint8)
        peer: Peer = self.build()
        for view in peer.views:
            for box in BOXES:
                shown = viewed(Image.fromarray(noise), box, view)
                assert shown.shape == (view.height, view.width, 3), f"box {box} gives {shown.shape}"
                assert shown.std() > 0, f"box {box} shows nothing: check `scale` and `beyond`"

    def test_its_inputs_are_scaled_by_finite_numbers(self) -> None:
        """Mean and deviation are in units of pixels, 0 to 255."""
        peer: Peer = self.build()
        for view in peer.views:
            grey = np.full((view.height, view.width, 3), 128, dtype=np.uint8)
            scaled = network_input([grey], view)
            assert scaled.dtype == np.float32
            assert np.all(np.isfinite(scaled)), "an input is not finite; check `deviation`"
            assert np.abs(scaled).max() <= 255, "mid grey becomes a huge number: mean and deviation count in 0..255"

    def test_it_says_where_its_facts_are_from_and_which_file_is_which(self) -> None:
        """Both are printed below the tables."""
        peer: Peer = self.build()
        assert peer.source, "give `source`: where the authors say how pictures must be prepared"
        told = [view.about for view in peer.views]
        if len(told) > 1 and len(set(told)) < len(told):
            pytest.fail(f"files are told apart by `about` of their views; here these are {told}")
