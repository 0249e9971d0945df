"""Metrics against definitions written a second time, slowly and with fractions, and against scikit-learn."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from padkit.errors import DataError
from padkit.evaluation.metrics import (
    auc,
    bpcer_at_apcer,
    equal_error,
    error_rates,
    roc,
    separation,
    tpr_at_fpr,
)

Row = tuple[int, float, str]

quick = settings(max_examples=120)
tied = st.integers(0, 6).map(lambda n: n / 6)  # a coarse grid: most examples have ties within and across classes
fine = st.floats(0, 1, allow_subnormal=False)
row = st.tuples(st.integers(0, 1), st.one_of(tied, fine), st.sampled_from(["print", "replay", "mask"]))
tables = (
    st.lists(row, min_size=2, max_size=40)
    .filter(lambda rows: len({label for label, _, _ in rows}) == 2)
    .map(lambda rows: [(label, score, "" if label else species) for label, score, species in rows])
)


def columns(rows: list[Row]) -> tuple[list[int], list[float], list[str]]:
    labels, scores, species = zip(*rows, strict=True)
    return list(labels), list(scores), list(species)


def share(part: list[float], threshold: float) -> Fraction:
    """Share of `part` accepted."""
    return Fraction(sum(score >= threshold for score in part), len(part))


def split(rows: list[Row]) -> tuple[list[float], list[float], dict[str, list[float]]]:
    bona_fide = [score for label, score, _ in rows if label == 1]
    attacks = [score for label, score, _ in rows if label == 0]
    by_species = {name: [s for label, s, k in rows if label == 0 and k == name] for _, _, name in rows if name}
    return bona_fide, attacks, by_species


def vertices(rows: list[Row]) -> list[tuple[float, Fraction, Fraction]]:
    """(threshold, FPR, FNR) for every threshold that decides differently, from the strictest."""
    bona_fide, attacks, _ = split(rows)
    thresholds = [2.0, *sorted({score for _, score, _ in rows}, reverse=True)]
    return [(t, share(attacks, t), 1 - share(bona_fide, t)) for t in thresholds]


@quick
@given(tables, st.one_of(tied, fine))
def test_rates_at_a_threshold_follow_their_definitions(rows: list[Row], threshold: float) -> None:
    bona_fide, attacks, by_species = split(rows)
    rates = error_rates(*columns(rows)[:2], threshold, columns(rows)[2])
    apcer = {name: share(part, threshold) for name, part in by_species.items()}
    fpr, fnr = share(attacks, threshold), 1 - share(bona_fide, threshold)
    assert rates.apcer_by_species == pytest.approx({name: float(value) for name, value in apcer.items()}, abs=1e-12)
    assert rates.apcer == pytest.approx(float(max(apcer.values())), abs=1e-12)
    assert rates.fpr == rates.apcer_pooled == pytest.approx(float(fpr), abs=1e-12)
    assert rates.fnr == rates.bpcer == pytest.approx(float(fnr), abs=1e-12)
    assert rates.hter == rates.acer_pooled == pytest.approx(float((fpr + fnr) / 2), abs=1e-12)
    assert rates.acer == pytest.approx(float((max(apcer.values()) + fnr) / 2), abs=1e-12)
    assert rates.apcer_pooled <= rates.apcer


@quick
@given(tables)
def test_eer_is_where_the_roc_crosses_fpr_equals_fnr(rows: list[Row]) -> None:
    corners = vertices(rows)
    crossings = set()
    for (_, fpr0, fnr0), (_, fpr1, fnr1) in pairwise(corners):
        gap0, gap1 = fnr0 - fpr0, fnr1 - fpr1
        if gap0 >= 0 >= gap1:
            crossings.add(fpr0 + gap0 / (gap0 - gap1) * (fpr1 - fpr0))
    assert len(crossings) == 1
    assert equal_error(*columns(rows)[:2]).rate == pytest.approx(float(crossings.pop()), abs=1e-12)


@quick
@given(tables)
def test_eer_threshold_balances_the_errors_best(rows: list[Row]) -> None:
    labels, scores, _ = columns(rows)
    threshold = equal_error(labels, scores).threshold
    rates = error_rates(labels, scores, threshold)
    assert 0 <= threshold <= 1
    usable = vertices(rows)[1:]
    least = min(abs(fpr - fnr) for _, fpr, fnr in usable)
    assert abs(rates.fpr - rates.fnr) == pytest.approx(float(least), abs=1e-12)
    equally_good = [fpr + fnr for _, fpr, fnr in usable if abs(fpr - fnr) == least]
    assert rates.fpr + rates.fnr == pytest.approx(float(min(equally_good)), abs=1e-12)


@quick
@given(tables)
def test_auc_is_the_share_of_pairs_in_order(rows: list[Row]) -> None:
    bona_fide, attacks, _ = split(rows)
    pairs = [Fraction((b > a) - (b < a) + 1, 2) for b in bona_fide for a in attacks]
    assert auc(*columns(rows)[:2]) == pytest.approx(float(sum(pairs) / len(pairs)), abs=1e-12)
    assert auc(*columns(rows)[:2]) == pytest.approx(roc_auc_score(*columns(rows)[:2]), abs=1e-12)


@quick
@given(tables, st.sampled_from([Fraction(1, 10), Fraction(1, 20), Fraction(1, 100), Fraction(1, 3), Fraction(0)]))
def test_bpcer_at_a_bound_searches_every_threshold(rows: list[Row], bound: Fraction) -> None:
    bona_fide, attacks, by_species = split(rows)
    thresholds = [t for t, _, _ in vertices(rows)]
    kept = [t for t in thresholds if all(share(part, t) <= bound for part in by_species.values())]
    best = min(1 - share(bona_fide, t) for t in kept)
    assert bpcer_at_apcer(*columns(rows)[:2], float(bound), columns(rows)[2]) == pytest.approx(float(best), abs=1e-12)
    pooled = max(share(bona_fide, t) for t in thresholds if share(attacks, t) <= bound)
    assert tpr_at_fpr(*columns(rows)[:2], float(bound)) == pytest.approx(float(pooled), abs=1e-12)


@quick
@given(tables, st.randoms(use_true_random=False))
def test_order_of_rows_and_monotone_changes_of_scores_change_nothing(rows: list[Row], random: object) -> None:
    rank = {score: i for i, score in enumerate(sorted({score for _, score, _ in rows}))}
    changed = [(label, (rank[score] / 50) ** 3 + 0.01 * rank[score] / 50, species) for label, score, species in rows]
    random.shuffle(changed)
    first, second = separation(*columns(rows)), separation(*columns(changed))
    assert first.auc == pytest.approx(second.auc, abs=1e-12)
    assert first.eer == pytest.approx(second.eer, abs=1e-12)
    assert (first.bpcer10, first.bpcer20, first.bpcer100) == (second.bpcer10, second.bpcer20, second.bpcer100)
    assert first.tpr_at_fpr1 == second.tpr_at_fpr1
    chosen = [error_rates(*columns(r)[:2], equal_error(*columns(r)[:2]).threshold) for r in (rows, changed)]
    assert chosen[0] == chosen[1]


@quick
@given(tables)
def test_swapping_the_classes_mirrors_eer_and_auc(rows: list[Row]) -> None:
    labels, scores, _ = columns(rows)
    swapped = [1 - label for label in labels]
    if len(set(scores)) == len({1 - score for score in scores}):  # 1 - x may round two scores together
        assert auc(swapped, [1 - s for s in scores]) == pytest.approx(auc(labels, scores), abs=1e-12)
        mirrored = equal_error(swapped, [1 - s for s in scores]).rate
        assert mirrored == pytest.approx(equal_error(labels, scores).rate, abs=1e-12)


def test_example_calculated_by_hand() -> None:
    bona_fide, prints, replays = [0.9, 0.8, 0.7, 0.6, 0.3], [0.1, 0.2, 0.4, 0.65], [0.75, 0.05]
    labels = [1] * 5 + [0] * 6
    scores = bona_fide + prints + replays
    species = [""] * 5 + ["print"] * 4 + ["replay"] * 2
    rates = error_rates(labels, scores, 0.6, species)
    assert rates.apcer_by_species == {"print": 0.25, "replay": 0.5}
    assert rates.apcer == 0.5
    assert rates.apcer_pooled == rates.fpr == pytest.approx(2 / 6)
    assert rates.bpcer == rates.fnr == pytest.approx(1 / 5)  # 0.6 itself is accepted
    assert rates.acer == pytest.approx(0.35)
    assert rates.hter == rates.acer_pooled == pytest.approx((1 / 3 + 1 / 5) / 2)
    # Pairs out of order: 0.7 < 0.75, 0.6 < 0.65 and 0.75, 0.3 < 0.4, 0.65 and 0.75.
    assert auc(labels, scores) == pytest.approx(24 / 30)
    # (FPR, FNR) walks (1/6, 2/5) at 0.7, (2/6, 2/5) at 0.65, (2/6, 1/5) at 0.6: FPR = FNR = 1/3 on the last step.
    assert equal_error(labels, scores).rate == pytest.approx(1 / 3)
    assert equal_error(labels, scores).threshold == pytest.approx((0.65 + 0.6) / 2)
    # No replay attack may pass at 10 % of two: above 0.75 two of five bona fide are left.
    assert bpcer_at_apcer(labels, scores, 0.10, species) == pytest.approx(3 / 5)
    # Half of the replay attacks may pass and two of the print attacks: above 0.2 all bona fide are.
    assert bpcer_at_apcer(labels, scores, 0.50, species) == 0
    # Pooled, three of six attacks may pass at 50 %, one at 20 %.
    assert tpr_at_fpr(labels, scores, 0.20) == pytest.approx(3 / 5)


def test_perfect_separation_puts_the_threshold_in_the_middle_of_the_gap() -> None:
    found = equal_error([1, 1, 0, 0], [0.9, 0.8, 0.4, 0.1])
    assert found.rate == 0
    assert found.threshold == pytest.approx(0.6)
    clean = separation([1, 1, 0, 0], [0.9, 0.8, 0.4, 0.1])
    assert (clean.auc, clean.eer, clean.bpcer100, clean.tpr_at_fpr1) == (1, 0, 0, 1)


def test_a_constant_or_reversed_score_is_as_bad_as_it_should_be() -> None:
    constant = separation([1, 1, 0, 0], [1.0] * 4)
    assert (constant.auc, constant.eer, constant.bpcer10, constant.tpr_at_fpr1) == (0.5, 0.5, 1, 0)
    assert equal_error([1, 0], [1.0, 1.0]).threshold == 1
    reversed_ = separation([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9])
    assert (reversed_.auc, reversed_.eer, reversed_.bpcer10) == (0, 1, 1)


def test_neighbouring_floats_still_decide_as_the_vertex_does() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1))
    found = equal_error([1, 0], [high, low])
    assert error_rates([1, 0], [high, low], found.threshold).hter == 0


def test_the_smallest_species_limits_bpcer() -> None:
    labels = [1] * 10 + [0] * 99 + [0]
    scores = [0.5] * 10 + [0.1] * 99 + [0.6]
    species = [""] * 10 + ["print"] * 99 + ["mask"]
    assert tpr_at_fpr(labels, scores, 0.01) == 1  # one pooled attack in a hundred may pass
    assert bpcer_at_apcer(labels, scores, 0.01, species) == 1  # but it is every mask


@pytest.mark.parametrize("bound", [0.29, 0.07, 0.57])
def test_bounds_that_are_no_binary_fractions_count_exactly(bound: float) -> None:
    attacks = (np.arange(100) / 100).tolist()
    scores = attacks + attacks
    allowed = round(bound * 100)
    assert tpr_at_fpr([1] * 100 + [0] * 100, scores, bound) == pytest.approx(allowed / 100)


def test_roc_starts_at_nothing_accepted_and_keeps_every_vertex() -> None:
    curve = roc([1, 0, 1, 0], [0.9, 0.7, 0.7, 0.1])
    assert curve.fpr.tolist() == [0, 0, 0.5, 1]
    assert curve.tpr.tolist() == [0, 0.5, 1, 1]
    assert curve.threshold.tolist() == [float("inf"), 0.9, 0.7, 0.1]


@pytest.mark.parametrize("function", [auc, roc, equal_error, separation, lambda lb, s: error_rates(lb, s, 0.5)])
@pytest.mark.parametrize(
    ("labels", "scores", "match"),
    [
        ([1, 1], [0.5, 0.6], "no attack presentation among 2"),
        ([0, 0], [0.5, 0.6], "no bona fide presentation among 2"),
        ([], [], "no bona fide presentation among 0"),
        ([1, 0], [0.5, float("nan")], "row 1 is NaN"),
        ([1, 0], [0.5, 1.01], "outside"),
        ([1, 2], [0.5, 0.5], "2 is neither"),
        ([1, 0], [0.5, 0.5, 0.5], "shapes"),
    ],
)
def test_sets_that_cannot_be_judged_are_refused_in_one_line(function, labels, scores, match) -> None:
    with pytest.raises(DataError, match=match) as caught:
        function(labels, scores)
    assert "\n" not in str(caught.value)


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        error_rates([1, 0], [0.9, 0.1], float("nan"))
    assert error_rates([1, 0], [0.9, 0.1], float("inf")).bpcer == 1


def test_weights_count_as_repetitions_within_a_class():
    labels, scores = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([0.9, 0.6, 0.3, 0.7, 0.4, 0.2, 0.1])
    times = [1, 1, 6, 1, 1, 1, 1]
    repeated = equal_error(np.repeat(labels, times), np.repeat(scores, times))
    weighted = equal_error(labels, scores, times)
    assert weighted.rate == pytest.approx(repeated.rate)
    assert weighted.threshold == repeated.threshold == pytest.approx(0.35)
    assert equal_error(labels, scores).threshold == pytest.approx(0.5)
