"""Judging frames: every row once, the mean per presentation, evidence on clean images."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn

from padkit.data.batches import Frames, to_images
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.networks.detector import Detector
from padkit.roles import Aligner, Features, Student
from padkit.testing.toys import SIZE, ToyStudent
from padkit.training.scoring import score_frames

torch.set_num_threads(1)

N_PRESENTATIONS = 15


class Grey(DatasetReader):
    """Presentation i has 1 + i mod 3 frames, each of one grey value that no other frame has."""

    image_size = 8

    def records(self):
        for number in range(N_PRESENTATIONS):
            label = number % 2
            species = "" if label else "printer1"
            yield Presentation(
                dataset="g", domain="abc"[number % 3], id=f"p{number:02}", label=label, species=species,
                attack_type=species and "print",
            )  # fmt: skip

    def frames(self, presentation):
        number = int(presentation.id[1:])
        for frame in range(1 + number % 3):
            yield np.full((8, 8, 3), 10 * number + frame, np.uint8)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grey")
    return prepare(Grey(), dataset_name="g", cache_dir=folder, workers=1, progress=False)


@pytest.fixture(autouse=True)
def no_accelerator_is_left():
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


class Mean(Student):
    """Its embedding is the mean brightness; dropout shows whether it was left in training mode."""

    channels, strides, embedding_dim = (), (), 3

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.9)

    def forward(self, images):
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1
        return Features((), self.dropout(images.mean((2, 3))))


def detector() -> Detector:
    made = Detector(Mean()).train()
    with torch.no_grad():
        made.head.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
        made.head.bias.zero_()
    return made


def grey(table, rows) -> np.ndarray:
    return np.array([table.image(int(row))[0, 0, 0] for row in rows]) / 255


class Repeating:
    """Stands for processes that fill up the last batch by repetition."""

    def __init__(self) -> None:
        self._dataloaders = []

    def prepare_data_loader(self, loader):
        batches = list(loader)
        self._dataloaders.append([*batches[::-1], batches[0]])
        return self._dataloaders[-1]

    def autocast(self):
        return nullcontext()

    def gather(self, tensors):
        return tensors


@pytest.mark.parametrize("accelerator", [lambda: Accelerator(cpu=True), Repeating], ids=["accelerate", "repeating"])
@pytest.mark.parametrize("batch_size", [4, 100])
def test_every_row_once_with_its_own_score(table, accelerator, batch_size):
    rows = np.random.default_rng(0).permutation(len(table))[:-3]
    index = np.where(table.column("domain") == "b", 1, -1)
    model = detector()
    judged = score_frames(model, Frames(table, rows, index), accelerator(), batch_size=batch_size)
    assert judged.rows.tolist() == sorted(rows.tolist())
    value = grey(table, judged.rows)
    np.testing.assert_allclose(judged.scores, 1 / (1 + np.exp(-3 * value)), rtol=1e-5)
    np.testing.assert_allclose(judged.embeddings, np.repeat(value[:, None], 3, axis=1), rtol=1e-5)
    assert judged.domains.tolist() == index[judged.rows].tolist()
    assert judged.evidence == {}
    assert not model.training


def test_nothing_of_the_frames_stays_with_the_accelerator(table):
    """A long run judges often: each loader left there would keep columns of all frames."""
    accelerator, rows = Accelerator(cpu=True), np.arange(len(table))
    for _ in range(2):
        score_frames(detector(), Frames(table, rows, np.zeros(len(table), np.int64)), accelerator, batch_size=7)
    assert accelerator._dataloaders == []


def test_one_score_per_presentation_the_mean_over_its_frames(table):
    rows = np.arange(len(table))
    judged = score_frames(detector(), Frames(table, rows, np.zeros(len(table), np.int64)), Repeating(), batch_size=7)
    scores = judged.presentations(table)
    assert len(scores) == N_PRESENTATIONS
    for row, name in enumerate(scores.presentation):
        number = int(name[1:])
        values = [(10 * number + frame) / 255 for frame in range(1 + number % 3)]
        expected = np.mean([1 / (1 + np.exp(-3 * value)) for value in values])
        assert scores.score[row] == pytest.approx(expected, rel=1e-5)
        assert scores.frames[row] == len(values)
        assert scores.label[row] == number % 2
        assert scores.species[row] == ("" if number % 2 else "printer1")
        assert scores.domain[row] == "abc"[number % 3]


class Witness(Aligner):
    def __init__(self) -> None:
        super().__init__(3, 3)
        self.batches = []

    def perturb(self, batch):
        raise AssertionError("frames are judged as they are, not attacked")

    def evidence(self, batch, features):
        self.batches.append((batch, features, torch.is_grad_enabled()))
        return {"brightness": batch.images.mean((1, 2, 3)), "domain": batch.domains.float()}


def test_evidence_is_the_mean_over_frames_each_counted_once(table):
    rows, index = np.arange(10, 23), np.array(["abc".index(name) for name in table.column("domain")])
    witness = Witness()
    judged = score_frames(detector(), Frames(table, rows, index), Repeating(), batch_size=5, aligner=witness)
    assert judged.evidence == pytest.approx(
        {"brightness": grey(table, rows).mean(), "domain": index[rows].mean()}, rel=1e-5
    )
    assert len(witness.batches) == 4
    for batch, features, with_gradient in witness.batches:
        assert not with_gradient
        assert batch.domains.min() >= 0
        torch.testing.assert_close(features.embedding, batch.images.mean((2, 3)))


class Noise(torch.utils.data.Dataset):
    """Frames without any order in them, so that no view is like another."""

    images = np.random.default_rng(0).integers(0, 256, (11, 3, SIZE, SIZE), dtype=np.uint8)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, at):
        return {"image": torch.from_numpy(self.images[at]), "label": at % 2, "domain": 0, "index": at}


def test_frames_are_scored_by_the_views_of_the_detector_and_embedded_whole():
    torch.manual_seed(0)
    models = {views: Detector(ToyStudent(), views).eval() for views in ("one", "five")}
    models["one"].load_state_dict(models["five"].state_dict())
    judged = {views: score_frames(model, Noise(), Repeating(), batch_size=4) for views, model in models.items()}
    images = to_images(torch.from_numpy(Noise.images))
    with torch.no_grad():
        for views, model in models.items():
            np.testing.assert_allclose(judged[views].scores, model(images).numpy(), atol=1e-5)
    assert np.abs(judged["five"].scores - judged["one"].scores).max() > 1e-3
    np.testing.assert_allclose(judged["five"].embeddings, judged["one"].embeddings, atol=1e-6)


def test_to_images():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    images = to_images(pixels)
    assert images.dtype == torch.float32
    assert images.shape == (2, 3, 4, 5)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images[1, :, 3, 4], torch.tensor([0.0, 0.2, 1.0]))
