"""Thresholds for a target: what is proved holds, and what cannot be proved is refused."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import equal_error, error_rates
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.targets import choose_for, read_target


def sample(alive, *species) -> Scores:
    """Scores of bona fide presentations, and of the attacks of each species."""
    values = np.concatenate([alive, *species])
    names = [""] * len(alive) + [f"s{number}" for number, one in enumerate(species) for _ in one]
    columns = {
        "presentation": [f"p{number}" for number in range(len(values))],
        "label": [int(not name) for name in names],
        "species": names,
    }
    return presentation_scores(columns, values)


def test_apcer_is_the_lowest_threshold_that_is_proved_for_every_species():
    # 93 presentations prove 5 % with one error and not with two; 59 with none.
    first, second = np.linspace(0, 0.5, 93), np.linspace(0, 0.3, 59)
    found = choose_for(read_target("apcer:0.05"), sample([0.9, 0.95], first, second))
    assert found == pytest.approx((first[-2] + first[-1]) / 2)
    found = choose_for(read_target("apcer:0.05"), sample([0.9, 0.95], first, second + 0.4))
    assert found == pytest.approx((0.7 + 0.9) / 2)


def test_bpcer_is_the_highest_threshold_that_is_proved():
    alive = np.linspace(0.5, 1, 93)
    found = choose_for(read_target("bpcer:0.05"), sample(alive, [0.1, 0.2]))
    assert found == pytest.approx((alive[0] + alive[1]) / 2)
    found = choose_for(read_target("bpcer:0.05"), sample(alive[:59], [0.1, 0.2]))
    assert found == pytest.approx((0.2 + 0.5) / 2)


@pytest.mark.parametrize("kind", ["apcer", "bpcer"])
def test_the_true_rate_exceeds_a_proved_one_in_at_most_five_percent_of_samples(kind):
    """Scores of the class are uniform, so the true rate at a threshold is known: the proof allows for the choice."""
    generator, beyond, tries = np.random.default_rng(3), 0, 500
    for _ in range(tries):
        drawn = generator.uniform(size=100)
        if kind == "apcer":
            true = 1 - choose_for(read_target("apcer:0.1"), sample([1.0], drawn))
        else:
            true = choose_for(read_target("bpcer:0.1"), sample(drawn, [0.0]))
        beyond += true > 0.1
    # 100 presentations prove 10 % with up to 4 errors, which 10 % gives with a chance of 2.4 %.
    assert 0 < beyond / tries <= 0.05


def test_eer_is_that_of_the_metrics():
    generator = np.random.default_rng(1)
    scores = sample(generator.uniform(0.3, 1, 50), generator.uniform(0, 0.7, 40))
    assert choose_for(read_target("eer"), scores) == equal_error(scores.label, scores.score).threshold


@pytest.mark.parametrize("costs", ["cost:1:1", "cost:10:1", "cost:1:10", "cost:1:1:0.01"])
def test_no_other_threshold_is_cheaper(costs):
    generator = np.random.default_rng(2)
    scores = sample(generator.uniform(0.2, 1, 80), generator.uniform(0, 0.6, 40), generator.uniform(0, 0.8, 20))
    target = read_target(costs)

    def cost(threshold: float) -> float:
        rates = error_rates(scores.label, scores.score, threshold, scores.pai_species)
        return target.costs[0] * target.prior * rates.apcer + target.costs[1] * (1 - target.prior) * rates.bpcer

    found = cost(choose_for(target, scores))
    assert found <= min(map(cost, np.linspace(0, 1, 500))) + 1e-12


def test_dear_attacks_raise_the_threshold():
    generator = np.random.default_rng(2)
    scores = sample(generator.uniform(0.2, 1, 80), generator.uniform(0, 0.8, 80))
    lenient, strict = (choose_for(read_target(text), scores) for text in ("cost:1:20", "cost:20:1"))
    assert lenient < 0.3 < 0.7 < strict


def test_a_sample_that_cannot_prove_the_rate_is_refused_with_the_number_that_can():
    scores = sample(np.linspace(0.5, 1, 40), np.linspace(0, 0.3, 299), np.linspace(0, 0.3, 40))
    with pytest.raises(
        DataError, match=r"species 's1' has 40 presentations.*at best 7.2 %.*until there are 299"
    ) as told:
        choose_for(read_target("apcer:0.01"), scores)
    assert "apcer:0.073" in str(told.value)
    assert choose_for(read_target("apcer:0.073"), scores)
    with pytest.raises(DataError, match="bona fide has 40 presentations"):
        choose_for(read_target("bpcer:0.05"), scores)
    assert choose_for(read_target("bpcer:0.05"), scores, level=0.85)


def test_a_target_that_accepts_nobody_or_every_attack_is_refused():
    with pytest.raises(DataError, match="no bona fide presentation would be accepted"):
        choose_for(read_target("apcer:0.05"), sample(np.full(60, 0.2), np.full(60, 0.9)))
    with pytest.raises(DataError, match="no bona fide presentation would be accepted"):
        choose_for(read_target("apcer:0.05"), sample(np.full(60, 1.0), np.full(60, 1.0)))
    with pytest.raises(DataError, match="every attack would be accepted"):
        choose_for(read_target("bpcer:0.05"), sample(np.full(60, 0.2), np.full(60, 0.9)))


@pytest.mark.parametrize("text", ["apcer", "apcer:0", "apcer:1", "apcer:x", "bpcer:nan", "eer:1", "cost:1", "cost:1:0",
                                  "cost:1:2:1", "cost:1:2:3:4", "hter:0.1", ""])  # fmt: skip
def test_other_targets_are_refused(text):
    with pytest.raises(SettingsError, match=r"apcer:0\.05, bpcer:0\.05, eer, cost:10:1"):
        read_target(text)
