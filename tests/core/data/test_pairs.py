"""Batches of pairs: an attack beside the bona fide frame of its pair, and no frame left out."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from padkit.data.batches import BalancedBatches, Draw, Frames
from padkit.data.pairs import ALONE, PairedBatches, pair_numbers, training_batches
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError, SettingsError


def world(pairs: int = 6, attacks: int = 2, alone: int = 0, domains: int = 2) -> tuple[np.ndarray, ...]:
    """Labels, domains and pairs of frames: per domain, pairs of one bona fide and some attacks, and lone bona fide."""
    rows = []
    for domain in range(domains):
        for number in range(pairs):
            code = 100 * domain + number
            rows += [(1, domain, code), *[(0, domain, code)] * attacks]
        rows += [(1, domain, ALONE)] * alone
    shuffled = np.random.default_rng(0).permutation(np.array(rows, np.int64))
    return tuple(shuffled.T)


def drawn(sampler: BalancedBatches, epochs: int = 1) -> list[list[int]]:
    found = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        found.extend(sampler)
    return found


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), st.integers(0, 99))
def test_every_attack_stands_beside_its_bona_fide_frame(pairs, attacks, domains, more, seed):
    labels, where, numbers = world(pairs, attacks, domains=domains)
    sampler = PairedBatches(labels, where, numbers, batch_size=2 * (domains + more), seed=seed)
    for batch in drawn(sampler, 2):
        assert (labels[batch] == 1).sum() == (labels[batch] == 0).sum()
        assert [labels[one] for one in batch[:2]] == [0, 1]
        for attack, live in zip(batch[::2], batch[1::2], strict=True):
            assert numbers[attack] == numbers[live]
            assert where[attack] == where[live]


def test_bona_fide_frames_without_a_partner_keep_their_share():
    labels, domains, numbers = world(pairs=12, attacks=2, alone=4)
    sampler = PairedBatches(labels, domains, numbers, batch_size=8)
    live = [one for one in chain(*drawn(sampler, 8)) if labels[one] == 1]
    shares = np.mean([numbers[one] == ALONE for one in live])
    assert shares == pytest.approx(4 / 16, abs=0.02)
    assert set(live) == set(np.flatnonzero(labels == 1))
    assert "48 of 48 attack frames" in sampler.line
    assert "8 bona fide frames" in sampler.line


def test_attacks_are_drawn_as_without_pairs_and_those_without_a_partner_too():
    labels, domains, numbers = world(pairs=5, attacks=1, domains=1)
    lonely = np.flatnonzero(labels == 0)[:2]
    numbers[lonely] = ALONE
    paired = drawn(PairedBatches(labels, domains, numbers, batch_size=4, seed=3), 5)
    plain = drawn(BalancedBatches(labels, domains, batch_size=4, seed=3), 5)
    assert [batch[::2] for batch in paired] == [batch[::2] for batch in plain]
    assert set(lonely) <= set(chain(*paired))


def test_several_bona_fide_partners_take_turns():
    labels, domains, numbers = np.array([0, 1, 1]), np.zeros(3, np.int64), np.array([7, 7, 7])
    sampler = PairedBatches(labels, domains, numbers, batch_size=2)
    assert set(chain(*drawn(sampler, 4))) == {0, 1, 2}


@pytest.mark.parametrize("parts", [2, 3])
def test_micro_batches_make_the_same_batch(parts):
    labels, domains, numbers = world(alone=3)
    whole = drawn(PairedBatches(labels, domains, numbers, batch_size=12, seed=1), 2)
    divided = drawn(PairedBatches(labels, domains, numbers, batch_size=12, parts=parts, seed=1), 2)
    assert list(chain(*whole)) == list(chain(*divided))
    numbered = drawn(PairedBatches(labels, domains, numbers, batch_size=12, seed=1, numbered=True), 2)
    assert [draw.frame for draw in chain(*numbered)] == list(chain(*whole))
    assert isinstance(numbered[0][0], Draw)


def test_data_without_pairs_are_refused_in_one_line():
    labels, domains, numbers = world()
    with pytest.raises(DataError, match=r"--batches pairs: none of 24 attack frames .*--data photographs"):
        PairedBatches(labels, domains, np.full_like(numbers, ALONE), batch_size=8)
    with pytest.raises(DataError, match="none of 24 attack frames"):
        PairedBatches(labels, domains, np.arange(len(numbers)), batch_size=8)


def test_a_domain_of_one_class_and_an_odd_batch_are_refused():
    labels, domains, numbers = world()
    alone = (domains == 0) | (labels == 0)
    with pytest.raises(DataError, match="number 2 has attack frames only"):
        PairedBatches(labels[alone], domains[alone], numbers[alone], batch_size=8)
    with pytest.raises(SettingsError, match="5 frames would part a pair"):
        PairedBatches(labels, domains, numbers, batch_size=10, parts=2)


class Sessions(DatasetReader):
    """(domain, subject, session, device, label) of one frame each."""

    image_size = 8

    def __init__(self, *rows: tuple[str, str, str, str, int]) -> None:
        self.rows = rows

    def records(self):
        for number, (domain, subject, session, device, label) in enumerate(self.rows):
            yield Presentation(
                dataset="toy", domain=domain, id=str(number), subject=subject, session=session, device=device,
                label=label, species="" if label else "paper",
            )  # fmt: skip

    def frames(self, presentation):
        yield np.zeros((8, 8, 3), np.uint8)


def test_a_pair_has_the_same_domain_subject_session_and_device(tmp_path):
    first = ("a", "anna", "1", "cam", 1)
    rows = [first, (*first[:4], 0), ("b", *first[1:]), ("a", "ben", *first[2:]), ("a", "anna", "2", "cam", 1)]
    rows += [("a", "anna", "1", "phone", 1), ("a", "", "1", "cam", 1), ("a", "anna", "", "cam", 0)]
    rows += [("a", "", "content", "cam", 0), *(("a", "", f"content-{name}", "cam", 0) for name in ("mug.0", "mug.1"))]
    rows += [("a", "", "content-mug.0", "cam", 1)]
    table = prepare(Sessions(*rows), dataset_name="toy", cache_dir=tmp_path, progress=False)
    numbers = pair_numbers(table, np.arange(len(rows)))
    assert numbers[0] == numbers[1]
    assert len(set(numbers[1:6])) == 5
    assert numbers[6:9].tolist() == [ALONE, ALONE, ALONE]
    assert numbers[9] == numbers[11], "a capture of a picture without a face has its pair, though it has no subject"
    assert len({ALONE, *numbers[:6], *numbers[9:]}) == 8
    frames = Frames(table, np.arange(2), np.zeros(len(rows), np.int64))
    for kind, made in (("balanced", BalancedBatches), ("pairs", PairedBatches)):
        assert type(training_batches(kind, frames, batch_size=2, parts=1, seed=0, numbered=False)) is made
