"""The test suite of aligners, which trains a toy detector with the aligner."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from padkit.networks.detector import Detector
from padkit.testing.suite import ComponentSuite
from padkit.testing.toys import (
    DIM,
    N_DOMAINS,
    ToyStudent,
    backward,
    batch_of,
    build,
    changed,
    hooks,
    one_process_group,
    state,
    toy_data,
)
from padkit.training.objective import Objective
from padkit.training.optimisation import averaged

_KINDS = ("usual", "live", "attack", "one domain", "one image a domain")


class AlignerSuite(ComponentSuite):
    """Inherit and give `name` (and `settings`).

    The aligner is trained with a student of two layers on three domains. Every parameter must get a gradient in every
    batch, whatever its labels and domains: distributed training stops at an unused parameter.
    """

    role = "aligner"
    n_domains: ClassVar[int] = N_DOMAINS

    def handed(self) -> tuple[int, int]:
        """Return the number of domains and the length of the embedding."""
        return self.n_domains, DIM

    def objective(self, seed: int = 0) -> Objective:
        """Return the objective of a toy student with the aligner."""
        return build(self.build(seed), seed)

    def train(self, steps: int = 4, seed: int = 0) -> tuple[Objective, list[dict[str, float]]]:
        """Return a trained objective and its losses, step by step."""
        objective = self.objective(seed)
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.05, momentum=0.9)
        found = []
        for step in range(steps):
            torch.manual_seed(100 * seed + step)
            losses = objective(*toy_data(), step / steps)
            optimizer.zero_grad()
            backward(objective.total(losses))
            optimizer.step()
            found.append({name: value.item() for name, value in losses.items()})
        return objective, found

    def test_losses_are_finite_scalars_with_names_of_their_own(self) -> None:
        """Each loss has a column in the log and a weight in the sum."""
        objective = self.objective()
        losses = objective(*toy_data(), 0.5)  # refuses a name that is taken
        for name, loss in losses.items():
            assert loss.shape == (), f"loss {name!r} is {list(loss.shape)}; take its mean"
            assert bool(loss.isfinite()), f"loss {name!r} is {loss.item()}"
            assert loss.dtype == torch.float32, f"loss {name!r} is {loss.dtype}; compute it in float()"
        assert objective.aligner is not None
        unknown = sorted(objective.aligner.weights().keys() - losses.keys())
        assert not unknown, f"weights() names {unknown}, which losses() does not give"
        assert [*objective(*toy_data(), 0.0)] == [*losses], "the losses' names change with progress"

    def test_the_seed_decides(self) -> None:
        """Two runs of one seed have the same losses."""
        first, second = self.train()[1], self.train()[1]
        assert first == second, "two runs of one seed differ; draw random numbers from torch's generator alone"

    @pytest.mark.parametrize("kind", _KINDS)
    def test_every_parameter_gets_a_gradient_in_every_batch(self, kind: str) -> None:
        """Distributed training needs this: an unused parameter stops the run there."""
        objective = self.objective()
        images, labels, domains = toy_data()
        rows = {
            "usual": torch.arange(24),
            "live": torch.where(labels == 1)[0],
            "attack": torch.where(labels == 0)[0],
            "one domain": torch.where(domains == 1)[0],
            "one image a domain": torch.tensor([0, 2, 5]),
        }[kind]
        for progress in (0.0, 1.0):
            objective.zero_grad()
            losses = objective(images[rows], labels[rows], domains[rows], progress)
            backward(objective.total(losses))
            unused = [name for name, parameter in objective.named_parameters() if parameter.grad is None]
            assert not unused, f"{unused} got no gradient from a batch of kind {kind!r}; add 0 x its sum to a loss"
            wrong = [n for n, p in objective.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
            assert not wrong, f"{wrong} got a gradient that is not finite from a batch of kind {kind!r}"

    def test_distributed_and_accumulated(self, tmp_path: Path) -> None:
        """A step of two micro-batches in DistributedDataParallel."""
        if not torch.distributed.is_available():
            pytest.skip("this torch has no distributed package")
        with one_process_group(tmp_path):
            model = DistributedDataParallel(self.objective())
            for _ in range(2):
                with model.no_sync():
                    backward(model.module.total(model(*toy_data(), 0.5)))
                backward(model.module.total(model(*toy_data(), 0.5)))
                assert all(p.grad is not None for p in model.parameters()), "a parameter got no gradient"

    def test_perturbed_images_are_images_and_nothing_else_has_changed(self) -> None:
        """Perturbing leaves no gradient in a parameter, and changes no buffer and no module's mode."""
        objective = self.objective().train()
        next(m for m in objective.detector.modules() if isinstance(m, torch.nn.BatchNorm2d)).eval()  # and stays so
        modes = {name: module.training for name, module in objective.named_modules()}
        batch = batch_of(objective, *toy_data())
        before, clean = state(objective), batch.images.clone()
        assert objective.aligner is not None
        for context in (torch.no_grad, torch.enable_grad):
            with context():
                images = objective.aligner.perturb(batch)
            assert images.shape == clean.shape, f"perturb gives {list(images.shape)} for {list(clean.shape)}"
            assert images.dtype == torch.float32, f"perturbed images are {images.dtype}; give float32"
            assert not images.requires_grad, "perturbed images carry a gradient; detach them"
            assert 0 <= float(images.min()) <= float(images.max()) <= 1, "perturbed images leave [0, 1]; clamp them"
        assert torch.equal(batch.images, clean), "perturb writes into the clean images; work on a copy"
        assert not changed(before, state(objective)), f"perturb changed {changed(before, state(objective))}"
        leaked = [name for name, p in objective.named_parameters() if p.grad is not None or not p.requires_grad]
        assert not leaked, f"perturb left a gradient in {leaked} or froze it; use torch.autograd.grad on the images"
        moved = [name for name, module in objective.named_modules() if module.training != modes[name]]
        assert not moved, f"perturb left {moved} in another mode; use padkit.networks.frozen.evaluation_mode"

    def test_its_losses_leave_the_detector_as_it_was(self) -> None:
        """They may teach the student, but neither its head nor its statistics."""
        objective = self.objective()
        batch = batch_of(objective, *toy_data())
        features = objective.detector.student(batch.images)
        before = state(objective.detector)
        assert objective.aligner is not None
        own = objective.aligner.losses(batch, features, 0.5)
        different = changed(before, state(objective.detector))
        assert not different, f"losses() changed {different} of the detector"
        if own:
            backward(torch.stack(list(own.values())).sum())
        reached = [name for name, p in objective.detector.head.named_parameters() if p.grad is not None]
        assert not reached, f"losses() teach {reached} of the head; use batch.label_loss, whose gradient ends at images"
        unused = [name for name, p in objective.aligner.named_parameters() if p.grad is None]
        assert not unused, f"losses() teach {unused} of the aligner nothing; freeze or remove it"

    def test_half_precision(self) -> None:
        """Losses under autocast to bfloat16 are float32, and near those of full precision."""
        objective = self.objective()
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            losses = objective(*toy_data(), 0.5)
            total = objective.total(losses)
        backward(total)
        wrong = [n for n, p in objective.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert not wrong, f"in bfloat16 {wrong} got no finite gradient"
        full_objective = self.objective()
        torch.manual_seed(0)
        full = full_objective(*toy_data(), 0.5)
        for name, loss in losses.items():
            assert loss.dtype == torch.float32, f"in bfloat16 loss {name!r} is {loss.dtype}; compute it in float()"
            near = abs(loss - full[name]) < 0.05 + 0.05 * abs(full[name])
            assert bool(near), f"in bfloat16 loss {name!r} is {loss:.4f}, in float32 {full[name]:.4f}"

    def test_a_saved_aligner_goes_on_as_it_was(self) -> None:
        """A resumed run has the same losses."""
        trained, fresh = self.train()[0], self.objective(seed=7)
        fresh.load_state_dict(trained.state_dict())
        results = []
        for objective in (trained, fresh):
            torch.manual_seed(3)
            results.append({name: loss.item() for name, loss in objective(*toy_data(), 0.5).items()})
        assert results[0] == results[1], "after loading its state it goes on otherwise; register all that it remembers"

    def test_copies_of_the_detector_are_plain(self) -> None:
        """The averaged and the shipped detector do not depend on the aligner, not even in training mode."""
        objective = self.train(steps=2)[0]
        average = averaged(objective.detector, 0.9)
        objective(*toy_data(), 0.5)
        average.update_parameters(objective.detector)
        plain = Detector(ToyStudent()).to(memory_format=torch.channels_last)  # as the objective lays it out
        for detector in (objective.detector, average.module, copy.deepcopy(objective).detector):
            assert isinstance(detector, Detector)
            assert hooks(detector) == 0, "hooks are left on the student; remove them where `inside` ends"
            plain.load_state_dict(detector.state_dict())
            found = []
            for module in (detector.train(), plain.train()):
                torch.manual_seed(0)
                found.append(module(toy_data()[0]))
            assert torch.equal(*found), "a copy of the detector computes something else than a plain one"

    def test_evidence_is_a_figure_an_image_and_leaves_no_trace(self) -> None:
        """Its means over held-out images are logged."""
        objective = self.train()[0].train()
        batch = batch_of(objective, *toy_data())
        with torch.no_grad():
            features = objective.detector.student.eval()(batch.images)
        objective.train().zero_grad()
        before = state(objective)
        assert objective.aligner is not None
        for name, value in objective.aligner.evidence(batch, features).items():
            assert value.shape == (24,), f"evidence {name!r} is {list(value.shape)} for 24 images; give [B]"
            assert bool(value.isfinite().all()), f"evidence {name!r} is not finite"
            assert not value.requires_grad, f"evidence {name!r} carries a gradient; use torch.no_grad"
        assert not changed(before, state(objective)), f"evidence changed {changed(before, state(objective))}"
        moved = [name for name, module in objective.named_modules() if not module.training]
        assert not moved, f"evidence left {moved} in evaluation mode; use padkit.networks.frozen.evaluation_mode"
        leaked = [name for name, p in objective.named_parameters() if p.grad is not None]
        assert not leaked, f"evidence left a gradient in {leaked}"
