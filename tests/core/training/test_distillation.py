"""Distillation: always an adapter, no floor, nothing for a constant, relations by hand, frozen teachers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.roles import Features, StudentFeatures, Teacher
from padkit.training.distillation import (
    Distiller,
    Explained,
    FrozenTeachers,
    TeacherOptions,
    explained_by_constant,
    relation_distance,
    resized,
    similarities,
)
from padkit.training.standardisation import Moments

torch.set_num_threads(1)

IDENTITY = TeacherOptions(adapter="identity")
BOTH = TeacherOptions(use="both")


def features(*shapes: tuple[int, int], dim: int | None = None, batch: int = 4, seed: int = 0, grad=False) -> Features:
    """Maps of (channels, side) from shallow to deep, and an embedding."""
    generator = torch.Generator().manual_seed(seed)
    maps = tuple(torch.randn(batch, c, n, n, generator=generator).requires_grad_(grad) for c, n in shapes)
    embedding = None if dim is None else torch.randn(batch, dim, generator=generator).requires_grad_(grad)
    return Features(maps, embedding)


STUDENT = features((4, 8), (6, 4), (8, 2), dim=8)


def fitted(student: Features, teacher: Features, options: TeacherOptions) -> Distiller:
    """Return a distiller whose statistics are those of `teacher`."""
    distiller = Distiller(student, teacher, options)
    distiller.fit([Moments().add(given) for _, given in distiller.pairs(student, teacher)])
    return distiller


def shapes(distiller: Distiller) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in distiller.named_parameters()}


def test_equal_shapes_have_an_adapter_too():
    distiller = Distiller(STUDENT, features((4, 8), (6, 4), (8, 2), dim=8, seed=1), BOTH)
    assert shapes(distiller) == {
        "adapters.0.1.weight": (4, 4, 1, 1), "adapters.0.1.bias": (4,),
        "adapters.1.1.weight": (6, 6, 1, 1), "adapters.1.1.bias": (6,),
        "adapters.2.1.weight": (8, 8, 1, 1), "adapters.2.1.bias": (8,),
        "adapters.3.0.weight": (8, 8), "adapters.3.0.bias": (8,),
        "adapters.3.1.weight": (8,), "adapters.3.1.bias": (8,),
        "adapters.3.3.weight": (8, 8), "adapters.3.3.bias": (8,),
    }  # fmt: skip
    assert list(Distiller(STUDENT, STUDENT, IDENTITY).parameters()) == []


def test_other_channels_are_reached_by_the_adapter_and_refused_without():
    teacher = features((4, 8), (7, 4), (9, 2), dim=5, seed=1)
    distiller = Distiller(STUDENT, teacher, BOTH)
    found = shapes(distiller)
    assert (found["adapters.1.1.weight"], found["adapters.3.3.weight"]) == ((7, 6, 1, 1), (5, 8))
    assert distiller(STUDENT, teacher).isfinite()
    with pytest.raises(SettingsError, match=r"teachers.fr: adapter identity .* 6 channels .* 7; choose conv") as error:
        Distiller(STUDENT, teacher, IDENTITY, "fr")
    assert "\n" not in str(error.value)


def rectified(raw: Features) -> StudentFeatures:
    return StudentFeatures(tuple(one.relu() for one in raw.maps), raw.embedding.relu())


def alive(seed: int, maps: tuple[int, ...], embedding: tuple[int, ...]) -> Features:
    generator = torch.Generator().manual_seed(seed)
    drawn = [(1 + 0.1 * torch.randn(size, generator=generator)).requires_grad_() for size in (maps, embedding)]
    return Features((drawn[0],), drawn[1])


def signed(width: int, latent: int, seed: int, batch: int = 8) -> Features:
    """A teacher's signed features of `batch` images: mixtures of a few latent maps, as a network's channels are."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, latent, generator=generator)
    maps = torch.einsum("cl,blhw->bchw", mixing, torch.randn(batch, latent, 4, 4, generator=generator))
    return Features((maps,), torch.randn(batch, width, generator=generator))


def reached(options: TeacherOptions, steps: int) -> list[float]:
    """Fit the student's features (behind a ReLU) to two teachers of the same shapes on one batch; return both losses.

    The student is as able as can be: its features before the ReLU are free, and start where the ReLU lets them pass.
    What is left is the fault of the loss.
    """
    torch.manual_seed(0)
    teachers = [signed(8, 3, seed=1), signed(8, 3, seed=2)]
    raw = alive(8, maps=(8, 8, 4, 4), embedding=(8, 8))
    distillers = [fitted(rectified(raw), teacher, options) for teacher in teachers]
    parameters = [raw.maps[0], raw.embedding, *(p for one in distillers for p in one.parameters())]
    optimizer = torch.optim.Adam(parameters, lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        losses = [one(rectified(raw), given) for one, given in zip(distillers, teachers, strict=True)]
        torch.stack(losses).sum().backward()
        optimizer.step()
    return [loss.item() for loss in losses]


@pytest.mark.parametrize("use", ["maps", "embedding", "both"])
def test_one_batch_of_two_signed_teachers_can_be_fitted_where_identity_has_a_floor(use):
    free = reached(TeacherOptions(use=use), 400)
    assert len(free) == 2
    assert max(free) < 0.001, "the adapters leave a floor"
    bound = reached(TeacherOptions(use=use, adapter="identity"), 400)
    assert sum(bound) == pytest.approx(floor(use), rel=0.02)
    assert min(bound) > 0.6


def floor(use: str) -> float:
    """The least sum of (p - z1)^2 + (p - z2)^2 with p >= 0, on standardised features: p = max(0, (z1 + z2) / 2)."""
    terms = []
    for kind in {"maps": ["maps"], "embedding": ["embedding"], "both": ["maps", "embedding"]}[use]:
        sides = [t.maps[0] if kind == "maps" else t.embedding for t in (signed(8, 3, seed=1), signed(8, 3, seed=2))]
        first, second = (standardised(side) for side in sides)
        best = ((first + second) / 2).clamp(min=0)
        terms.append((best - first).square().mean() + (best - second).square().mean())
    return float(sum(terms)) / len(terms)


def standardised(given: Tensor) -> Tensor:
    """An independent way to standardise: mean over images, spread per channel."""
    centred = given - given.mean(0)
    spread = centred.square().mean([0, *range(2, given.dim())]).sqrt()
    return centred / spread.view(-1, *[1] * (given.dim() - 2))


@pytest.mark.parametrize("use", ["maps", "embedding", "both"])
def test_an_untrained_adapter_is_where_a_constant_is(use):
    teacher = features((5, 8), (5, 4), (5, 2), dim=3, seed=1)
    distiller = fitted(STUDENT, teacher, TeacherOptions(use=use))
    assert distiller(STUDENT, teacher).item() == pytest.approx(1, abs=1e-5)
    assert distiller.eval()(STUDENT, teacher).item() == pytest.approx(1, abs=1e-5)
    moments = [Moments().add(wanted) for _, wanted in distiller.compared(STUDENT, teacher)]
    assert distiller.constant(moments) == pytest.approx(1, abs=1e-5)


def test_neither_a_constant_nor_a_channels_strength_teaches_anything():
    teacher = features((4, 8), (6, 4), (8, 2), dim=8, seed=1)
    generator = torch.Generator().manual_seed(2)
    moved = Features(
        tuple(
            m * torch.rand(m.shape[1], 1, 1, generator=generator).add(0.1) * 30
            + 9 * torch.randn(m.shape[1:], generator=generator)
            for m in teacher.maps
        ),
        teacher.embedding * torch.rand(8, generator=generator).add(0.1) - 7,
    )
    for options in (BOTH, TeacherOptions(use="both", kind="relations")):
        torch.manual_seed(0)
        plain = fitted(STUDENT, teacher, options)
        torch.manual_seed(0)
        shifted = fitted(STUDENT, moved, options)
        for parameter, other in zip(plain.parameters(), shifted.parameters(), strict=True):
            nn.init.normal_(parameter, std=0.3)
            other.data.copy_(parameter.data)
        torch.testing.assert_close(
            plain(STUDENT, teacher), shifted(STUDENT, moved), rtol=1e-4, atol=1e-5, msg=options.kind
        )


def test_the_distance_by_hand():
    # Two images, one channel, two positions: 1, 3 and 5, 3. Means 3 and 3, variances 4 and 0, spread sqrt(2).
    teacher = torch.tensor([[[[1.0, 3.0]]], [[[5.0, 3.0]]]])
    student = torch.tensor([[[[0.0, 1.0]]], [[[math.sqrt(2), 0.0]]]])
    # z = -sqrt 2, 0 and sqrt 2, 0: squared differences 2, 1, 0, 0.
    given, seen = Features((teacher,), torch.tensor([[0.0], [2.0]])), Features((student,), torch.tensor([[1.0], [1.0]]))
    # The embedding: z = -1 and 1, squared differences 4 and 0.
    for use, expected in (("maps", 3 / 4), ("embedding", 2.0), ("both", (3 / 4 + 2) / 2)):
        distiller = fitted(seen, given, TeacherOptions(use=use, adapter="identity"))
        assert distiller(seen, given).item() == pytest.approx(expected, abs=1e-6)


def test_pairs_count_alike_and_maps_together_as_much_as_the_embedding():
    student = Features((torch.zeros(1, 1, 1, 1),) * 3, torch.zeros(1, 1))
    teacher = Features(tuple(torch.full((1, 1, 1, 1), value) for value in (1.0, 2.0, 3.0)), torch.full((1, 1), 4.0))
    both = Distiller(student, teacher, TeacherOptions(use="both", adapter="identity"))
    assert both(student, teacher).item() == pytest.approx(((1 + 4 + 9) / 3 + 16) / 2)


def test_the_adapter_regresses_standardised_channels():
    distiller = Distiller(features((2, 4)), features((3, 4)))
    norm, last = distiller.adapters[0]
    assert isinstance(norm, nn.BatchNorm2d)
    assert list(norm.parameters()) == []
    nn.init.eye_(last.weight[:2, :, 0, 0].detach())
    student = features((2, 4), seed=3)
    far = Features((student.maps[0] * 100 + 50,), None)
    for one in (student, far):
        adapted = distiller.compared(one, features((3, 4)))[0][0]
        torch.testing.assert_close(adapted.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


def test_other_sizes_resize_the_teachers_map():
    maps = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(resized(maps, torch.zeros(2, 9, 2, 2)), nn.functional.avg_pool2d(maps, 2))
    torch.testing.assert_close(
        resized(torch.ones(2, 4, 1, 1) * 3, torch.zeros(2, 9, 6, 6)), torch.full((2, 4, 6, 6), 3.0)
    )
    assert resized(torch.randn(2, 4, 7, 7), torch.zeros(2, 9, 5, 5)).shape == (2, 4, 5, 5)
    assert resized(maps, maps) is maps


def test_maps_are_paired_from_the_deepest():
    teacher = Features(STUDENT.maps[1:], None)
    pairs = Distiller(STUDENT, teacher).pairs(STUDENT, teacher)
    assert [(seen is given, given.shape[1]) for seen, given in pairs] == [(True, 6), (True, 8)]
    short = StudentFeatures(STUDENT.maps[2:], STUDENT.embedding)
    assert [seen.shape[1] for seen, _ in Distiller(short, STUDENT).pairs(short, STUDENT)] == [8]


@pytest.mark.parametrize(("use", "dims"), [("both", [4, 4, 4, 2]), ("maps", [4, 4, 4]), ("embedding", [2])])
def test_use(use, dims):
    distiller = Distiller(STUDENT, STUDENT, TeacherOptions(use=use))
    assert [given.dim() for _, given in distiller.pairs(STUDENT, STUDENT)] == dims
    assert len(distiller.adapters) == len(distiller.standards) == len(dims)


def test_both_takes_what_the_teacher_has():
    maps_only, embedding_only = features((8, 2)), features(dim=8)
    assert len(Distiller(STUDENT, maps_only, BOTH).adapters) == 1
    assert len(Distiller(STUDENT, embedding_only, BOTH).adapters) == 1
    assert Distiller(STUDENT, embedding_only, BOTH)(STUDENT, embedding_only).isfinite()


@pytest.mark.parametrize(
    ("teacher", "use", "words"),
    [
        (features((8, 2)), "embedding", "gives no embedding; write --teachers.fr.use maps"),
        (features(dim=8), "maps", "gives no maps; write --teachers.fr.use embedding"),
        (Features((), None), "both", "gives no features"),
    ],
)
def test_a_teacher_without_what_is_asked_for_is_named(teacher, use, words):
    with pytest.raises(SettingsError, match=f"teachers.fr: .*{words}") as error:
        Distiller(STUDENT, teacher, TeacherOptions(use=use), "fr")
    assert "\n" not in str(error.value)


def test_every_parameter_has_a_gradient_at_once_and_the_student_after_a_step():
    student = features((4, 8), (8, 2), dim=8, grad=True)
    teacher = features((7, 8), (8, 4), dim=5, seed=1)
    distiller = fitted(student, teacher, BOTH)
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        distiller(student, teacher).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in distiller.parameters())
        optimizer.step()
    reached = [*student.maps, student.embedding]
    assert all(t.grad is not None and t.grad.abs().sum() > 0 for t in reached)
    assert all(t.grad is None and not t.requires_grad for t in (*teacher.maps, teacher.embedding))


def test_channels_that_never_move_neither_count_nor_explode():
    teacher = features((4, 4), batch=6, seed=1)
    teacher.maps[0][:, 2] = 5.0
    teacher.maps[0][:, 3] = 5.0 + 1e-4 * torch.randn(6, 4, 4)
    student = features((3, 4), batch=6)
    distiller = fitted(student, teacher, TeacherOptions())
    wanted = distiller.compared(student, teacher)[0][1]
    assert wanted[:, 2].abs().max() < 1e-4
    assert wanted[:, 3].abs().max() < 0.1
    assert distiller(student, teacher).item() == pytest.approx(0.5, abs=1e-3)
    still = Features((torch.full((6, 4, 4, 4), 2.0),), None)
    assert fitted(student, still, TeacherOptions())(student, still).item() == pytest.approx(0, abs=1e-6)


def test_statistics_are_in_the_state():
    teacher = features((5, 8), (5, 4), (5, 2), dim=3, seed=1)
    distiller = fitted(STUDENT, teacher, BOTH)
    distiller.start.fill_(0.97)
    other = Distiller(STUDENT, teacher, BOTH)
    assert math.isnan(other.start)
    other.load_state_dict(distiller.state_dict())
    assert other.start.item() == pytest.approx(0.97)
    for mine, theirs in zip(distiller.compared(STUDENT, teacher), other.compared(STUDENT, teacher), strict=True):
        assert torch.equal(mine[1], theirs[1])


def test_half_precision_features_are_compared_in_float32():
    student, teacher = features((4, 8), dim=8), features((4, 8), dim=8, seed=1)
    halves = [Features(tuple(m.bfloat16() for m in f.maps), f.embedding.bfloat16()) for f in (student, teacher)]
    for kind in ("features", "relations"):
        options = TeacherOptions(use="both", kind=kind)
        distiller = fitted(student, teacher, options)
        with torch.autocast("cpu", torch.bfloat16):
            found = distiller(*halves)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, distiller(student, teacher), atol=0.02, rtol=0)


RING = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def test_relations_by_hand():
    # Cosines of pairs 12, 13, 14, 23, 24, 34. Student: -1, 0, 0, 0, 0, -1. Teacher, going round: 0, -1, 0, 0, -1, 0.
    round_it = RING[[0, 2, 1, 3]]
    torch.testing.assert_close(similarities(RING), torch.tensor([-1.0, 0, 0, 0, 0, -1]))
    torch.testing.assert_close(similarities(round_it), torch.tensor([0.0, -1, 0, 0, -1, 0]))
    # Squared differences sum to 4. The teacher's mean is -1/3, its squares about that 4/9 + 8/9 = 4/3: 4 / (4/3) = 3.
    assert relation_distance(RING, round_it).item() == pytest.approx(3, abs=1e-5)
    # Corners of a tetrahedron: every pair is alike, at the teacher's mean -1/3. That is the constant.
    tetrahedron = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert relation_distance(tetrahedron, round_it).item() == pytest.approx(1, abs=1e-5)
    turned = round_it @ torch.tensor([[0.6, -0.8], [0.8, 0.6]]) * 7 + 3
    assert relation_distance(turned, round_it).item() == pytest.approx(0, abs=1e-5), "place, size and turn"


@pytest.mark.parametrize("batch", [1, 2])
def test_batches_without_relations_teach_nothing(batch):
    student, teacher = features((4, 4), batch=batch, grad=True), features((6, 2), batch=batch, seed=1)
    distance = relation_distance(student.maps[0], teacher.maps[0])
    distance.backward()
    assert distance.item() == pytest.approx(0, abs=1e-6)
    assert student.maps[0].grad.isfinite().all()


def test_relations_are_learnt_across_shapes_without_an_adapter():
    teacher = features((9, 2), dim=5, seed=1, batch=8)
    raw = alive(8, maps=(8, 6, 4, 4), embedding=(8, 8))
    distiller = fitted(raw, teacher, TeacherOptions(use="both", kind="relations"))
    assert list(distiller.parameters()) == []
    assert distiller.constant([]) == 1
    optimizer = torch.optim.Adam([*raw.maps, raw.embedding], lr=0.03)
    losses = [distiller(rectified(raw), teacher).item()]
    for _ in range(300):
        optimizer.zero_grad()
        distiller(rectified(raw), teacher).backward()
        optimizer.step()
        losses.append(distiller(rectified(raw), teacher).item())
    assert losses[0] > 1
    assert losses[-1] < 0.02


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2, 2, 2, 2, 2]),
        ("warmup", [0, 1, 2, 2, 2]),
        ("cosine", [2, 2 * 0.9938442, 2 * 0.9755283, 1, 0]),
    ],
)
def test_schedules_by_hand(schedule, expected):
    options = TeacherOptions(loss_weight=2.0, schedule=schedule)
    assert [options.weight(progress) for progress in (0, 0.05, 0.1, 0.5, 1)] == pytest.approx(expected, abs=1e-6)
    assert options.weight() == 2.0
    course = [options.weight(step / 50) for step in range(51)]
    assert all(abs(after - before) <= 0.4 + 1e-9 for before, after in pairwise(course)), "a weight must not jump"


def test_what_a_constant_explains_by_hand():
    assert explained_by_constant(1.0, Explained(loss=0.6, constant=0.9)) == pytest.approx(0.25)
    assert explained_by_constant(1.0, Explained(loss=0.95, constant=0.9)) == 1, "no better than a constant"
    assert explained_by_constant(1.0, Explained(loss=0.6, constant=1.1)) == 0
    assert explained_by_constant(1.0, Explained(loss=1.0, constant=0.9)) is None
    assert explained_by_constant(math.nan, Explained(loss=1.0, constant=0.9)) is None


def test_the_best_constant_by_hand():
    distiller = Distiller(features((1, 1), dim=1), features((1, 1), dim=1), BOTH)
    # Over two batches: 0, 2, 4 (variance 8/3) and 1, 1, 4 (mean 2, variance 2); maps and embedding count half each.
    moments = [
        Moments().add(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1)).add(torch.tensor([4.0]).view(1, 1, 1, 1)),
        Moments().add(torch.tensor([[1.0], [1.0]])).add(torch.tensor([[4.0]])),
    ]
    assert distiller.constant(moments) == pytest.approx((8 / 3 + 2) / 2)


class Toy(Teacher):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))

    def extract(self, inputs):
        return Features((self.layers(inputs),), None)


def test_frozen_teachers_are_frozen():
    teacher = Toy()
    teachers = FrozenTeachers({"fr": teacher})
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    for module in teacher.modules():
        module.training = True  # what somebody does who calls train() on a part of it
    images = torch.rand(4, 3, 8, 8, requires_grad=True)
    found = teachers(images)
    assert teachers.names() == list(found) == ["fr"]
    assert not any(module.training for module in teacher.modules())
    assert not found["fr"].maps[0].requires_grad
    parameters = list(teacher.parameters())
    assert len(parameters) == 4
    assert all(not p.requires_grad and p.grad is None for p in parameters)
    assert before
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert torch.equal(teachers(images)["fr"].maps[0], found["fr"].maps[0])
    assert not isinstance(teachers, nn.Module)
    assert teachers.to(torch.device("cpu")) is teachers


def test_options_default_to_maps_through_an_adapter():
    options = TeacherOptions()
    assert (options.loss_weight, options.use, options.kind, options.adapter) == (0.3, "maps", "features", "conv")


def test_a_teacher_that_looks_at_the_middle_is_compared_with_the_middle_of_the_students_maps() -> None:
    student = features((2, 8), (3, 4), dim=4)
    teacher = features((2, 5), (3, 2), dim=4, seed=1)
    pairs = Distiller(student, teacher, TeacherOptions(use="maps"), crop=0.5).pairs(student, teacher)
    for (seen, given), whole in zip(pairs, student.maps, strict=True):
        side = whole.shape[-1]
        assert torch.equal(seen, whole[..., side // 4 : 3 * side // 4, side // 4 : 3 * side // 4])
        assert given.shape[-2:] == seen.shape[-2:]


class Normed(Teacher):
    """A convolution and a batch normalisation whose statistics are those of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        nn.init.constant_(self.layers[0].weight, 0.25)
        self.layers[1].running_mean.fill_(7.0)

    def extract(self, inputs):
        return Features((self.layers(inputs),), None)


def test_random_weights_are_of_the_seed_and_calibrated_and_leave_the_other_teacher_alone():
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    options = {"fr": TeacherOptions(random_weights=True), "fe": TeacherOptions()}

    def maps(seed: int) -> dict[str, torch.Tensor]:
        teachers = FrozenTeachers({"fr": Normed(), "fe": Normed()}, options, seed)
        teachers.calibrate([images])
        return {name: found.maps[0] for name, found in teachers(images).items()}

    first, again, other = maps(0), maps(0), maps(1)
    torch.testing.assert_close(first["fr"], again["fr"])
    assert not torch.allclose(first["fr"], other["fr"])
    torch.testing.assert_close(first["fe"], Normed().eval()(images).maps[0])
    # Calibrated: half of what enters the rectifier is above 0; with the former statistics nothing would be.
    assert 0.3 < (first["fr"] > 0).float().mean() < 0.7
    assert (first["fe"] > 0).float().mean() == 0


def test_a_teacher_without_weights_cannot_have_random_ones():
    class Empty(Teacher):
        def extract(self, inputs):
            return Features((inputs,), None)

    with pytest.raises(SettingsError, match=r"teachers\.fr: it has no weights that could be random"):
        FrozenTeachers({"fr": Empty()}, {"fr": TeacherOptions(random_weights=True)})
