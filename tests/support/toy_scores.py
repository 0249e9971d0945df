"""Scores, results and a written page that several tests judge."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from padkit.evaluation.results import ProtocolSummary, Results, evaluate
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.report.page.mistakes import Faces
from padkit.report.page.page import write_page
from padkit.runs.finished import FinishedRun
from padkit.runs.folder import RunFolder

EVIL = "<script>alert(1)</script>"
LOG = [{"step": i, "epoch": 0, "live": 1 / (i + 1), "fr": 0.5} for i in range(5)]
LOG += [{"step": i, "source_dev/domain_probe": 0.5, "source_dev/domain_accuracy_clean": 0.8} for i in (2, 4)]


def scores(seed: int, count: int = 96) -> Scores:
    """Two attacks of two species for each bona fide presentation; subjects have three presentations."""
    number = np.arange(count)
    label = (number % 3 == 0).astype(int)
    values = np.clip(np.random.default_rng(seed).normal(0.35 + 0.3 * label, 0.15), 0, 1)
    names = {"presentation": [f"p{i}{EVIL}" for i in number], "device": ["phone1"] * count}
    names |= {"domain": [f"d{EVIL}"] * count, "subject": [f"s{i // 3}" for i in number], "dataset": ["x"] * count}
    species = np.where(label == 1, "", np.where(number % 3 == 1, "printer1", "screen1"))
    return presentation_scores(names | {"label": label, "species": species}, values)


def results(scored: Scores, source_dev: Scores | None, **change: Any) -> Results:
    """Judge scores under the usual policies; `change` goes to the protocol."""
    protocol = ProtocolSummary(name=f"x->{EVIL}", convention="all", sources=("x",), target=EVIL, simulated=True)
    policies = ("source-dev", "target-eer") if source_dev else ("target-eer",)
    protocol = dataclasses.replace(protocol, **change)
    return evaluate(scored, protocol=protocol, seed=11, policies=policies, source_dev=source_dev)


def picture(dataset: str, presentation: str) -> bytes | None:
    """A face for every presentation but the first, whose pixels tell which it is."""
    number = int(presentation.partition("<")[0].removeprefix("p"))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (2 * number, 0, 0)).save(buffer, format="JPEG")
    return buffer.getvalue() if number and dataset == "x" else None


PART = {"frames": 900, "bona_fide_frames": 300, "attack_frames": 600, "presentations": 300, "subjects": 40}
DIVISION = {
    "held_out": {"x": "20 % of the subjects of train"},
    "warnings": ["subjects are unknown"],
    "parts": {"train": PART, "dev": PART, "test": PART},
}
PREPARATION = {"dataset": "toy", "fingerprint": "world 9", "image_size": 32, "skipped": 1, "records": 7}
SETTINGS = {
    "views": "five",
    "student": {"name": "timm", "model": "resnet18"},
    "aligner": {"name": "daa", "epsilon": 0.1},
    "teachers": {"fr": {"name": EVIL}, "fe": "none"},
    "url": "https://example.org/x.png",
}
ENVIRONMENT = {
    "command": ["/usr/bin/python", "recipes/dtda.py", "--target", "a b"],
    "revision": "abc123+",
    "hardware": {"processes": 2, "precision": "bf16"},
    "torch": "2.9.0",
    "plugins": [{"name": "one", "problem": ""}, {"name": "two", "problem": "broken"}],
}


def toy_run(
    folder: Path, found: Results, target: Scores, source_dev: Scores | None = None, **change: Any
) -> FinishedRun:
    """Return a finished run as `read_run` would, bare but for what `change` says."""
    blank: dict[str, Any] = {"settings": {}, "log": []}
    return FinishedRun(
        label="toy", folder=RunFolder(folder), results=found, target=target, source_dev=source_dev, **(blank | change)
    )


def toy_page(folder: Path) -> tuple[Path, Results]:
    """Write a complete page."""
    target, source_dev = scores(1), scores(0)
    found = results(target, source_dev)
    data = {"division": DIVISION, "preparation": PREPARATION, "selected_step": 4}
    run = toy_run(folder, found, target, source_dev, settings=SETTINGS, environment=ENVIRONMENT, log=LOG, data=data)
    return write_page(run, Faces(pictures=picture)), found
