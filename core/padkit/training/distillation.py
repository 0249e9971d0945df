"""Distillation from frozen teachers: their features, or how alike they find the images of a batch (DTDA; FRT-PAD)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from padkit.errors import SettingsError
from padkit.networks.inputs import Standardise, central, resize
from padkit.networks.random_weights import calibrate, untrained
from padkit.roles import Features, StudentFeatures, Teacher
from padkit.settings.ranges import NonNegative
from padkit.training.standardisation import Moments, Standardisation

HALF_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}
WARM_UP = 0.1  # share of training over which `schedule: warmup` raises a weight
LEAST_VARIANCE = 1e-3  # of similarities within a batch: below, a teacher tells nothing of these images


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """How one teacher is used.

    Args:
        loss_weight: Weight of this teacher's distillation loss in the sum. The loss is 1 where the student knows no
            more of the teacher's features than their mean over images, 0 where it knows them.
        schedule: Course of the weight over training: constant; warmup, from 0 over the first tenth; or cosine, down to
            0 at the end, so that the classification has the last word.
        use: Which of its features to imitate; both takes what the teacher has. The embedding is what the student
            classifies by, and to make it resemble another network's is known to cost accuracy, so maps is the default.
        kind: What to imitate: the features themselves, or relations, how similar the images of a batch are in them.
        adapter: What stands between the student's features and the teacher's: conv, a normalisation and a 1x1
            convolution (for the embedding a small network); or identity, nothing, which needs equal channels. Relations
            need none.
        random_weights: Give the teacher random weights in place of its own, drawn by the run's seed. A control: what it
            still brings is not of the teacher's training.
        sharded: With several processes, share out its weights among them: a teacher too large for each to hold.
    """

    loss_weight: NonNegative = 0.3
    schedule: Literal["constant", "warmup", "cosine"] = "constant"
    use: Literal["maps", "embedding", "both"] = "maps"
    kind: Literal["features", "relations"] = "features"
    adapter: Literal["conv", "identity"] = "conv"
    random_weights: bool = False
    sharded: bool = False

    def weight(self, progress: float | None = None) -> float:
        """Return the weight at `progress` in [0, 1], the share of training done; None leaves the schedule out."""
        if progress is None or self.schedule == "constant":
            return self.loss_weight
        if self.schedule == "warmup":
            return self.loss_weight * min(progress / WARM_UP, 1.0)
        return self.loss_weight * 0.5 * (1 + math.cos(math.pi * progress))


class FrozenTeachers:
    """Teachers by name, not part of any module's state: they are never trained, saved or synchronised.

    Args:
        teachers: The teachers.
        options: Options of each; a teacher without an entry has the default.
        seed: Of the random weights that options ask for.

    Raises:
        SettingsError: Random weights for a teacher that has none of its own.
    """

    def __init__(
        self, teachers: Mapping[str, Teacher], options: Mapping[str, TeacherOptions] | None = None, seed: int = 0
    ) -> None:
        self.random = [name for name, chosen in (options or {}).items() if chosen.random_weights]
        chosen = {name: _random(name, one, seed) if name in self.random else one for name, one in teachers.items()}
        self._teachers = {name: teacher.requires_grad_(False).eval() for name, teacher in chosen.items()}
        inputs = {(one.mean, one.std) for one in chosen.values() if _shares_inputs(one)}
        self._standardise = {key: Standardise(*key) for key in inputs}
        self._half: torch.dtype | None = None
        self._device = torch.device("cpu")
        self._sharded = {name for name, mine in (options or {}).items() if mine.sharded}

    def names(self) -> list[str]:
        """Return the teachers' names."""
        return list(self._teachers)

    def calibrate(self, batches: Sequence[Tensor]) -> None:
        """Set the statistics of batch normalisations in teachers with random weights to those of some images.

        Args:
            batches: Images [B, 3, H, W] in [0, 1], on the teachers' device.
        """
        for name in self.random:
            with self._precision():
                calibrate(self._teachers[name], batches)

    def crop(self, name: str) -> float:
        """Return the central share of the images' side that a teacher looks at."""
        return self._teachers[name].crop

    def to(self, device: torch.device, precision: str | None = None) -> Self:
        """Move all teachers to `device` and keep their weights in the precision that they are computed in.

        Args:
            device: The device.
            precision: `bf16` or `fp16`: kernels and matrices, which automatic mixed precision would convert anew at
                each step, are converted once, with the same result; normalisations stay as they are. Others change
                nothing.
        """
        self._device, self._half = device, HALF_PRECISION.get(str(precision))
        for name, teacher in self._teachers.items():
            teacher.to(device).to(memory_format=torch.channels_last)
            # What is shared out together is of one type.
            for module in teacher.modules() if self._half and name not in self._sharded else ():
                if isinstance(module, (nn.Linear, _ConvNd)):
                    for parameter in module.parameters(recurse=False):
                        parameter.data = parameter.data.to(self._half)
        for standardise in self._standardise.values():
            standardise.to(device)
        return self

    def to_share_out(self) -> list[Teacher]:
        """Return the teachers whose weights are to be shared out among processes."""
        return [teacher for name, teacher in self._teachers.items() if name in self._sharded]

    def networks(self) -> list[Teacher]:
        """Return the teachers themselves."""
        return list(self._teachers.values())

    def __call__(self, images: Tensor) -> dict[str, Features]:
        """Return each teacher's features of `images` [B, 3, H, W] in [0, 1], without gradient, in evaluation mode.

        Teachers that look at the same part of the image in the same size and scale share their input.
        """
        found: dict[str, Features] = {}
        made: dict[object, Tensor] = {}
        # Shared-out weights are gathered into storage that inference mode does not let change.
        with torch.no_grad() if self._sharded else torch.inference_mode(), self._precision():
            for name, teacher in self._teachers.items():
                teacher.eval()
                if not _shares_inputs(teacher):
                    found[name] = teacher(images)
                    continue
                place = (teacher.crop, teacher.input_size)
                if place not in made:
                    made[place] = resize(central(images, teacher.crop), teacher.input_size)
                whole = (place, teacher.mean, teacher.std)
                if whole not in made:
                    made[whole] = self._standardise[teacher.mean, teacher.std](made[place])
                found[name] = teacher.extract(made[whole])
        return found

    def _precision(self) -> AbstractContextManager[object]:
        """Return the context that weights in half precision need, also where training is not yet under way."""
        return nullcontext() if self._half is None else torch.autocast(self._device.type, self._half)


class Explained(NamedTuple):
    """What a teacher's loss is on some images.

    Attributes:
        loss: Of the student as it is.
        constant: The least that features can reach that are the same for every image.
    """

    loss: float
    constant: float


class Distiller(nn.Module):
    """d(F_student, F_teacher) for one teacher: 1 where the student knows but the mean image, 0 where it knows all.

    Maps are paired from the deepest backwards; a teacher's map is resized to the student's. With `use: both` the result
    is the mean of the maps' term (itself a mean over pairs) and the embedding's.

    **Features.** z is the teacher's feature standardised per channel (`Standardisation`), a(s) the student's behind its
    adapter; d = mean (a(s) - z)^2 over images, channels and positions. Squared error, because on standardised features
    it is the share of the teacher's variance that the student leaves unexplained (1 - R^2): the best constant is the
    mean, known in closed form, which standardisation has removed, so that a constant teaches nothing, whatever the
    teacher and its layer. Smooth L1 has no such zero; a cosine compares directions of the channel vector at one
    position, in which a few strong channels would decide again and the length is lost.

    **The adapter** is always there, on the student's side: a rectified map (>= 0) cannot be a signed one, and equal
    shapes do not mean equal channels. For maps it is a BatchNorm without parameters and a 1x1 convolution with bias: a
    linear regression of standardised channels on standardised channels. For the embedding it is Linear, LayerNorm,
    ReLU, Linear (a projection head, as in SimCLR, arXiv 2002.05709, which shows that what lies before it serves the
    classification better), so that the vector that the head classifies is not the one that imitates; LayerNorm, because
    an embedding has no positions to average over. The last layer starts at zero: the loss starts at 1, and everything
    below that depends on the image; a random start would first teach the student to undo it. A limit remains: from a
    map of C channels a 1x1 convolution gives two teachers at most C independent channels together; what they have
    beyond that stays.

    **Relations** compare similarities within the batch in place of features, see `relation_distance`: no adapter.

    Args:
        student: Features of the student for any one batch, to read shapes from.
        teacher: Features of the teacher for the same batch.
        options: What to compare and how.
        name: Name of the teacher, for errors.
        crop: Central share of the image's side that the teacher looks at (`padkit.roles.Teacher.crop`).

    Raises:
        SettingsError: The teacher lacks what `use` asks for, or `adapter: identity` does not fit.
    """

    start: Tensor

    def __init__(
        self,
        student: StudentFeatures,
        teacher: Features,
        options: TeacherOptions | None = None,
        name: str = "teacher",
        crop: float = 1.0,
    ) -> None:
        super().__init__()
        self.options = options = options or TeacherOptions()
        self.crop = crop
        pairs = self.pairs(student, teacher)
        if not pairs:
            lacks, remedy = {
                "maps": ("maps", f"write --teachers.{name}.use embedding"),
                "embedding": ("embedding", f"write --teachers.{name}.use maps"),
                "both": ("features", "choose another teacher"),
            }[options.use]
            raise SettingsError(f"teachers.{name}: it gives no {lacks}; {remedy}.")
        plain = options.adapter == "identity" and options.kind == "features"
        for seen, given in pairs if plain else ():
            if seen.shape[1] != given.shape[1]:
                sizes = f"the student's {seen.shape[1]} channels are not the teacher's {given.shape[1]}"
                raise SettingsError(f"teachers.{name}: adapter identity does not fit, {sizes}; choose conv.")
        direct = plain or options.kind == "relations"
        self.adapters = nn.ModuleList(nn.Identity() if direct else _adapter(*pair) for pair in pairs)
        self.standards = nn.ModuleList(Standardisation(given.shape[1:]) for _, given in pairs)
        self.shares = _shares([seen.dim() > 2 for seen, _ in pairs])
        self.register_buffer("start", torch.tensor(math.nan))  # the loss before training, kept in checkpoints

    def forward(self, student: StudentFeatures, teacher: Features) -> Tensor:
        """Return the scalar distance, float32."""
        compare: Callable[[Tensor, Tensor], Tensor] = (
            relation_distance if self.options.kind == "relations" else F.mse_loss
        )
        terms = [compare(adapted, wanted) for adapted, wanted in self.compared(student, teacher)]
        return torch.stack([share * term for share, term in zip(self.shares, terms, strict=True)]).sum()

    def compared(self, student: StudentFeatures, teacher: Features) -> list[tuple[Tensor, Tensor]]:
        """Return each pair as it is compared: the student's feature adapted, the teacher's standardised, float32."""
        parts = zip(self.pairs(student, teacher), self.adapters, self.standards, strict=True)
        return [(adapter(seen).float(), standard(given)) for (seen, given), adapter, standard in parts]

    @torch.no_grad()
    def fit(self, moments: Sequence[Moments]) -> None:
        """Set the statistics that the teacher's features are standardised by, of each pair in its order."""
        for standard, found in zip(self.standards, moments, strict=True):
            assert isinstance(standard, Standardisation)
            standard.fit(found)

    def constant(self, moments: Sequence[Moments]) -> float:
        """Return the least loss that features can reach which are the same for every image.

        Args:
            moments: Of the standardised side of each pair, over the images in question. The best constant is their
                mean (at each channel and position), and what it leaves is their variance. Of relations it is 1: the
                loss is measured in the variance of the similarities.
        """
        if self.options.kind == "relations":
            return 1.0
        left = [float(found.variance.mean()) for found in moments]
        return sum(share * term for share, term in zip(self.shares, left, strict=True))

    def pairs(self, student: StudentFeatures, teacher: Features) -> list[tuple[Tensor, Tensor]]:
        """Return what is compared, maps from shallow to deep, then the embedding: the student's, the teacher's.

        Of the student's maps the part that the teacher looks at; the teacher's maps in the size of that.
        """
        use, found = self.options.use, []
        count = min(len(student.maps), len(teacher.maps)) if use != "embedding" else 0
        if count:
            maps = zip(student.maps[-count:], teacher.maps[-count:], strict=True)
            cut = [(central(seen, self.crop), given) for seen, given in maps]
            found = [(seen, resized(given, seen)) for seen, given in cut]
        if use != "maps" and teacher.embedding is not None:
            found.append((student.embedding, teacher.embedding))
        return found


def _shares_inputs(teacher: Teacher) -> bool:
    """Tell whether a teacher prepares its images as the role does."""
    return type(teacher).forward is Teacher.forward


def _random(name: str, teacher: Teacher, seed: int) -> Teacher:
    twin = untrained(teacher, seed)
    if twin is None:
        raise SettingsError(f"teachers.{name}: it has no weights that could be random; leave random_weights out.")
    return twin


def explained_by_constant(start: float, found: Explained) -> float | None:
    """Return which share of the fall of a loss a constant explains, in [0, 1]; None where nothing has fallen.

    (start - constant) / (start - loss): of all that the loss has fallen since the start, what features would have
    brought that are the same for every image. 1 where the student is no better than the best constant. The three are
    losses on the same held-out images.
    """
    fallen = start - found.loss
    if not fallen > 0:
        return None
    return min(max((start - found.constant) / fallen, 0.0), 1.0)


def relation_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how far the similarities of images in `student` [B, ...] are from those in `teacher` [B, ...].

    sum_ij (c_ij(S) - c_ij(T))^2 / sum_ij (c_ij(T) - mean c(T))^2 over pairs of different images i < j, c the cosine of
    two images' whole feature vectors. After Tung and Mori, Similarity-Preserving Knowledge Distillation (ICCV 2019,
    arXiv 1907.09682), equations 1 to 4, who compare B x B matrices of inner products with rows of length 1, and Park et
    al., Relational Knowledge Distillation (CVPR 2019, arXiv 1904.05068), who compare distances of pairs in units of
    their mean. Three things are different here: features are centred over the batch first (those behind a ReLU are all
    similar, which is a constant), an image's similarity to itself is left out, and the unit is the variance of the
    teacher's similarities, so that, as with features, 1 is what a constant reaches. A batch of one image gives 0.
    """
    seen, wanted = similarities(student), similarities(teacher)
    count = max(len(wanted), 1)
    variance = (wanted - wanted.sum() / count).square().sum() / count
    return (seen - wanted).square().sum() / count / variance.clamp(min=LEAST_VARIANCE)


def similarities(features: Tensor) -> Tensor:
    """Return the cosine of each pair of different images in `features` [B, ...], centred over the batch: [B (B-1) / 2].

    Float32 whatever the precision of training.
    """
    with torch.autocast(features.device.type, enabled=False):
        vectors = features.float().flatten(1)
        unit = F.normalize(vectors - vectors.mean(0), dim=1, eps=1e-6)
        above = torch.triu_indices(len(unit), len(unit), offset=1, device=unit.device)
        return (unit @ unit.T)[above[0], above[1]]


def resized(given: Tensor, seen: Tensor) -> Tensor:
    """Return the map `given` [B, C, h', w'] at the size of `seen` [B, C', h, w]: averaged if larger, else bilinear."""
    size = (seen.shape[-2], seen.shape[-1])
    if given.shape[-2:] == size:
        return given
    if given.shape[-1] > size[1]:
        return F.adaptive_avg_pool2d(given, size)
    return F.interpolate(given, size, mode="bilinear", align_corners=False)


def _adapter(seen: Tensor, given: Tensor) -> nn.Module:
    """Return what leads from the student's channels to the teacher's; it gives zero until it is trained."""
    channels, wanted = seen.shape[1], given.shape[1]
    last: nn.Conv2d | nn.Linear
    if seen.dim() > 2:
        last = nn.Conv2d(channels, wanted, kernel_size=1)
        layers = [nn.BatchNorm2d(channels, affine=False), last]
    else:
        last = nn.Linear(channels, wanted)
        layers = [nn.Linear(channels, channels), nn.LayerNorm(channels), nn.ReLU(), last]
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers)


def _shares(are_maps: Sequence[bool]) -> list[float]:
    """Return each pair's share of the loss: maps together count as much as the embedding."""
    kinds, maps = len(set(are_maps)), sum(are_maps)
    return [1 / kinds / (maps if is_map else 1) for is_map in are_maps]
