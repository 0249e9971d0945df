"""The settings by which commands take presentations of one's own: which, and how faces are cut. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from padkit.data.reader import DatasetReader
    from padkit.deploy.calibrated import Sample
    from padkit.deploy.predictor import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    """Which presentations of `--data` a command takes, and how their faces are found and cut.

    Args:
        split: Only this split of the data: train, dev or test.
        domains: Only these domains of the data (A,B).
        cropped: The media are face crops already: find nothing, take the square.
        frames: Frames of each presentation that are cut from photographs and videos: `uniform:N`, `every:N`, ...
        face: Another face finder than the model's: `auto`, `hints`, `lbp`, `lbp-tight` or `scrfd`.
        face_model: Weights of scrfd, an .onnx file or a pack's name.
    """

    split: str = ""
    domains: list[str] = dataclasses.field(default_factory=list)
    cropped: bool = False
    frames: str = "uniform:8"
    face: str = ""
    face_model: str = "buffalo_l"

    def gathered(self, predictor: Predictor, reader: DatasetReader, name: str) -> Sample:
        """Return the presentations of a dataset, cut as the model was trained, with the model's scores.

        Args:
            predictor: The model.
            reader: The dataset.
            name: Its name.

        Raises:
            PadkitError: The data cannot be had, or a setting contradicts them.
        """
        from padkit.deploy.calibrated import gather

        return gather(
            predictor, reader, name, cropped=self.cropped, frames=self.frames, face=self.face,
            face_model=self.face_model, split=self.split, domains=self.domains,
        )  # fmt: skip
