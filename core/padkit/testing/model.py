"""The test suite of models that a distribution brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from padkit.deploy import CARD, INT8, ONNX
from padkit.deploy.bundle import check_weights, read_bundle
from padkit.deploy.runtimes import open_exported
from padkit.testing.suite import ComponentSuite

NEEDED = (ONNX, INT8)  # one of them


class ModelSuite(ComponentSuite):
    """Inherit and give `name`."""

    role = "model"

    def test_its_weights_are_those_that_the_bundle_was_written_for(self) -> None:
        """A bundle that records no checksum cannot be told from another."""
        folder: Path = self.build()
        bundle = read_bundle(folder)
        assert bundle.sha256, "bundle.json records no checksum; write the bundle again"
        check_weights(folder, bundle)

    def test_it_scores_without_torch(self) -> None:
        """An ONNX file lies beside the weights, was exported from them, and gives P(bona fide)."""
        folder: Path = self.build()
        files = [folder / name for name in NEEDED if (folder / name).is_file()]
        assert files, f"add one of {', '.join(NEEDED)}: padkit export FOLDER --forms onnx-int8 --crops CROPS"
        pytest.importorskip("onnxruntime")
        bundle = read_bundle(folder)
        size = (2, bundle.image_size, bundle.image_size, 3)
        crops = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
        for file in files:
            exported = open_exported(file, threads=1)
            assert exported.sha256 == bundle.sha256, f"{file.name} was exported from other weights; export it again"
            scores = exported(crops)
            assert scores.shape == (2,)
            assert np.all((scores >= 0) & (scores <= 1)), f"{file.name} gives {scores}, which are no probabilities"

    def test_it_says_what_it_is(self) -> None:
        """Its card lies beside the weights, and `padkit plugins show` tells its licence."""
        folder: Path = self.build()
        text = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
        assert text.startswith("---\n"), f"write a model card, {CARD}: what it was trained on, what was measured"
        spec = self.catalog().component(self.role, self.name or "mine").spec
        assert spec.licence or type(self).factory is not None, "give the record's `licence`"
