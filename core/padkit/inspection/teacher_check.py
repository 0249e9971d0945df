"""What a teacher knows of a user's own crops: who is shown, whether it is alive, and where it was taken.

Each figure is given for the mean over the positions of each of the teacher's maps and for its embedding, and for the
same network with random weights: only what exceeds that was learnt.

| figure | what it says |
|---|---|
| identity | AUC of telling pairs of bona fide crops of one person from pairs of two, by the cosine of features less their mean over these crops; pairs are of one domain and of two presentations |
| live | AUC of a linear probe for bona fide, on people that it was not fitted on |
| domain | accuracy of a linear probe for the domain, likewise; beside it stands chance, the share of the largest domain |
"""  # noqa: E501

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from padkit.data.batches import to_images
from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import BONA_FIDE
from padkit.evaluation.probe import domain_probe
from padkit.networks.random_weights import calibrate, untrained
from padkit.roles import Teacher

FOLDS = 5
PER_PERSON = 4  # frames of one person before the next one's turn
EMBEDDING = "embedding"

Rows = NDArray[np.int64]
Texts = NDArray[np.str_]
Numbers = NDArray[np.float32]
Counted = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """The crops that teachers are asked about, [n] each.

    Attributes:
        table: Where they are.
        rows: Their rows there, ascending.
        labels: 1 = bona fide, 0 = attack.
        domains: Their domain.
        subjects: The person shown, within its domain; "" where unknown.
        presentations: The presentation.
    """

    table: FrameTable
    rows: Rows
    labels: NDArray[np.int64]
    domains: Texts
    subjects: Texts
    presentations: Texts

    @property
    def groups(self) -> Texts:
        """What must not be on both sides of a probe: the person, or the presentation where it is unknown."""
        who = np.where(self.subjects == "", np.char.add("presentation ", self.presentations), self.subjects)
        return np.char.add(np.char.add(self.domains, "/"), who)

    @property
    def chance(self) -> float:
        """Share of the largest domain, in [0, 1]."""
        return max(Counter(self.domains.tolist()).values()) / len(self.rows)

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images, [b, 3, H, W] in [0, 1]."""
        for start in range(0, len(self.rows), size):
            pixels = [self.table.image(row) for row in self.rows[start : start + size].tolist()]
            yield to_images(torch.from_numpy(np.stack(pixels)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What features tell, in [0, 1]; None where the crops do not allow the figure. The module says what each is."""

    identity: float | None
    live: float | None
    domain: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One kind of features of a teacher: as trained, and with random weights (None where it has none)."""

    trained: Knowledge
    random: Knowledge | None


def choose_crops(table: FrameTable, limit: int, seed: int) -> Crops:
    """Return up to `limit` crops, of each (domain, class) its equal share.

    People are drawn, and each gives up to four frames at a time, of different presentations first: so there are pairs
    of one person even among few crops.

    Args:
        table: The crops.
        limit: How many at most.
        seed: Draws them.
    """
    names = ("domain", "subject", "presentation")
    domains, subjects, presentations = (table.column(name).astype(np.str_) for name in names)
    labels = table.column("label").astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(table))
    frames: Counter[tuple[str, str]] = Counter()
    ranked: dict[tuple[str, int], dict[tuple[str, str], list[tuple[int, int]]]] = {}
    for row in order.tolist():
        person = ("subject", subjects[row]) if subjects[row] else ("presentation", presentations[row])
        key = (domains[row], presentations[row])
        ranked.setdefault((domains[row], int(labels[row])), {}).setdefault(person, []).append((frames[key], row))
        frames[key] += 1
    queues = [_by_person(people) for _, people in sorted(ranked.items())]
    share = -(-limit // max(len(queues), 1))
    dealt = [queue[turn] for turn in range(share) for queue in queues if turn < len(queue)]
    rows = np.array(sorted(dealt[:limit]), dtype=np.int64)
    return Crops(
        table=table, rows=rows, labels=labels[rows], domains=domains[rows], subjects=subjects[rows],
        presentations=presentations[rows],
    )  # fmt: skip


def _by_person(people: Mapping[tuple[str, str], list[tuple[int, int]]]) -> list[int]:
    """Return rows: a few of each person, then a few more of each."""
    turns = []
    for number, frames in enumerate(people.values()):
        turns += [(place // PER_PERSON, number, place, row) for place, (_, row) in enumerate(sorted(frames))]
    return [row for *_, row in sorted(turns)]


def check(teacher: Teacher, crops: Crops, *, seed: int, batch_size: int, counted: Counted) -> dict[str, Compared]:
    """Return what each kind of a teacher's features tells: `map 1` and so on, `embedding`.

    Args:
        teacher: On its device.
        crops: The crops.
        seed: Of the folds and the random weights.
        batch_size: Crops looked at together.
        counted: Is told how many crops were looked at, twice as many as there are crops in the end.
    """
    trained = knowledge(features(teacher, crops, batch_size, counted), crops, seed)
    device = next((p.device for p in teacher.parameters()), torch.device("cpu"))
    twin = untrained(teacher, seed)
    if twin is None:
        counted(len(crops.rows))
        return {name: Compared(trained=known, random=None) for name, known in trained.items()}
    calibrate(twin, (images.to(device) for images in crops.batches(batch_size)))
    random = knowledge(features(twin, crops, batch_size, counted), crops, seed)
    return {name: Compared(trained=known, random=random[name]) for name, known in trained.items()}


@torch.no_grad()
def features(teacher: Teacher, crops: Crops, batch_size: int, counted: Counted) -> dict[str, Numbers]:
    """Return the mean over positions of each map, and the embedding where there is one, [n, C] each."""
    device = next((p.device for p in teacher.parameters()), torch.device("cpu"))
    parts: dict[str, list[Numbers]] = {}
    for images in crops.batches(batch_size):
        found = teacher.eval()(images.to(device))
        pooled = {f"map {number}": seen.mean(dim=(2, 3)) for number, seen in enumerate(found.maps, start=1)}
        if found.embedding is not None:
            pooled[EMBEDDING] = found.embedding
        for name, values in pooled.items():
            parts.setdefault(name, []).append(values.float().cpu().numpy())
        counted(len(images))
    return {name: np.concatenate(values) for name, values in parts.items()}


def knowledge(found: Mapping[str, Numbers], crops: Crops, seed: int) -> dict[str, Knowledge]:
    """Return what each kind of features [n, C] tells of the crops."""
    return {
        name: Knowledge(
            identity=identity_auc(values, crops),
            live=live_auc(values, crops, seed),
            domain=domain_probe(values, np.unique(crops.domains, return_inverse=True)[1], crops.groups, seed),
        )
        for name, values in found.items()
    }


def identity_auc(values: Numbers, crops: Crops) -> float | None:
    """Return the verification AUC of features [n, C]; None without pairs of one person, or of two."""
    mine = np.flatnonzero((crops.labels == BONA_FIDE) & (crops.subjects != ""))
    if not len(mine):
        return None
    similar, same = [], []
    directions = _directions(values[mine])
    for domain in np.unique(crops.domains[mine]):
        here = np.flatnonzero(crops.domains[mine] == domain)
        first, second = (here[side] for side in np.triu_indices(len(here), 1))
        who, shown = crops.subjects[mine], crops.presentations[mine]
        kept = shown[first] != shown[second]
        first, second = first[kept], second[kept]
        similar.append((directions[here] @ directions[here].T)[np.triu_indices(len(here), 1)][kept])
        same.append(who[first] == who[second])
    told = np.concatenate(same) if same else np.empty(0, dtype=bool)
    if not told.any() or told.all():
        return None
    return float(roc_auc_score(told, np.concatenate(similar)))


def _directions(values: Numbers) -> NDArray[np.float64]:
    """Return features less their mean, of length 1; of length 0 where nothing is left."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    nothing = lengths <= np.finfo(np.float32).eps * np.abs(values).max(initial=0.0)
    return np.where(nothing, 0.0, centred / np.where(nothing, 1.0, lengths))


def live_auc(values: Numbers, crops: Crops, seed: int) -> float | None:
    """Return the AUC of a logistic regression from features [n, C] to bona fide, the mean over folds without a group
    in common; None where a class has too few groups.
    """  # noqa: D205 - one sentence
    labels, groups = crops.labels, crops.groups
    fewest = min(len(np.unique(groups[labels == label])) for label in (0, 1))
    folds = min(FOLDS, fewest)
    if folds < 2:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an upper bound on iterations is part of the definition
        for fitted, held in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(values, labels, groups):
            if min(len(np.unique(labels[part])) for part in (fitted, held)) == 2:
                scores = model.fit(values[fitted], labels[fitted]).decision_function(values[held])
                found.append(roc_auc_score(labels[held], scores))
    return float(np.mean(found)) if found else None
