"""The test suite of students."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.networks.detector import Detector
from padkit.roles import Features, Student, StudentFeatures
from padkit.testing.suite import ComponentSuite
from padkit.testing.toys import backward, changed, state


class StudentSuite(ComponentSuite):
    """Inherit and give `name` (and `settings`).

    Attributes:
        image_size: Side in pixels of the images it is trained on.
    """

    role = "student"
    image_size: ClassVar[int] = 64

    def images(self, count: int = 4) -> Tensor:
        """Return different images [count, 3, image_size, image_size], RGB in [0, 1]."""
        generator = torch.Generator().manual_seed(0)
        return torch.rand(count, 3, self.image_size, self.image_size, generator=generator)

    def detector(self, seed: int = 0) -> Detector:
        """Return the student with its head."""
        return Detector(self.build(seed))

    def features(self, student: Student) -> StudentFeatures:
        """Return the features in evaluation mode, without gradient."""
        with torch.no_grad():
            found = student.eval()(self.images())
        given = type(found).__name__
        assert isinstance(found, Features), f"forward gives a {given}; return padkit.roles.StudentFeatures"
        assert found.embedding is not None, "it gives no embedding, which the head needs; return StudentFeatures"
        return StudentFeatures(found.maps, found.embedding)

    def test_maps_are_as_announced(self) -> None:
        """The shapes of the maps agree with `channels` and `strides`."""
        student = self.build()
        maps = self.features(student).maps
        assert len(student.channels) == len(student.strides) == len(maps), (
            f"{len(maps)} maps, but {len(student.channels)} channels and {len(student.strides)} strides are announced"
        )
        for number, (seen, channels, stride) in enumerate(zip(maps, student.channels, student.strides, strict=True)):
            side = -(-self.image_size // stride)
            assert list(seen.shape) == [4, channels, side, side], (
                f"map {number} is {list(seen.shape)}; channels {channels} and stride {stride} announce "
                f"{[4, channels, side, side]} (if it resizes images itself, set image_size of this test to its size)"
            )
            assert seen.dtype == torch.float32, f"map {number} is {seen.dtype}; compute in float32"

    def test_the_embedding_is_as_announced(self) -> None:
        """The head and the aligners use the embedding."""
        student = self.build()
        embedding = self.features(student).embedding
        wanted = [4, student.embedding_dim]
        assert list(embedding.shape) == wanted, f"the embedding is {list(embedding.shape)}; announced is {wanted}"
        assert bool(embedding.isfinite().all()), "the embedding is not finite"
        assert not torch.allclose(embedding[0], embedding[1]), "two different images have the same embedding"

    def test_its_head_gives_two_logits(self) -> None:
        """0 = attack, 1 = bona fide."""
        student = self.build()
        head = student.make_head()
        assert isinstance(head, nn.Module), "make_head() must return a module"
        found = head(torch.rand(4, student.embedding_dim))
        assert list(found.shape) == [4, 2], f"the head gives {list(found.shape)} for 4 embeddings; it must be [4, 2]"

    def test_every_parameter_that_trains_gets_a_gradient(self) -> None:
        """Distributed training stops at an unused parameter."""
        detector = self.detector().train()
        backward(self._loss(detector))
        trained = [(name, parameter) for name, parameter in detector.named_parameters() if parameter.requires_grad]
        assert trained, "nothing of it trains, its head included"
        unused = [name for name, parameter in trained if parameter.grad is None]
        assert not unused, f"{unused} got no gradient; remove them or call requires_grad_(False) on them"
        wrong = [name for name, p in trained if p.grad is not None and not bool(p.grad.isfinite().all())]
        assert not wrong, f"{wrong} got a gradient that is not finite"

    def test_it_learns(self) -> None:
        """A few steps on four images lower the loss; nothing in training mode may prevent that."""
        detector = self.detector().train()
        optimizer = torch.optim.AdamW([p for p in detector.parameters() if p.requires_grad], lr=2e-3)
        torch.manual_seed(0)
        losses = []
        for _ in range(6):
            loss = self._loss(detector)
            optimizer.zero_grad()
            backward(loss)
            optimizer.step()
            losses.append(loss.item())
        assert min(losses[1:]) < losses[0], f"six steps did not lower the loss ({losses[0]:.3f} to {losses[-1]:.3f})"

    def _loss(self, detector: Detector) -> Tensor:
        logits = detector.classify(detector.student(self.images()))
        return F.cross_entropy(logits.float(), torch.tensor([0, 1, 0, 1]))

    def test_half_precision(self) -> None:
        """Training under autocast to bfloat16, and scores near those of full precision."""
        detector = self.detector().train()
        with torch.autocast("cpu", torch.bfloat16):
            backward(self._loss(detector))
        wrong = [n for n, p in detector.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
        assert not wrong, f"in bfloat16 {wrong} got a gradient that is not finite; compute that part in float()"
        full = self._scores(self.detector())
        with torch.autocast("cpu", torch.bfloat16):
            half = self._scores(self.detector())
        assert half.dtype == torch.float32, f"scores are {half.dtype} under autocast"
        assert bool((full - half).abs().max() < 0.1), "in bfloat16 scores differ by more than 0.1"

    @torch.no_grad()
    def _scores(self, detector: Detector) -> Tensor:
        scores: Tensor = detector.eval()(self.images())
        return scores

    def test_evaluation_leaves_no_trace(self) -> None:
        """In evaluation mode no statistic, image or random state changes, and features depend only on the image."""
        detector, images = self.detector().eval(), self.images()
        before, kept, numbers = state(detector), images.clone(), torch.get_rng_state()
        with torch.no_grad():
            first, second, alone = detector(images), detector(images), detector(images[:1])
        assert not changed(before, state(detector)), f"{changed(before, state(detector))} changed in evaluation mode"
        assert torch.equal(images, kept), "it writes into the images; work on a copy"
        assert torch.equal(torch.get_rng_state(), numbers), "evaluation draws random numbers"
        assert torch.equal(first, second), "the same images get other scores"
        assert torch.allclose(first[:1], alone, atol=1e-4), "a score depends on the other images of the batch"

    def test_the_seed_decides_its_start(self) -> None:
        """Two runs of one seed start from the same weights."""
        different = changed(state(self.detector()), state(self.detector()))
        assert not different, f"{different} differ between two builds of one seed; draw by torch's generator"

    def test_its_state_and_its_copies_are_whole(self) -> None:
        """Checkpoints, the averaged and the shipped detector carry everything that it computes with."""
        detector = self.detector()
        detector.train()
        self._loss(detector)  # changes the statistics
        expected = self._scores(detector)
        other = self.detector(seed=1)
        other.load_state_dict(detector.state_dict())
        copies: dict[str, Any] = {"its state dict": other, "its deep copy": copy.deepcopy(detector)}
        for name, copied in copies.items():
            found = self._scores(copied)
            assert torch.equal(expected, found), f"{name} scores otherwise; register tensors as parameters or buffers"
