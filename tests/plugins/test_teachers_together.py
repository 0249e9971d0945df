"""Two teachers whose channels are the student's: no floor is left that the student cannot go below.

Genuine iResNet-18, StarGAN's discriminator and ResNet-18 all have maps of 64, 128, 256 and 512 channels. When equal
shapes went without an adapter, one rectified map had to equal two signed ones.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.roles import Features, StudentFeatures
from padkit.training.distillation import Distiller, TeacherOptions
from padkit.training.standardisation import Moments
from padkit_arcface.network import IResNet, IResNetShape
from padkit_stargan.network import Discriminator, DiscriminatorShape
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)

SIZE, BATCH, STEPS = 64, 4, 60


@pytest.fixture(scope="module")
def given() -> tuple[StudentFeatures, list[Features]]:
    """Features that a ResNet-18 and two teachers of genuine widths and random weights have of the same images."""
    torch.manual_seed(0)
    images = F.interpolate(torch.rand(BATCH, 3, 8, 8), size=SIZE, mode="bilinear")
    face = IResNet(IResNetShape(input_size=SIZE)).eval()
    editing = Discriminator(DiscriminatorShape(image_size=SIZE, layers=4)).eval()
    student = TimmStudent().eval()
    with torch.no_grad():
        inputs = 2 * images - 1
        teachers = [Features(tuple(net.maps(inputs)[:4]), None) for net in (face, editing)]
        return student(images), teachers


def fitted(student: StudentFeatures, teacher: Features, options: TeacherOptions) -> Distiller:
    distiller = Distiller(student, teacher, options)
    distiller.fit([Moments().add(wanted) for _, wanted in distiller.pairs(student, teacher)])
    return distiller


def floor(student: StudentFeatures, teachers: list[Features]) -> list[float]:
    """The losses at the least sum of (p - z1)^2 + (p - z2)^2 with p >= 0: p = max(0, (z1 + z2) / 2)."""
    plain = [fitted(student, teacher, TeacherOptions(adapter="identity")) for teacher in teachers]
    wanted = [[z for _, z in one.compared(student, teacher)] for one, teacher in zip(plain, teachers, strict=True)]
    best = [((first + second) / 2).clamp(min=0) for first, second in zip(*wanted, strict=True)]
    return [
        torch.stack([(p - z).square().mean() for p, z in zip(best, side, strict=True)]).mean().item() for side in wanted
    ]


def rectified(raw: list[Tensor], student: StudentFeatures) -> StudentFeatures:
    return StudentFeatures(tuple(one.relu() for one in raw), student.embedding)


def test_all_three_have_the_same_channels_and_every_adapter_has_parameters(given) -> None:
    student, teachers = given
    channels = [[one.shape[1] for one in features.maps] for features in (student, *teachers)]
    assert channels == [[64, 128, 256, 512]] * 3
    for teacher in teachers:
        adapters = Distiller(student, teacher).adapters
        assert [sum(p.numel() for p in one.parameters()) for one in adapters] == [c * c + c for c in channels[0]]


def test_both_teachers_are_fitted_on_one_batch_where_identity_has_a_floor(given) -> None:
    student, teachers = given
    assert min(floor(student, teachers)) > 0.5
    torch.manual_seed(1)
    raw = [(1 + 0.1 * torch.randn_like(one)).requires_grad_() for one in student.maps]  # before the last ReLU: free
    distillers = [fitted(rectified(raw, student), teacher, TeacherOptions()) for teacher in teachers]
    optimizer = torch.optim.Adam([*raw, *(p for one in distillers for p in one.parameters())], lr=0.02)
    for _ in range(STEPS):
        optimizer.zero_grad()
        seen = rectified(raw, student)
        losses = [one(seen, teacher) for one, teacher in zip(distillers, teachers, strict=True)]
        torch.stack(losses).sum().backward()
        optimizer.step()
    assert max(loss.item() for loss in losses) < 0.03
