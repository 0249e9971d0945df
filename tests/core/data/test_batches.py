"""Batches: balanced over (domain, class), deterministic, the same however they are divided."""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard, skip_first_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from padkit.data.augmentation import Augmentation, draw_generator
from padkit.data.batches import Augmented, BalancedBatches, Draw, Frames
from padkit.data.jitter import Jitter
from padkit.data.joined_augmentation import JoinedAugmentation
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, PluginError, SettingsError

torch.set_num_threads(1)


def cells(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and domains of a dataset with `counts` frames in the cells (0, 0), (0, 1), (1, 0), ..., mixed up."""
    cell = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return cell % 2, cell // 2


def batches(sampler: BalancedBatches, epochs: int = 1, first: int = 0) -> list[list[int]]:
    found = []
    for epoch in range(first, first + epochs):
        sampler.set_epoch(epoch)
        found.extend(sampler)
    return found


counts_of_cells = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@settings(max_examples=150)
@given(counts_of_cells, st.integers(0, 20), st.integers(0, 3), st.integers(0, 2**31), st.data())
def test_balance(counts, extra, epoch, seed, data):
    labels, domains = cells(counts)
    size = len(counts) + extra
    sampler = BalancedBatches(labels, domains, batch_size=size, seed=seed)
    found = batches(sampler, first=epoch)
    assert len(found) == len(sampler) == max(len(labels) // size, 1)
    for batch in found:
        assert len(batch) == size
        per_cell = Counter((int(domains[i]), int(labels[i])) for i in batch)
        assert set(per_cell) == set(sampler.cells)
        assert max(per_cell.values()) - min(per_cell.values()) <= 1
        start = data.draw(st.integers(0, size - 1))
        piece = batch[start : data.draw(st.integers(start + 1, size))]
        shares = Counter((int(domains[i]), int(labels[i])) for i in piece)
        shares = [shares[cell] for cell in sampler.cells]
        assert max(shares) - min(shares) <= 1, "a contiguous slice is not as balanced as it can be"


@settings(max_examples=100)
@given(counts_of_cells, st.integers(0, 9), st.integers(0, 99))
def test_every_frame_of_a_cell_before_any_again(counts, extra, seed):
    labels, domains = cells(counts)
    sampler = BalancedBatches(labels, domains, batch_size=len(counts) + extra, seed=seed)
    drawn: dict[tuple[int, int], list[int]] = {}
    for index in chain(*batches(sampler, epochs=4)):
        drawn.setdefault((int(domains[index]), int(labels[index])), []).append(index)
    assert len(drawn) == len(counts)
    for cell, indices in drawn.items():
        members = set(np.flatnonzero((domains == cell[0]) & (labels == cell[1])).tolist())
        for start in range(0, len(indices), len(members)):
            turn = indices[start : start + len(members)]
            assert len(set(turn)) == len(turn)
            assert set(turn) <= members


def test_a_used_up_cell_is_shuffled_again():
    labels, domains = cells([30])
    drawn = list(chain(*batches(BalancedBatches(labels, domains, batch_size=30), epochs=3)))
    turns = [drawn[start : start + 30] for start in (0, 30, 60)]
    assert len(turns[2]) == 30
    assert turns[0] != turns[1] != turns[2] != turns[0]


def test_remainder_rotates():
    labels, domains = cells([40] * 6)
    sampler = BalancedBatches(labels, domains, batch_size=8)
    whole = Counter((int(domains[i]), int(labels[i])) for batch in batches(sampler) for i in batch)
    assert set(whole.values()) == {40}


def test_deterministic_in_seed_and_epoch():
    labels, domains = cells([20, 30, 25, 9])

    def made(seed, epoch):
        return batches(BalancedBatches(labels, domains, batch_size=8, seed=seed), first=epoch)

    assert made(3, 5) == made(3, 5)
    assert made(3, 5) != made(3, 6)
    assert made(3, 5) != made(4, 5)
    sampler = BalancedBatches(labels, domains, batch_size=8, seed=3)
    batches(sampler, epochs=3)
    assert batches(sampler, first=5) == made(3, 5), "earlier epochs must leave no trace"


@pytest.mark.parametrize("parts", [2, 3, 4, 6])
def test_micro_batches_make_up_the_batch(parts):
    labels, domains = cells([20, 31, 25, 9, 14, 50])
    whole = BalancedBatches(labels, domains, batch_size=12, seed=1)
    divided = BalancedBatches(labels, domains, batch_size=12, parts=parts, seed=1)
    assert divided.batch_size == 12 // parts
    assert len(divided) == len(whole) * parts
    small = batches(divided, epochs=2)
    steps = [list(chain(*small[start : start + parts])) for start in range(0, len(small), parts)]
    assert steps == batches(whole, epochs=2)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_batch(parts, processes):
    labels, domains = cells([20, 31, 25, 9, 14, 50])
    sampler = BalancedBatches(labels, domains, batch_size=12, parts=parts, seed=1)
    shards = [list(BatchSamplerShard(sampler, processes, process, split_batches=True)) for process in range(processes)]
    assert len(shards[0]) == len(sampler) > 0
    assert [list(chain(*pieces)) for pieces in zip(*shards, strict=True)] == list(sampler)


def test_skipping_goes_on_in_mid_epoch():
    labels, domains = cells([20, 31, 25, 9])
    sampler = BalancedBatches(labels, domains, batch_size=8, seed=1)
    loader = DataLoader(torch.arange(len(labels)), batch_sampler=sampler)  # type: ignore[arg-type]
    rest = [batch.tolist() for batch in skip_first_batches(loader, 4)]
    assert rest == list(sampler)[4:]


def test_a_dataset_smaller_than_a_batch_repeats_frames():
    labels, domains = cells([1, 2])
    found = batches(BalancedBatches(labels, domains, batch_size=8))
    assert len(found) == 1
    assert Counter(labels[found[0]].tolist()) == {0: 4, 1: 4}


def test_errors():
    labels, domains = cells([5] * 6)
    for call, kind, text in [
        (lambda: BalancedBatches(labels, domains, batch_size=5), SettingsError, "raise it to at least 6"),
        (lambda: BalancedBatches(labels, domains, batch_size=8, parts=3), SettingsError, "multiple"),
        (lambda: BalancedBatches(labels, domains, batch_size=8, parts=0), SettingsError, "must be at least 1"),
        (lambda: BalancedBatches(labels[:0], domains[:0], batch_size=8), DataError, "no training frames"),
    ]:
        with pytest.raises(kind, match=text) as error:
            call()
        assert "\n" not in str(error.value)


class Toy(DatasetReader):
    image_size = 16

    def records(self):
        for number in range(40):
            yield Presentation(dataset="t", domain="ab"[number % 2], id=f"p{number}", label=number // 2 % 2)

    def frames(self, presentation):
        yield np.full((16, 16, 3), int(presentation.id[1:]), np.uint8)


@pytest.mark.parametrize("workers", [0, 1])
def test_frames(tmp_path, workers):
    table = prepare(Toy(), dataset_name="toy", cache_dir=tmp_path, workers=1, progress=False)
    frames = Frames(table, np.arange(10, 40), (table.column("domain") == "b").astype(np.int64))
    assert len(pickle.dumps(frames)) < 5000
    sampler = BalancedBatches(frames.labels, frames.domains, batch_size=8)
    loader = DataLoader(
        frames, batch_sampler=sampler, num_workers=workers, multiprocessing_context=["spawn", None][not workers]
    )
    found = list(loader)
    assert len(found) == 3
    for batch in found:
        assert batch["image"].shape == (8, 3, 16, 16)
        assert batch["image"].dtype == torch.uint8
        assert batch["index"].min() >= 10
        assert torch.equal(batch["image"][:, 0, 0, 0].long(), batch["index"])
        assert torch.equal(batch["domain"], batch["index"] % 2)
        assert torch.equal(batch["label"], batch["index"] // 2 % 2)
        assert batch["label"].dtype == batch["domain"].dtype == torch.int64


class Stamp(Augmentation):
    """Writes a random number into the first pixel and turns every label over."""

    def __call__(self, image, label, rng):
        stamped = image.copy()
        stamped[0, 0] = rng.integers(0, 256, 3)
        return stamped, 1 - label


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_numbered_batches_count_the_draws(parts):
    labels, domains = cells([20, 31, 25, 9])
    plain = BalancedBatches(labels, domains, batch_size=8, parts=parts, seed=1)
    numbered = BalancedBatches(labels, domains, batch_size=8, parts=parts, seed=1, numbered=True)
    drawn = list(chain(*batches(numbered, epochs=3)))
    assert [draw.frame for draw in drawn] == list(chain(*batches(plain, epochs=3)))
    assert [draw.number for draw in drawn] == list(range(3 * (85 // 8) * 8))
    shards = [list(BatchSamplerShard(numbered, 2, process, split_batches=True)) for process in range(2)]
    assert [list(chain(*pieces)) for pieces in zip(*shards, strict=True)] == list(numbered)


def stamps(frames: Frames, seed: int = 3, **options) -> list[tuple[int, int, list[int]]]:
    """Return (row, label, stamp) of every draw of an epoch."""
    skipped = options.pop("skipped", 0)
    sampler = BalancedBatches(frames.labels, frames.domains, batch_size=8, numbered=True, **options)
    loader = DataLoader(Augmented(frames, Stamp(), seed), batch_sampler=sampler)
    return [
        (int(batch["index"][i]), int(batch["label"][i]), batch["image"][i, :, 0, 0].tolist())
        for batch in skip_first_batches(loader, skipped)
        for i in range(len(batch["index"]))
    ]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    table = prepare(Toy(), dataset_name="toy", cache_dir=folder, workers=1, progress=False)
    return Frames(table, np.arange(10, 40), (table.column("domain") == "b").astype(np.int64))


def test_augmented_frames_depend_on_seed_and_draw_alone(frames):
    whole = stamps(frames)
    assert len(whole) == 24
    expected = [draw_generator(3, number).integers(0, 256, 3).tolist() for number in range(24)]
    assert [stamp for _, _, stamp in whole] == expected
    assert all(label == 1 - row // 2 % 2 for row, label, _ in whole), "the new label is the one that counts"
    assert stamps(frames, skipped=2) == whole[16:], "a resumed epoch goes on with the same draws"
    assert stamps(frames, parts=4) == whole, "accumulation changes nothing"
    assert stamps(frames, seed=4) != whole
    assert len(Augmented(frames, Stamp(), 3)) == len(frames)
    assert len(pickle.dumps(Augmented(frames, Stamp(), 3))) < 5000


def test_frames_pass_untouched_where_only_batches_are_varied(frames):
    found = Augmented(frames, JoinedAugmentation({"first": Augmentation(), "second": Augmentation()}), 3)[Draw(4, 9)]
    assert {**found, "image": found["image"].tolist()} == {**frames[4], "image": frames[4]["image"].tolist()}


def test_pictures_that_fit_are_decoded_once_and_stay_as_they_are(frames, monkeypatch):
    read, room = [], 3 * 16 * 16 * 3
    kept = Frames(frames.table, frames.rows, np.zeros(len(frames.table), np.int64), keep=room)
    image = type(frames.table).image
    monkeypatch.setattr(type(frames.table), "image", lambda table, row: read.append(row) or image(table, row))
    for _ in range(3):
        for index in range(5):
            varied = Augmented(kept, Stamp(), 3)[Draw(index, index)]
            assert varied["image"].shape == (3, 16, 16)
            assert (kept[index]["image"] == torch.from_numpy(image(frames.table, int(frames.rows[index])))).all()
    assert [read.count(int(frames.rows[index])) for index in range(5)] == [1, 1, 1, 6, 6]


def test_loader_processes_give_the_same_augmentation(frames):
    sampler = BalancedBatches(frames.labels, frames.domains, batch_size=8, numbered=True)
    dataset = Augmented(frames, Stamp(), 3)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=1, multiprocessing_context="spawn")
    found = [image[:, 0, 0].tolist() for batch in loader for image in batch["image"]]
    assert found == [stamp for _, _, stamp in stamps(frames)]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda image, label: (image[:8], label), r"made uint8 \[8, 16, 3\] with label 1 of uint8 \[16, 16, 3\]"),
        (lambda image, label: (image.astype(float), label), r"made float64 \[16, 16, 3\] with label 1"),
        (lambda image, label: (image, 2), r"made uint8 \[16, 16, 3\] with label 2"),
    ],
)
def test_an_augmentation_that_breaks_its_promise_is_named(frames, made, says):
    class Odd(Augmentation):
        def __call__(self, image, label, rng):
            return made(image, label)

    with pytest.raises(PluginError, match=f"Odd {says}"):
        Augmented(frames, Odd(), 0)[Draw(1, 0)]


class Roomy(Toy):
    """Draws noise with room around its crops."""

    image_size = 16
    draws_room = True

    def __init__(self, room: float) -> None:
        self.room = room

    def frames(self, presentation):
        side = 16 + 2 * CropOptions(size=16, room=self.room).beyond
        generator = np.random.default_rng([*presentation.id.encode()])
        return generator.integers(0, 256, (1, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    table = prepare(
        Roomy(0.25), dataset_name="roomy", cache_dir=tmp_path_factory.mktemp("roomy"), workers=1, progress=False
    )
    return Frames(table, np.arange(len(table)), (table.column("domain") == "b").astype(np.int64))


def test_jitter_moves_the_training_crop_alone(roomy):
    jitter = Jitter(scale=0.2, shift=0.1)
    moved = Augmented(roomy, None, 3, jitter)
    assert np.array_equal(roomy[4]["image"], roomy.table.image(4)), "without jitter the crop is the middle"
    first, again, later = (moved[Draw(4, number)] for number in (7, 7, 8))
    assert {**first, "image": 0} == {**roomy[4], "image": 0}
    expected = jitter.cut(roomy.table.surroundings(4), 16, 3, 7)
    assert np.array_equal(first["image"].permute(1, 2, 0), expected)
    assert torch.equal(first["image"], again["image"])
    assert not torch.equal(first["image"], later["image"])
    assert not torch.equal(first["image"], roomy[4]["image"])


def test_jitter_changes_no_draw_of_the_augmentation(roomy):
    stamped = [Augmented(roomy, Stamp(), 3, jitter)[Draw(4, 7)] for jitter in (None, Jitter(scale=0.2, shift=0.1))]
    assert torch.equal(stamped[0]["image"][:, 0, 0], stamped[1]["image"][:, 0, 0])
    assert not torch.equal(stamped[0]["image"], stamped[1]["image"])


@given(st.integers(1, 3), st.integers(0, 5), st.integers(1, 4), st.integers(0, 2**31))
def test_each_machine_draws_its_slice_from_its_own_part_of_every_cell(machines, extra, parts, seed):
    counts = [7, 5, 12, 9]
    labels, domains = cells(counts)
    share = len(counts) + extra
    sampler = BalancedBatches(
        labels, domains, batch_size=share * machines * parts, parts=parts, seed=seed, machines=machines
    )
    seen = [set() for _ in range(machines)]
    for batch in batches(sampler, epochs=3):
        assert len(batch) == share * machines
        for machine in range(machines):
            mine = batch[machine * share : (machine + 1) * share]
            seen[machine].update(mine)
            per_cell = Counter((int(domains[i]), int(labels[i])) for i in mine)
            assert max(per_cell.values()) - min(per_cell.values()) <= 1
            assert len(per_cell) == len(counts)
    for cell in sampler.cells:
        of_cell = {at for at in range(len(labels)) if (domains[at], labels[at]) == cell}
        ends = [(min(mine & of_cell), max(mine & of_cell)) for mine in seen]
        assert all(one[1] < other[0] for one, other in pairwise(ends)), "contiguous parts"


@pytest.mark.parametrize(("size", "told"), [(12, "does not give each of 5 machines"), (20, "has 3 frames for 5")])
def test_what_cannot_be_split_by_machine_is_one_line(size, told):
    labels, domains = cells([3, 30, 30, 30])
    with pytest.raises(SettingsError, match=rf"{told}.*leave out --split_by_machine"):
        BalancedBatches(labels, domains, batch_size=size, machines=5)
