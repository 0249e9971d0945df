"""The suites can fail: each fault of a component is found by the check that is there for it, which says what to do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from padkit.data.augmentation import Augmentation
from padkit.data.presentation import FaceHint, Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import PluginError
from padkit.roles import Aligner, Features, Student, Teacher
from padkit.testing import AlignerSuite, AugmentationSuite, DatasetSuite, StudentSuite, TeacherSuite
from padkit.testing.toys import stage

Fault = (AssertionError, pytest.fail.Exception)


class GoodTeacher(Teacher):
    """A teacher.

    Args:
        channels: Its width.
    """

    def __init__(self, *, channels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride=4)
        self.norm = nn.BatchNorm2d(channels)
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.prepare()

    def prepare(self):
        pass

    def extract(self, inputs):
        seen = self.norm(self.conv(inputs)).relu()
        return Features((seen,), seen.mean((2, 3)))


class Undrawn(GoodTeacher):
    def prepare(self):
        nn.init.normal_(self.conv.weight)


class Training(GoodTeacher):
    def train(self, mode=True):
        return nn.Module.train(self, mode)


class BatchStatistics(GoodTeacher):
    def extract(self, inputs):
        return super().extract(inputs - inputs.mean(0, keepdim=True))


class Counting(GoodTeacher):
    def prepare(self):
        self.register_buffer("seen", torch.zeros(()))

    def extract(self, inputs):
        self.seen += 1
        return super().extract(inputs)


class Writing(GoodTeacher):
    def forward(self, images):
        return self.extract(images.mul_(2))


class Drawing(GoodTeacher):
    def extract(self, inputs):
        return super().extract(inputs + 0 * torch.rand(()))


class Blind(GoodTeacher):
    def extract(self, inputs):
        return super().extract(torch.ones_like(inputs))


class Doubled(GoodTeacher):
    def extract(self, inputs):
        maps, embedding = super().extract(inputs)
        return Features(maps, embedding.double())


class Listed(GoodTeacher):
    def extract(self, inputs):
        maps, embedding = super().extract(inputs)
        return Features(list(maps), embedding)


class Unregistered(GoodTeacher):
    def prepare(self):
        self.shift = torch.rand(3, 1, 1)

    def extract(self, inputs):
        return super().extract(inputs + self.shift)


class Thawing(GoodTeacher):
    def extract(self, inputs):
        self.requires_grad_(True)
        return super().extract(inputs)


class Untold(GoodTeacher):
    def __init__(self, *, depth: int = 1, channels: int = 4) -> None:
        super().__init__(channels=channels)


class Rigid(GoodTeacher):
    input_size = 32

    def forward(self, images):
        return self.extract(images)


class GoodStudent(Student):
    """A student."""

    channels, strides, embedding_dim = (4, 6), (2, 4), 6

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = stage(3, 4), stage(4, 6)
        self.prepare()

    def prepare(self):
        pass

    def forward(self, images):
        shallow = self.first(images - 0.5)
        deep = self.second(shallow)
        return Features((shallow, deep), deep.mean((2, 3)))


class Overstated(GoodStudent):
    strides = (2, 8)


class Headless(GoodStudent):
    def make_head(self):
        return nn.Linear(6, 3)


class Unused(GoodStudent):
    def prepare(self):
        self.idle = nn.Linear(2, 2)


class Deaf(GoodStudent):
    def forward(self, images):
        maps, embedding = super().forward(images)
        return Features(maps, embedding.detach())


class Flat(GoodStudent):
    def forward(self, images):
        return Features(super().forward(images).maps, None)


class Forgetful(GoodStudent):
    def prepare(self):
        self.shift = torch.rand(3, 1, 1)

    def forward(self, images):
        return super().forward(images + self.shift)


class Unsteady(GoodStudent):
    def forward(self, images):
        return super().forward(images + 0.1 * torch.rand_like(images))


class GoodAligner(Aligner):
    """An aligner."""

    def __init__(self, n_domains: int, embedding_dim: int) -> None:
        super().__init__(n_domains, embedding_dim)
        self.judge = nn.Linear(embedding_dim, n_domains)

    def losses(self, batch, features, progress):
        return {"domain": nn.functional.cross_entropy(self.judge(features.embedding).float(), batch.domains)}


class Taken(GoodAligner):
    def losses(self, batch, features, progress):
        return {"live": super().losses(batch, features, progress)["domain"]}


class Rows(GoodAligner):
    def losses(self, batch, features, progress):
        return {"domain": self.judge(features.embedding).float().square().mean(1)}


class Leaking(GoodAligner):
    def perturb(self, batch):
        with torch.enable_grad():
            self.judge.weight.sum().backward()
        return batch.images


class Bright(GoodAligner):
    def perturb(self, batch):
        return batch.images + 0.5


class OtherNumbers(GoodAligner):
    def perturb(self, batch):
        return (batch.images * random.random()).clamp(0, 1)


class Idle(GoodAligner):
    def losses(self, batch, features, progress):
        return super().losses(batch, features, progress) if (batch.labels == 1).any() else {}


class Hooked(GoodAligner):
    def inside(self, student, batch):
        student.register_forward_hook(lambda *_: None)
        return super().inside(student, batch)


class Summed(GoodAligner):
    def evidence(self, batch, features):
        return {"figure": features.embedding.sum()}


class GoodReader(DatasetReader):
    """A reader."""

    def records(self):
        for number in range(8):
            yield self.record(number)

    def record(self, number: int) -> Presentation:
        split = ("train", "test")[number // 4]
        attack = "" if number % 2 else "print"
        return Presentation(
            dataset="d", domain="x", id=f"p{number}", label=number % 2, split=split, subject=f"{split}{number // 2}",
            attack_type=attack, species=attack,
        )  # fmt: skip

    def frames(self, presentation):
        yield np.full((8, 6, 3), presentation.label, np.uint8)


class Doubles(GoodReader):
    def record(self, number):
        return super().record(number // 2 * 2)


class Shared(GoodReader):
    def record(self, number):
        found = super().record(number)
        return Presentation(dataset="d", domain="x", id=found.id, label=found.label, split=found.split, subject="me")


class Mislabelled(GoodReader):
    def record(self, number):
        return Presentation(dataset="d", domain="x", id=str(number), label=2)


class Floats(GoodReader):
    def frames(self, presentation):
        yield np.zeros((8, 6, 3))


class Noisy(GoodReader):
    def frames(self, presentation):
        yield np.frombuffer(random.randbytes(8 * 6 * 3), np.uint8).reshape(8, 6, 3)


class Open(GoodReader):
    def __init__(self) -> None:
        self.file = lambda: None


class Overcounted(GoodReader):
    expected: ClassVar = {("train", 1): 2}


class Pointless(GoodReader):
    def hints(self, presentation, width, height):
        return {0: FaceHint()}


class Shuffled(GoodReader):
    def records(self):
        return iter(sorted(super().records(), key=lambda _: random.random()))


class GoodAugmentation(Augmentation):
    """An augmentation."""

    def __call__(self, image, label, rng):
        return (image * rng.uniform(0.5, 1)).astype(np.uint8), label


class Remembering(GoodAugmentation):
    calls = 0

    def __call__(self, image, label, rng):
        self.calls += 1
        return (image // (1 + self.calls % 7)).astype(np.uint8), label


class Cropping(GoodAugmentation):
    def __call__(self, image, label, rng):
        return image[1:], label


class Misspelt(Augmentation):
    def varied(self, images):
        return images


class Unclamped(GoodAugmentation):
    def vary(self, images):
        return images * 1.5


class InPlace(GoodAugmentation):
    def vary(self, images):
        return images.mul_(0.5)


class Wandering(GoodAugmentation):
    calls = 0

    def vary(self, images):
        self.calls += 1
        return images / self.calls


GOOD = {
    TeacherSuite: GoodTeacher,
    StudentSuite: GoodStudent,
    AlignerSuite: GoodAligner,
    DatasetSuite: GoodReader,
    AugmentationSuite: GoodAugmentation,
}
FAULTS = [
    (Undrawn, "test_it_is_the_same_teacher_every_time", "a torch.Generator of a fixed seed"),
    (Training, "test_it_is_never_in_training_mode", "went to training mode"),
    (BatchStatistics, "test_an_image_is_seen_alone", "the other images of the batch"),
    (Counting, "test_looking_leaves_no_trace", r"\['seen'\] changed"),
    (Writing, "test_looking_leaves_no_trace", "writes into the images"),
    (Drawing, "test_looking_leaves_no_trace", "draws random numbers"),
    (Blind, "test_it_tells_images_apart", "have the same features"),
    (Doubled, "test_features_are_finite_numbers_of_32_bits", "features are torch.float64"),
    (Listed, "test_features_have_their_shapes", "must be a tuple"),
    (Unregistered, "test_its_state_and_its_copies_are_whole", "its state dict computes something else"),
    (Thawing, "test_no_gradient_reaches_its_weights", "although frozen"),
    (Untold, "test_its_settings_are_typed_and_described", "'depth' is not described; add it under `Args:`"),
    (Rigid, "test_it_takes_images_of_any_size", "use self.input_size"),
    (Overstated, "test_maps_are_as_announced", r"map 1 is \[4, 6, 16, 16\]; channels 6 and stride 8 announce"),
    (Headless, "test_its_head_gives_two_logits", r"the head gives \[4, 3\]"),
    (Unused, "test_every_parameter_that_trains_gets_a_gradient", "student.idle.weight.* got no gradient"),
    (Deaf, "test_every_parameter_that_trains_gets_a_gradient", "student.first.0.weight.* got no gradient"),
    (Flat, "test_the_embedding_is_as_announced", "it gives no embedding, which the head needs; return StudentFeatures"),
    (Forgetful, "test_its_state_and_its_copies_are_whole", "its state dict scores otherwise"),
    (Unsteady, "test_evaluation_leaves_no_trace", "draws random numbers"),
    (Rows, "test_losses_are_finite_scalars_with_names_of_their_own", r"loss 'domain' is \[24\]"),
    (Leaking, "test_perturbed_images_are_images_and_nothing_else_has_changed", "left a gradient in"),
    (Bright, "test_perturbed_images_are_images_and_nothing_else_has_changed", r"leave \[0, 1\]"),
    (OtherNumbers, "test_the_seed_decides", "torch's generator alone"),
    (Hooked, "test_copies_of_the_detector_are_plain", "hooks are left on the student"),
    (Summed, "test_evidence_is_a_figure_an_image_and_leaves_no_trace", r"is \[\] for 24 images"),
    (Doubles, "test_every_presentation_comes_once", "'p0' comes twice"),
    (Shared, "test_no_subject_is_in_two_splits", r"subjects \['me'\] are in more than one split"),
    (Mislabelled, "test_records_are_valid", "label 2 must be 1 or 0"),
    (Floats, "test_frames_are_images_and_the_same_every_time", "a frame is float64"),
    (Noisy, "test_frames_are_images_and_the_same_every_time", "frames change"),
    (Open, "test_it_survives_pickling", "cannot be pickled"),
    (Overcounted, "test_counts_protocols_and_hints_fit_the_records", "which `expected` does not name"),
    (Pointless, "test_counts_protocols_and_hints_fit_the_records", "says nothing; leave it out"),
    (Shuffled, "test_records_come_in_a_stable_order", "sort the files"),
    (Remembering, "test_it_depends_on_its_arguments_alone", "keep no state"),
    (Cropping, "test_results_are_images_with_a_label", "the image became"),
    (Unclamped, "test_a_batch_stays_a_batch_of_images", r"reaches from .* to 1.5; clamp it"),
    (InPlace, "test_a_batch_stays_a_batch_of_images", "vary writes into the images"),
    (Wandering, "test_a_batch_depends_on_torchs_generator_alone", "called again vary gives something else"),
]


def suite_of(factory: type):
    (found,) = (suite for suite, good in GOOD.items() if issubclass(factory, good))
    own = type("Own", (found,), {"factory": factory, "_resolved": {}})
    return own()


def run(suite, name: str, folder: Path) -> None:
    check = getattr(suite, name)
    taken = check.__code__.co_varnames[: check.__code__.co_argcount]
    given = {"tmp_path": folder, "kind": "attack"}
    check(**{key: given[key] for key in taken if key in given})


@pytest.mark.parametrize("good", GOOD.values(), ids=lambda good: good.__name__)
def test_a_good_component_passes(good, tmp_path):
    suite = suite_of(good)
    checks = [name for name in dir(suite) if name.startswith("test_")]
    assert len(checks) >= 7
    for name in checks:
        try:
            run(suite, name, tmp_path)
        except pytest.skip.Exception:
            assert name == "test_listing_it_imports_no_torch"


@pytest.mark.parametrize(("factory", "check", "text"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_found_and_explained(factory, check, text, tmp_path):
    with pytest.raises(Fault, match=text):
        run(suite_of(factory), check, tmp_path)


def test_an_idle_parameter_and_a_taken_name(tmp_path):
    with pytest.raises(Fault, match=r"aligner.judge.weight.*got no gradient from a batch of kind 'attack'"):
        run(suite_of(Idle), "test_every_parameter_gets_a_gradient_in_every_batch", tmp_path)
    with pytest.raises(PluginError, match="names a loss 'live', which is taken"):
        run(suite_of(Taken), "test_losses_are_finite_scalars_with_names_of_their_own", tmp_path)


def test_an_augmentation_that_changes_nothing_is_found(tmp_path):
    suite = type("Own", (AugmentationSuite,), {"factory": Misspelt, "_resolved": {}})()
    with pytest.raises(Fault, match=r"it changes nothing; implement __call__ .* or vary"):
        run(suite, "test_it_varies_images_or_batches", tmp_path)


HEAVY = """
    import torch
    from padkit.hookspecs import hookimpl
    from padkit.specs import DatasetSpec

    @hookimpl
    def padkit_datasets():
        return [DatasetSpec(name="heavy", summary="none", factory="heavy:Reader")]
"""


def test_a_plugin_that_imports_torch_is_found(install, monkeypatch, tmp_path):
    install("padkit-heavy", "heavy", HEAVY)
    monkeypatch.setattr("padkit.testing.suite._installed", __import__("padkit.catalog").catalog.Catalog)
    suite = type("Own", (DatasetSuite,), {"name": "heavy", "_resolved": {}})()
    with pytest.raises(Fault, match="importing heavy imports torch, which makes `padkit plugins` slow"):
        run(suite, "test_listing_it_imports_no_torch", tmp_path)


def test_a_name_that_nobody_offers_is_explained(tmp_path):
    suite = type("Own", (TeacherSuite,), {"name": "absent", "_resolved": {}})()
    with pytest.raises(Fault, match=r"unknown teacher 'absent'.*Is the distribution installed"):
        run(suite, "test_a_recipe_finds_it_by_its_name", tmp_path)
