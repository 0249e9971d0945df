"""The bundle of an adapted model: new weights, a new threshold, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from padkit.data.preparation.prepare import FrameTable
from padkit.deploy import CARD
from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.deploy.calibrated import ASKED, crops_of
from padkit.deploy.card import model_card, with_section
from padkit.deploy.predictor import Predictor
from padkit.deploy.stored import save_bundle
from padkit.errors import DataError
from padkit.evaluation.regression import POLICY, DomainCheck
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.files import write_atomically
from padkit.networks.detector import Detector

REPORT = "adaptation.md"
CHOSEN_ON = "held-out own data and old domains, each weighing the same"
# What a bundle's provenance measured on its weights; it says nothing of others.
MEASURED = frozenset({"calibrations", "stability"})


def scores_of(predictor: Predictor, table: FrameTable, rows: NDArray[np.int64]) -> Scores:
    """Return the scores of a table's rows, one for each presentation."""
    scores = np.concatenate([predictor.scores(crops) for crops in crops_of(table, rows)])
    return presentation_scores({name: table.column(name)[rows] for name in ASKED}, scores)


def adapted(
    bundle: Bundle, own: DomainCheck, record: Mapping[str, Any], *, made: Sequence[tuple[bool, bool]]
) -> Bundle:
    """Return the bundle of new weights.

    The old thresholds, temperature and notice, and what training or a calibration measured (stability too), belong to
    the old weights and are left out.

    Args:
        bundle: The old one.
        own: The figures on held-out own data.
        record: What the adaptation rests on, for the provenance.
        made: Whether each part of the new data is simulated, and if so whether its faces are real.
    """
    found = own.after
    worst, alive = found.worst, found.bona_fide
    assert worst is not None and alive is not None and found.attacks is not None, "own data have both classes"  # noqa: PT018
    threshold = BundleThreshold(
        policy=POLICY,
        value=found.threshold,
        chosen_on=CHOSEN_ON,
        bona_fide=alive.trials,
        attack=found.attacks.trials,
        rates={"apcer": worst.rate, "bpcer": alive.rate, "hter": found.error},
        intervals={"apcer": worst.interval, "bpcer": alive.interval},
    )
    kept = {name: value for name, value in bundle.provenance.items() if name not in MEASURED}
    adaptations = [*kept.get("adaptations", []), {**record, "parent_sha256": bundle.sha256}]
    selection = {"checkpoint_selection": "the last step of padkit adapt", "checkpoint_test_set_choice": False}
    sources = [simulated for simulated in ((bundle.simulated, bundle.real_faces), *made) if simulated[0]]
    return replace(
        bundle,
        thresholds=(threshold,),
        temperature=1.0,
        simulated=bool(sources),
        real_faces=bool(sources) and all(real_faces for _, real_faces in sources),
        provenance={**kept, **selection, "adaptations": adaptations},
        sha256="",
        notice="",
    )


def write_adapted(folder: Path, detector: Detector, bundle: Bundle, out: Path, report: str) -> Bundle:
    """Write weights, `bundle.json`, the card and the report.

    Args:
        folder: The old bundle, whose card's head (a licence, say) is kept.
        detector: The adapted detector.
        bundle: See `adapted`.
        out: The new folder.
        report: Markdown.

    Returns:
        The bundle with the checksum of the weights.

    Raises:
        WeightsError: The folder cannot be written.
    """
    bundle = save_bundle(out, detector, bundle)
    card = model_card(bundle, _head(folder / CARD))
    write_atomically(out / CARD, with_section(card, "Adaptation", report).encode())
    write_atomically(out / REPORT, f"# Adaptation\n\n{report}".encode())
    return bundle


def _head(card: Path) -> dict[str, Any]:
    """Return the YAML head of a card; empty if it has none."""
    if not card.is_file():
        return {}
    mark, _, rest = card.read_text(encoding="utf-8").partition("---\n")
    if mark:
        return {}
    try:
        found = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError as error:
        raise DataError(
            f"{card}: its head is no YAML ({error.__class__.__name__}); mend or remove the file."
        ) from error
    return found if isinstance(found, dict) else {}
