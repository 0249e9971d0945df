"""Another program's model, to be assessed beside one's own."""

from __future__ import annotations

from padkit.deploy.peer import Peer, View


def contest() -> Peer:
    """The winner of an invented contest: one network, 112 x 112 pixels, 1.5 face boxes, two logits."""
    view = View(width=112, height=112, colour="bgr", deviation=(255.0, 255.0, 255.0), scale=(1.5, 1.5), square=True)
    return Peer(views=(view,), live=1, outputs="logits", source="the contest's manual")
