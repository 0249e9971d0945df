"""The test suite of teachers."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.roles import Features, Teacher
from padkit.testing.suite import ComponentSuite
from padkit.testing.toys import backward, changed, state
from padkit.training.distillation import FrozenTeachers


class TeacherSuite(ComponentSuite):
    """Inherit and give `name` (and `settings`).

    Attributes:
        image_size: Side in pixels of the test images; the teacher resizes them itself.
    """

    role = "teacher"
    image_size: ClassVar[int] = 64

    def images(self, count: int = 3, size: int | None = None) -> Tensor:
        """Return different images [count, 3, size, size], RGB in [0, 1]."""
        size = size or self.image_size
        generator = torch.Generator().manual_seed(0)
        smooth = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (size, size), mode="bilinear")
        return (smooth + 0.2 * torch.rand(count, 3, size, size, generator=generator)).clamp(0, 1)

    def look(self, teacher: Teacher, images: Tensor) -> Features:
        """Return the features that the recipe would get."""
        found = FrozenTeachers({"it": teacher})(images)["it"]
        assert isinstance(found, Features), f"forward gives a {type(found).__name__}; return padkit.roles.Features"
        return found

    def test_features_have_their_shapes(self) -> None:
        """Maps [B, C, h, w], from shallow to deep, and an embedding [B, D] or None."""
        found = self.look(self.build(), self.images())
        assert isinstance(found.maps, tuple), "Features.maps must be a tuple"
        assert found.maps or found.embedding is not None, "it gives neither maps nor an embedding: nothing to distil"
        for number, seen in enumerate(found.maps):
            assert seen.ndim == 4, f"map {number} is {list(seen.shape)}; it must be [B, C, h, w]"
            assert len(seen) == 3, f"map {number} has {len(seen)} rows for 3 images; keep the batch in front"
        sides = [seen.shape[-1] for seen in found.maps]
        assert all(first >= second for first, second in pairwise(sides)), f"map sides {sides} grow; shallow come first"
        if found.embedding is not None:
            assert found.embedding.ndim == 2, f"the embedding is {list(found.embedding.shape)}; it must be [B, D]"
            assert len(found.embedding) == 3, "the embedding has not a row an image"

    def test_features_are_finite_numbers_of_32_bits(self) -> None:
        """Without autocast, everything is computed in 32 bits."""
        for seen in _parts(self.look(self.build(), self.images())):
            assert seen.dtype == torch.float32, f"features are {seen.dtype}; compute in the parameters' float32"
            assert bool(seen.isfinite().all()), "features are not finite; check the normalisation and the weights"

    def test_it_takes_images_of_any_size(self) -> None:
        """Data come in any size; `forward` resizes to `input_size`."""
        teacher = self.build()
        other = self.look(teacher, self.images(2, self.image_size + 32))
        if teacher.input_size is not None:
            same = [seen.shape[1:] for seen in _parts(self.look(teacher, self.images(2)))]
            assert [seen.shape[1:] for seen in _parts(other)] == same, "shapes depend on the image; use self.input_size"

    def test_it_tells_images_apart(self) -> None:
        """A teacher with equal features for all images teaches nothing."""
        for seen in _parts(self.look(self.build(), self.images())):
            assert not torch.allclose(seen[0], seen[1], rtol=1e-4), "two different images have the same features"

    def test_an_image_is_seen_alone(self) -> None:
        """The other images of a batch have no influence, as they would have with batch statistics."""
        teacher, images = self.build(), self.images()
        for alone, among in zip(
            _parts(self.look(teacher, images[:1])), _parts(self.look(teacher, images)), strict=True
        ):
            assert torch.allclose(alone[0], among[0], rtol=1e-3, atol=1e-3 * float(among.abs().max())), (
                "features change with the other images of the batch; normalise by stored statistics"
            )

    def test_half_precision_keeps_the_features(self) -> None:
        """Under autocast to bfloat16, as `--mixed_precision bf16` runs it."""
        teacher, images = self.build(), self.images()
        full = _parts(self.look(teacher, images))
        with torch.autocast("cpu", torch.bfloat16):
            half = _parts(self.look(teacher, images))
        for one, other in zip(full, half, strict=True):
            assert other.dtype in (torch.float32, torch.bfloat16), f"autocast gives {other.dtype}"
            cosine = F.cosine_similarity(one.flatten(1), other.float().flatten(1))
            assert bool((cosine > 0.9).all()), "bfloat16 changes what it sees; compute the delicate part in float()"

    def test_it_is_never_in_training_mode(self) -> None:
        """It stays in evaluation mode, whatever is called on it or on a module that contains it."""
        teacher = self.build()
        for call in (teacher.train, lambda: teacher.train(True), nn.Sequential(teacher).train):
            call()
            modes = [name for name, module in teacher.named_modules() if module.training]
            assert not modes, f"{modes} went to training mode; keep Teacher.train, or call self.train() in __init__"

    def test_looking_leaves_no_trace(self) -> None:
        """Calling it changes no parameters, no statistics, no images and no random state of torch."""
        teacher, images = self.build().train(), self.images()
        before, kept, numbers = state(teacher), images.clone(), torch.get_rng_state()
        self.look(teacher, images)
        assert not changed(before, state(teacher)), f"{changed(before, state(teacher))} changed in a forward pass"
        assert torch.equal(images, kept), "it writes into the images; work on a copy"
        assert torch.equal(torch.get_rng_state(), numbers), "it draws random numbers, so that runs with it differ"

    def test_no_gradient_reaches_its_weights(self) -> None:
        """When frozen, it passes gradients only to the images."""
        teacher, images = self.build().requires_grad_(False), self.images().requires_grad_(True)
        found = [seen for seen in _parts(teacher(images)) if seen.requires_grad]
        if found:
            backward(torch.stack([seen.float().sum() for seen in found]).sum())
        leaked = [name for name, parameter in teacher.named_parameters() if parameter.grad is not None]
        assert not leaked, f"{leaked} got a gradient although frozen; do not call requires_grad_ in forward"

    def test_it_is_the_same_teacher_every_time(self) -> None:
        """It is in no checkpoint: a resumed run builds it again and must get the same features."""
        images = self.images()
        first, second = (_parts(self.look(self.build(seed), images)) for seed in (0, 1))
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True)), (
            "built twice it gives other features; load weights, or draw them from a torch.Generator of a fixed seed"
        )

    def test_its_state_and_its_copies_are_whole(self) -> None:
        """A state dict and a deep copy carry everything that it computes with."""
        teacher, images = self.build(), self.images()
        expected = _parts(self.look(teacher, images))
        other = self.build(seed=1)
        other.load_state_dict(teacher.state_dict())
        for name, copied in {"its state dict": other, "its deep copy": copy.deepcopy(teacher)}.items():
            found = _parts(self.look(copied, images))
            same = all(torch.equal(one, two) for one, two in zip(expected, found, strict=True))
            assert same, f"{name} computes something else; register tensors as parameters or buffers"


def _parts(features: Features) -> list[Tensor]:
    return [*features.maps, *([] if features.embedding is None else [features.embedding])]
