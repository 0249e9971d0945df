"""The model bundle of a run: `model.safetensors` and `bundle.json`, all that is needed to score a face."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch

from padkit.catalog import Catalog
from padkit.deploy import BUNDLE
from padkit.errors import WeightsError
from padkit.files import write_atomically, write_json
from padkit.networks.detector import Detector
from padkit.weights import load_matched, read_weights

FORMAT = "padkit-bundle/1"
# Settings of a student that only name its initial weights; reset on loading, so that nothing looks for those weights.
_START_ONLY: dict[str, Any] = {"pretrained": False, "weights": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What `bundle.json` records.

    Attributes:
        student: Component name of the student.
        settings: Its settings.
        image_size: Side in pixels of the square RGB crops it was trained on; inputs are resized to it.
        threshold: Accept as bona fide iff score >= threshold.
        threshold_policy: How the threshold was chosen.
        simulated: True if it was trained on simulated faces: not for use on real people.
        provenance: Where it comes from: protocol, seed, selection, versions.
    """

    student: str
    settings: Mapping[str, Any]
    image_size: int
    threshold: float
    threshold_policy: str
    simulated: bool
    provenance: Mapping[str, Any] = field(default_factory=dict)


def save_bundle(folder: Path, detector: Detector, bundle: Bundle) -> None:
    """Write the bundle into `folder`, each file whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in detector.state_dict().items()}
    write_atomically(folder / "model.safetensors", safetensors.torch.save(state))
    content = {"format": FORMAT, "output": "P(bona fide) in [0, 1]", "input": "RGB, [0, 1]"} | asdict(bundle)
    write_json(folder / BUNDLE, content)


def load_bundle(folder: Path, catalog: Catalog) -> tuple[Detector, Bundle]:
    """Rebuild the detector of a bundle, in evaluation mode on the CPU.

    Raises:
        WeightsError: There is no bundle, it has another format, or its weights do not fit.
        PluginError: The student's plugin is not installed.
    """
    path = folder / BUNDLE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}; give the model/ folder of a run.") from error
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON; copy the bundle again.") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise WeightsError(f"{path} has format {found!r}; this padkit reads {FORMAT!r}.")
    absent = [name for name in Bundle.__slots__ if name not in content]
    if absent:
        raise WeightsError(f"{path} lacks {', '.join(absent)}; copy the bundle again.")
    bundle = Bundle(**{name: content[name] for name in Bundle.__slots__})
    try:
        settings = dict(bundle.settings) | {k: v for k, v in _START_ONLY.items() if k in bundle.settings}
        detector = Detector(catalog.build("student", bundle.student, settings))
    except (TypeError, ValueError) as error:
        cause = f"{path}: student {bundle.student!r} does not take the settings recorded ({error})"
        raise WeightsError(f"{cause}; install the version of its plugin that wrote the bundle.") from error
    load_matched(detector, read_weights(folder / "model.safetensors"), str(folder / "model.safetensors"))
    return detector.eval(), bundle
