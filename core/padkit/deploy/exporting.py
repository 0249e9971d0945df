"""Exports a bundle: writes the forms, compares each with the weights, and only then puts it where it is used."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.catalog import Catalog
from padkit.deploy import CARD
from padkit.deploy.bundle import Bundle, check_weights, describe, sha256_of
from padkit.deploy.card import model_card
from padkit.deploy.checking import CheckCrops, FormCheck, check_forms
from padkit.deploy.forms import FORMS, OPSET, Form, files_of
from padkit.deploy.stored import load_bundle
from padkit.deploy.writers import Exporter
from padkit.errors import WeightsError
from padkit.files import write_atomically, write_json

RECORD = "export.json"  # beside the forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was exported.

    Attributes:
        folder: Where the files are.
        bundle: The bundle that travels in them.
        checks: How each form differs from the weights.
        weights_ms: Median milliseconds of the weights, in eager torch, for one crop.
        weights_size: Bytes of the weights.
        shown: What was compared on, in words.
        calibrated: Crops that int8 was calibrated on; 0 without int8.
        threads: CPU threads of the latencies; None for each library's own choice.
    """

    folder: Path
    bundle: Bundle
    checks: Sequence[FormCheck]
    weights_ms: float
    weights_size: int
    shown: str
    calibrated: int
    threads: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "schema": "padkit-export/1",
            "sha256": self.bundle.sha256,
            "opset": OPSET,
            "threshold": self.bundle.threshold,
            "threshold_policy": self.bundle.threshold_policy,
            "simulated": self.bundle.simulated,
            "real_faces": self.bundle.real_faces,
            "compared_on": self.shown,
            "calibration_crops": self.calibrated,
            "threads": self.threads,
            "weights": {"p50": self.weights_ms, "size": self.weights_size},
            "forms": [check.to_dict() for check in self.checks],
        }


def export(
    source: Path, forms: Sequence[Form], out: Path, shown: CheckCrops, *,
    calibration: NDArray[np.uint8] | None = None, threads: int | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Export:  # fmt: skip
    """Write forms of a bundle into a folder.

    Args:
        source: The bundle's folder.
        forms: What to write.
        out: Where to; if it is not the bundle's folder, `bundle.json` and the card go there too.
        shown: What to compare on.
        calibration: Crops for int8, uint8 RGB [n, S, S, 3].
        threads: CPU threads.
        told: Is given lines about the progress.

    Raises:
        WeightsError: The bundle is damaged, its student cannot be exported, or a form that should compute what the
            weights compute does not; nothing is written then.
        SettingsError: A form does not suit the bundle, or lacks crops.
        PluginError: An extra is not installed.
    """
    detector, bundle = load_bundle(source, Catalog())
    weights = check_weights(source, bundle)
    if not bundle.sha256:
        bundle = replace(bundle, sha256=sha256_of(weights))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        exporter = Exporter(detector=detector, bundle=bundle, folder=folder, crops=calibration)
        for form in forms:
            start = time.monotonic()
            exporter.write(form)
            told(f"{form.name}: written in {time.monotonic() - start:.0f} s")
        checks, weights_ms = check_forms(folder, forms, bundle, exporter.score, shown, threads)
        _refuse(checks, shown)
        for name in (name for form in forms for name in reversed(files_of(form))):  # a description after its weights
            write_atomically(out / name, (folder / name).read_bytes())
    if out.resolve() != source.resolve():
        card = source / CARD
        describe(out, bundle)
        write_atomically(out / CARD, card.read_bytes() if card.is_file() else model_card(bundle).encode())
    found = Export(
        folder=out, bundle=bundle, checks=checks, weights_ms=weights_ms, weights_size=weights.stat().st_size,
        shown=shown.told, threads=threads,
        calibrated=len(calibration) if calibration is not None and any(form.calibrated for form in forms) else 0,
    )  # fmt: skip
    write_json(out / RECORD, found.to_dict())
    return found


def _refuse(checks: Sequence[FormCheck], shown: CheckCrops) -> None:
    for check in checks:
        close = FORMS[check.form].close
        if close is not None and check.largest > close:
            cause = f"its scores differ by up to {check.largest:.2g} on {shown.told}, limit {close:g}"
            raise WeightsError(f"form {check.form}: not written, {cause}; export another form, and report this.")
