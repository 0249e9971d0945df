"""Several aligners as one: perturbations in order, everything else under the member's name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import ClassVar

import pytest
import torch
from aligner_checks import AlignerChecks
from torch import nn

from padkit.alignment.joined import Joined, JoinedAligner
from padkit.errors import PluginError, SettingsError
from padkit.roles import Aligner, Batch, Features
from padkit.testing.toys import DIM, N_DOMAINS, batch_of, build, hooks, toy_data
from padkit_daa.aligner import DomainAdversarialAttack
from padkit_dat.aligner import DomainAdversarialTraining
from padkit_mixstyle.aligner import MixStyle

torch.set_num_threads(1)


class Scale(Aligner):
    """Perturbs by a x + b and keeps what it was given."""

    events: ClassVar[list[str]] = []

    def __init__(self, n_domains: int, embedding_dim: int, *, a: float = 1.0, b: float = 0.0) -> None:
        super().__init__(n_domains, embedding_dim)
        if a == 0:
            raise SettingsError("aligner.a 0 must not be 0.")
        self.a, self.b = a, b
        self.factor = nn.Parameter(torch.tensor(a))

    def perturb(self, batch):
        self.perturbed = batch
        return batch.images * self.a + self.b

    @contextmanager
    def inside(self, student, batch):
        self.inside_of = student, batch
        self.events.append(f"in {self.a}")
        yield
        self.events.append(f"out {self.a}")

    def losses(self, batch, features, progress):
        self.given = batch, features, progress
        return {"domain": self.factor * 1, "other": self.factor * 2}

    def weights(self):
        return {"domain": self.a}

    def evidence(self, batch, features):
        return {"figure": torch.full((len(batch.images),), self.a)}


class Demanding(Scale):
    min_domains = 4


def make_function(n_domains: int, embedding_dim: int, *, a: float = 9.0) -> Scale:
    return Scale(n_domains, embedding_dim, a=a)


def joined(*pairs: tuple[float, float]) -> JoinedAligner:
    return JoinedAligner(3, DIM, {f"m{i}": Scale(3, DIM, a=a, b=b) for i, (a, b) in enumerate(pairs)})


def test_perturbations_are_applied_in_order_each_to_what_the_last_returned():
    batch = Batch(*toy_data(), lambda x, y: x.sum() + y.sum())
    found = joined((2.0, 1.0), (3.0, -1.0)).perturb(batch)
    torch.testing.assert_close(found, (batch.images * 2 + 1) * 3 - 1)
    found = joined((3.0, -1.0), (2.0, 1.0)).perturb(batch)
    torch.testing.assert_close(found, (batch.images * 3 - 1) * 2 + 1)
    aligner = joined((2.0, 1.0), (3.0, 0.0))
    aligner.perturb(batch)
    second = aligner.members[1].perturbed
    torch.testing.assert_close(second.images, batch.images * 2 + 1)
    assert second.labels is batch.labels
    assert second.domains is batch.domains
    assert second.label_loss is batch.label_loss


def test_losses_weights_and_evidence_carry_the_members_name():
    aligner, batch, features = joined((2.0, 0.0), (3.0, 0.0)), Batch(*toy_data()), Features((), torch.rand(24, DIM))
    losses = {name: value.item() for name, value in aligner.losses(batch, features, 0.25).items()}
    assert losses == {"m0.domain": 2, "m0.other": 4, "m1.domain": 3, "m1.other": 6}
    assert aligner.weights() == {"m0.domain": 2, "m1.domain": 3}
    assert {name: value.unique().tolist() for name, value in aligner.evidence(batch, features).items()} == {
        "m0.figure": [2],
        "m1.figure": [3],
    }
    for member in aligner.members:
        assert member.given == (batch, features, 0.25)


def test_every_members_context_is_open_while_the_student_sees_the_images():
    aligner, events = joined((2.0, 0.0), (3.0, 0.0)), Scale.events
    events.clear()
    objective = build(aligner)
    objective.detector.student.register_forward_pre_hook(lambda *_: events.append("student"))
    objective(*toy_data(), 0.5)
    assert events == ["in 2.0", "in 3.0", "student", "out 3.0", "out 2.0"]
    assert aligner.members[1].inside_of[0] is objective.detector.student


def test_the_sum_weighs_each_loss_once():
    objective = build(joined((2.0, 0.0), (0.5, 0.0)))
    losses = objective(*toy_data(), 0.5)
    assert list(losses) == ["live", "m0.domain", "m0.other", "m1.domain", "m1.other"]
    torch.testing.assert_close(objective.total(losses), losses["live"] + 2 * 2 + 4 + 0.5 * 0.5 + 1)


def test_the_factory_builds_each_from_its_settings_and_asks_for_the_most_domains():
    factory = Joined({"first": Scale, "second": Demanding, "third": make_function})
    assert factory.min_domains == 4
    aligner = factory(5, DIM, first={"a": 2.0}, third={"a": 3.0})
    assert [(type(m).__name__, m.a, m.n_domains) for m in aligner.members] == [
        ("Scale", 2.0, 5),
        ("Demanding", 1.0, 5),
        ("Scale", 3.0, 5),
    ]
    assert aligner.names == ["first", "second", "third"]


@pytest.mark.parametrize(("members", "needed"), [((MixStyle,), 1), ((MixStyle, Scale), 2), ((Scale, Demanding), 4)])
def test_the_most_domains_that_a_member_needs(members, needed):
    assert Joined({str(i): member for i, member in enumerate(members)}).min_domains == needed


def test_a_refused_setting_is_named_as_the_user_wrote_it():
    with pytest.raises(SettingsError) as caught:
        Joined({"one": Scale, "two": Scale})(3, DIM, two={"a": 0})
    assert str(caught.value) == "aligner.two.a 0 must not be 0."


def test_a_member_that_is_no_aligner_is_refused():
    with pytest.raises(PluginError, match=r"aligner 'two' is a Linear, which is no padkit.roles.Aligner"):
        Joined({"one": Scale, "two": lambda n, d: nn.Linear(1, 1)})(3, DIM)


class TestThree(AlignerChecks):
    """Members that perturb, reach into the student, and learn."""

    losses = ("daa.domain", "dat.domain")
    reaches_student = True
    pinned = (
        (0.710216, 1.113656, 1.112130),
        (0.654584, 0.917626, 1.033220),
        (0.705374, 0.766005, 1.063509),
        (0.723003, 0.682981, 1.108992),
    )

    def make(self, **settings):
        torch.manual_seed(1)
        members = {"daa": DomainAdversarialAttack, "mixstyle": MixStyle, "dat": DomainAdversarialTraining}
        daa = {"width": 4, "epsilon": 4 / 255, "attacked_share": 1.0}
        return Joined(members)(N_DOMAINS, DIM, daa=daa, mixstyle={"probability": 1.0}, dat={"hidden": 8})

    def test_each_does_what_it_does_alone(self):
        aligner = self.make()
        objective = build(aligner)
        batch = batch_of(objective, *toy_data())
        torch.manual_seed(0)
        perturbed = aligner.perturb(batch)
        torch.manual_seed(0)
        assert torch.equal(perturbed, aligner.members[0].perturb(batch))
        with aligner.inside(objective.detector.student, batch):
            assert hooks(objective.detector) == 2
        assert hooks(objective.detector) == 0
        assert aligner.weights() == {"dat.domain": 0.1}
