"""Stores a detector as a bundle, and brings it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from padkit.catalog import Catalog
from padkit.deploy import BUNDLE, CARD, WEIGHTS
from padkit.deploy.bundle import Bundle, check_weights, describe, read_bundle, sha256_of
from padkit.deploy.card import model_card
from padkit.errors import WeightsError
from padkit.files import write_atomically
from padkit.networks.detector import Detector
from padkit.weights import load_matched, read_weights, write_weights

# Settings of a student that only name its initial weights; reset on loading, so that nothing looks for those weights.
_START_ONLY: dict[str, Any] = {"pretrained": False, "weights": None}


def save_bundle(folder: Path, detector: Detector, bundle: Bundle, *, half: bool = False) -> Bundle:
    """Write weights, `bundle.json` and the model card into `folder`, each file whole or not at all.

    Args:
        folder: Where to.
        detector: The weights.
        bundle: What is said of them; its views are set to the detector's.
        half: Store kernels as float16, which halves the file; loading them gives float32 again, rounded.

    Returns:
        The bundle with the checksum of the weights and the detector's views.
    """
    write_weights(folder / WEIGHTS, detector.state_dict(), half=half)
    bundle = replace(bundle, sha256=sha256_of(folder / WEIGHTS), views=detector.views)
    describe(folder, bundle)
    write_atomically(folder / CARD, model_card(bundle).encode())
    return bundle


def load_bundle(folder: Path, catalog: Catalog) -> tuple[Detector, Bundle]:
    """Rebuild the detector of a bundle, in evaluation mode on the CPU.

    Raises:
        WeightsError: There is no bundle, it has another format, or its weights do not fit or have been changed.
        PluginError: The student's plugin is not installed.
    """
    bundle = read_bundle(folder)
    path = folder / BUNDLE
    try:
        settings = dict(bundle.settings) | {k: v for k, v in _START_ONLY.items() if k in bundle.settings}
        detector = Detector(catalog.build("student", bundle.student, settings), bundle.views)
    except (TypeError, ValueError) as error:
        cause = f"{path}: student {bundle.student!r} does not take the settings recorded ({error})"
        raise WeightsError(f"{cause}; install the version of its plugin that wrote the bundle.") from error
    weights = check_weights(folder, bundle)
    load_matched(detector, read_weights(weights), str(weights))
    return detector.eval(), bundle
