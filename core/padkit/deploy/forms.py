"""The forms that a bundle is exported in: file, inputs, library, and how close its scores must be. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from padkit.deploy import INT8, ONNX, OPENVINO
from padkit.deploy.bundle import FORMAT, Bundle, parse_bundle
from padkit.errors import SettingsError, WeightsError, closest

OPSET = 18  # of ONNX: the first with antialiased Resize and with axes of ReduceMean as an input; ONNX Runtime >= 1.14
CLOSE = 1e-4  # the largest difference of a score, for forms that compute in float32
CLOSE_CUT = 1e-3  # the same where the graph cuts too: a grey value may be rounded the other way
PREFIX = "padkit."  # of each entry in a file's metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of an exported model.

    Attributes:
        name: Its name on the command line and in tables.
        file: Its file in the bundle's folder; OpenVINO adds a `.bin` beside its `.xml`.
        summary: What it is, in a few words.
        extra: What pip installs to write it; "" for padkit alone.
        photograph: Whether it takes a photograph and a face box, and not crops.
        close: Largest difference from the scores of the weights on the CPU; None for forms that round.
        calibrated: Whether writing it needs crops.
        base: The form it is made from; "" for the weights.
    """

    name: str
    file: str
    summary: str
    extra: str = "padkit[onnx]"
    photograph: bool = False
    close: float | None = CLOSE
    calibrated: bool = False
    base: str = ""


FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(name="onnx", file=ONNX, summary="ONNX, float32: crops in, scores out"),
        Form(
            name="onnx-photograph", file="model-photograph.onnx", photograph=True, close=CLOSE_CUT,
            summary="ONNX, float32: a photograph and a face box in, the crop is cut in the graph",
        ),
        Form(
            name="onnx-fp16", file="model-fp16.onnx", summary="ONNX, float16 weights and layers", close=None,
            base="onnx",
        ),
        Form(
            name="onnx-int8", file=INT8, close=None, calibrated=True, base="onnx",
            summary="ONNX, int8: activations u8, weights s8 by channel",
        ),
        Form(name="torch", file="model.pt2", summary="torch.export, float32", extra=""),
        Form(
            name="openvino", file=OPENVINO, summary="OpenVINO, float32", extra="padkit[onnx,openvino]", base="onnx"
        ),
        Form(
            name="openvino-int8", file="model-int8.xml", close=None, calibrated=True, base="onnx",
            summary="OpenVINO, int8 by NNCF", extra="padkit[onnx,openvino]",
        ),
    )
}  # fmt: skip


def chosen_forms(text: str) -> list[Form]:
    """Return the forms that a comma-separated list names, in the order of `FORMS`; `all` names all.

    Raises:
        SettingsError: One of them is unknown, or none is named.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in FORMS and name != "all":
            raise SettingsError(f"form {name!r} is unknown.{closest(name, [*FORMS, 'all'])}")
    if not names:
        raise SettingsError(f"--forms names none.{closest('onnx', [*FORMS, 'all'])}")
    return [form for form in FORMS.values() if form.name in names or "all" in names]


def present_forms(folder: Path) -> list[Form]:
    """Return the forms whose files are in a bundle's folder."""
    return [form for form in FORMS.values() if (folder / form.file).is_file()]


def files_of(form: Form) -> Sequence[str]:
    """Return the names of the form's files."""
    path = Path(form.file)
    return (form.file, path.with_suffix(".bin").name) if path.suffix == ".xml" else (form.file,)


def to_metadata(bundle: Bundle, form: Form) -> dict[str, str]:
    """Return what travels in the metadata of an exported file: entries that any consumer can read, and the bundle."""
    crop = asdict(bundle.crop)
    readable = {
        "form": form.name,
        "input": "photograph uint8 RGB [H, W, 3], upright; box float32 [4]: left, top, width, height in its pixels"
        if form.photograph
        else f"crops uint8 RGB [B, {bundle.image_size}, {bundle.image_size}, 3]",
        "output": "score float32 [B]: P(bona fide) in [0, 1]; bona fide iff score >= threshold",
        "threshold": repr(bundle.threshold),
        "threshold_policy": bundle.threshold_policy,
        "thresholds": json.dumps({one.policy: one.value for one in bundle.thresholds}),
        "temperature": repr(bundle.temperature),
        "image_size": str(bundle.image_size),
        "crop": json.dumps(crop),
        "views": bundle.views,
        "simulated": json.dumps(bundle.simulated),
        "real_faces": json.dumps(bundle.real_faces),
        "sha256": bundle.sha256,
        "bundle": json.dumps({"format": FORMAT} | asdict(bundle), ensure_ascii=False),
    }
    return {PREFIX + name: text for name, text in readable.items()}


def from_metadata(metadata: Mapping[str, str], name: str) -> Bundle:
    """Return the bundle that an exported file of crops carries.

    Args:
        metadata: The file's metadata.
        name: The file, for errors.

    Raises:
        WeightsError: It carries none, or takes photographs.
    """
    text, form = metadata.get(PREFIX + "bundle"), metadata.get(PREFIX + "form", "")
    if not text:
        raise WeightsError(f"{name} was not written by `padkit export`: it says nothing of crops and thresholds.")
    if form in FORMS and FORMS[form].photograph:
        raise WeightsError(f"{name} takes a photograph and a face box, for programs without padkit; give form onnx.")
    return parse_bundle(text, name)
