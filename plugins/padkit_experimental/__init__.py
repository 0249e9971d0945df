"""padkit_experimental: the embedded detector, made by recipes/pretrain_experimental.py."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import ModelSpec


@hookimpl
def padkit_models() -> list[ModelSpec]:
    """Offer `experimental`."""
    return [
        ModelSpec(
            name="experimental",
            summary="EfficientNet-Lite0 trained on simulated faces and attacks; what padkit predict uses by default",
            factory="padkit_experimental.files:experimental",
            licence="Apache-2.0",
        )
    ]
