"""padkit_peers: descriptions of other programs' models, without their weights."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import PeerSpec


@hookimpl
def padkit_peers() -> list[PeerSpec]:
    """Offer `silent-face` and `anti-spoof-mn3`."""
    return [
        PeerSpec(
            name="silent-face",
            summary="minivision's Silent-Face-Anti-Spoofing: two MiniFASNets, crops of 2.7 and 4 boxes",
            factory="padkit_peers.published:silent_face",
            licence="weights of its authors, Apache-2.0; none are shipped",
        ),
        PeerSpec(
            name="anti-spoof-mn3",
            summary="OpenVINO model zoo's anti-spoof-mn3: MobileNetV3 on the face box",
            factory="padkit_peers.published:anti_spoof_mn3",
            licence="weights of its authors, MIT; none are shipped",
        ),
    ]
