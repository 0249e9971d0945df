"""What is particular to an aligner: its losses' names, whom they teach and their pinned values, while a toy is trained.

What every aligner must keep is `padkit.testing.AlignerSuite`, which `tests/test_conformance.py` runs.
"""

from __future__ import annotations

import numpy as np
import torch

from padkit.roles import Aligner
from padkit.testing.toys import batch_of, build, toy_data
from padkit.training.objective import Objective

torch.set_num_threads(1)


class AlignerChecks:
    """Inherit and give `make`, `losses`, `reaches_student` and `pinned`."""

    losses: tuple[str, ...]
    reaches_student: bool  # whether its own losses teach the student
    pinned: tuple[tuple[float, ...], ...]  # rows: steps; columns: live and the losses above

    def make(self, **settings) -> Aligner:
        raise NotImplementedError

    def train(self, steps: int = 4, seed: int = 0) -> tuple[Objective, list[list[float]]]:
        objective = build(self.make(), seed)
        data = toy_data()
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.05, momentum=0.9)
        found = []
        for step in range(steps):
            torch.manual_seed(100 * seed + step)
            losses = objective(*data, step / steps)
            optimizer.zero_grad()
            objective.total(losses).backward()
            optimizer.step()
            found.append([value.item() for value in losses.values()])
        return objective, found

    def test_its_losses_have_names(self):
        objective = build(self.make())
        assert tuple(objective(*toy_data(), 0.5)) == ("live", *self.losses)
        assert objective.aligner.weights().keys() <= set(self.losses)

    def test_pinned_losses(self):
        found = self.train()[1]
        np.testing.assert_allclose(found, self.pinned, rtol=2e-4, atol=1e-6)
        assert found != self.train(seed=1)[1]

    def test_its_losses_teach_whom_they_should(self):
        objective = build(self.make())
        batch = batch_of(objective, *toy_data())
        features = objective.detector.student(batch.images)
        if self.losses:
            sum(objective.aligner.losses(batch, features, 0.5).values()).backward()
        reached = [p.grad is not None and bool(p.grad.any()) for p in objective.detector.student.parameters()]
        assert any(reached) is self.reaches_student
