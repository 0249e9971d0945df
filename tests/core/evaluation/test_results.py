"""`metrics.json`: the schema that is written down, an exact round trip, clear refusals."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import padkit.evaluation.results as module
from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import ErrorRates, Separation, error_rates
from padkit.evaluation.results import (
    ProtocolSummary,
    Results,
    evaluate,
    read_results,
    write_results,
)
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.selection import mean_of

PROTOCOL = ProtocolSummary(name="a&b->c", convention="official", sources=("a", "b"), target="c", simulated=False)


def scores(seed: int, n: int = 90) -> Scores:
    random = np.random.default_rng(seed)
    label = (np.arange(n) % 3 == 0).astype(int)
    species = np.where(label == 1, "", np.array(["printer1", "display1"])[np.arange(n) % 2])
    values = np.clip(random.normal(0.35 + 0.3 * label + 0.03 * seed, 0.15), 0, 1)
    return presentation_scores(
        {"presentation": [f"p{i}" for i in range(n)], "label": label, "species": species}, values
    )


def results(**change: object) -> Results:
    settings = {"protocol": PROTOCOL, "seed": 3, "source_dev": scores(0)} | change
    return evaluate(scores(4), **settings)


def averaged() -> Results:
    """Results of the last checkpoint, with the means of two beside them."""
    found = results(checkpoint_selection="mean-last-10")
    recent = [{"step": step, **dataclasses.asdict(evaluate(scores(step), protocol=PROTOCOL, seed=3,
               source_dev=scores(0)))} for step in (4, 5)]  # fmt: skip
    return dataclasses.replace(found, mean_last=mean_of(recent))


def test_a_checkpoint_chosen_on_the_test_set_says_so(tmp_path) -> None:
    for selection, chosen in (("source-dev", False), ("last", False), ("target-best", True)):
        write_results(results(checkpoint_selection=selection), tmp_path / "metrics.json")
        content = json.loads((tmp_path / "metrics.json").read_text())
        assert (content["checkpoint_selection"], content["checkpoint_test_set_choice"]) == (selection, chosen)
        assert content["mean_last"] is None


def test_means_stand_apart_from_the_figures_of_the_weights(tmp_path) -> None:
    write_results(averaged(), tmp_path / "metrics.json")
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["checkpoint_selection"] == "last"
    assert content["values"] == dataclasses.asdict(results())["values"]
    beside = content["mean_last"]
    assert (beside["selection"], beside["test_set_choice"], beside["steps"]) == ("mean-last-10", True, [4, 5])
    both = [evaluate(scores(seed), protocol=PROTOCOL, seed=3, source_dev=scores(0)) for seed in (4, 5)]
    assert beside["values"]["auc"] == pytest.approx(np.mean([one.values["auc"] for one in both]))
    hter = [one.results[1].values["hter"] for one in both]
    assert beside["results"][1]["values"]["hter"] == pytest.approx(np.mean(hter))


def test_every_policy_assesses_the_target_at_its_own_threshold() -> None:
    found = results(policies=("source-dev", "target-eer", "fixed:0.5"))
    target = scores(4)
    assert [entry.policy for entry in found.results] == ["source-dev", "target-eer", "fixed:0.5"]
    assert [entry.test_set_choice for entry in found.results] == [False, True, False]
    for entry in found.results:
        rates = error_rates(target.label, target.score, entry.threshold, target.pai_species)
        assert entry.values | {"apcer_by_species": entry.apcer_by_species} == dataclasses.asdict(rates)
    assert len({entry.threshold for entry in found.results}) == 3
    assert found.results[1].values["hter"] < found.results[0].values["hter"]  # the domain shift this sample was given
    assert (found.counts.bona_fide, found.counts.attack, found.counts.frames) == (30, 60, 90)
    assert found.counts.species == {"printer1": 30, "display1": 30}


def test_source_dev_is_assessed_at_the_first_policys_threshold() -> None:
    found = results()
    dev = scores(0)
    assert found.source_dev is not None
    assert found.source_dev.result.threshold == found.results[0].threshold
    rates = error_rates(dev.label, dev.score, found.results[0].threshold)
    assert found.source_dev.result.values["hter"] == rates.hter
    assert found.source_dev.result.test_set_choice  # these very scores chose it
    other = results(policies=("fixed:0.5",))
    assert other.source_dev is not None
    assert not other.source_dev.result.test_set_choice
    assert results(source_dev=None, policies=("target-eer",)).source_dev is None


def test_round_trip_is_exact(tmp_path) -> None:
    for found in (
        results(),
        averaged(),
        results(source_dev=None, policies=("fixed:0.3",), checkpoint_selection="last"),
    ):
        path = tmp_path / "metrics.json"
        write_results(found, path)
        assert read_results(path) == found
        assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_the_documented_schema_is_the_one_written(tmp_path) -> None:
    write_results(averaged(), tmp_path / "metrics.json")
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["schema"] == "padkit-metrics/1"
    rates = {field.name for field in dataclasses.fields(ErrorRates)} - {"apcer_by_species"}
    assert set(content["values"]) == {field.name for field in dataclasses.fields(Separation)}
    assert set(content["results"][0]["values"]) == rates
    names = {*content, *content["protocol"], *content["counts"], *content["results"][0], *content["values"], *rates}
    names |= set(content["source_dev"]) | set(content["mean_last"])
    assert len(names) > 30
    undocumented = {name for name in names if f"`{name}`" not in (module.__doc__ or "")}
    assert undocumented == set()


def test_nothing_that_json_lacks_is_written(tmp_path) -> None:
    broken = dataclasses.replace(results(), values={"auc": math.nan})
    path = tmp_path / "metrics.json"
    with pytest.raises(DataError, match="NaN or infinite"):
        write_results(broken, path)
    assert not path.exists()


def test_a_newer_minor_key_is_skipped(tmp_path) -> None:
    path = tmp_path / "metrics.json"
    write_results(results(), path)
    content = json.loads(path.read_text())
    content["speed"] = {"fps": 95}
    content["results"][0]["note"] = "new"
    path.write_text(json.dumps(content))
    assert read_results(path) == results()


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda c: c.update(schema="padkit-metrics/2"), "'padkit-metrics/2'"),
        (lambda c: c.pop("seed"), "key 'seed' is missing"),
        (lambda c: c["results"][0].pop("threshold"), "key 'threshold' is missing"),
        (lambda c: c["results"][0].update(threshold="high"), "does not fit"),
        (lambda c: c["results"][0].update(test_set_choice="no"), "test_set_choice"),
        (lambda c: c["values"].update(auc=98.5), "auc is 98.5"),
        (lambda c: c["values"].update(auc=None), "does not fit"),
        (lambda c: c.update(values=[1]), "no object"),
        (lambda c: c.update(protocol="a->b"), "no object"),
        (lambda c: c.update(results=7), "does not fit"),
    ],
)
def test_damaged_results_are_refused_by_name(tmp_path, damage, match: str) -> None:
    path = tmp_path / "metrics.json"
    write_results(results(), path)
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=match) as caught:
        read_results(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": NaN}', "7"])
def test_what_is_no_results_file_is_refused(tmp_path, text: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json"):
        read_results(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'target-best'"):
        results(checkpoint_selection="target_best")
    with pytest.raises(SettingsError, match="'target_eer' is unknown"):
        results(policies=("target_eer",))
    with pytest.raises(SettingsError, match="none is named"):
        results(policies=())
    with pytest.raises(DataError, match="source-dev' needs"):
        results(source_dev=None)


def several(seed: int) -> Scores:
    """Presentations of the domains c and d by turns."""
    one = scores(seed)
    domains = np.array(["c", "d"])[np.arange(len(one)) // 3 % 2]
    return dataclasses.replace(one, domain=domains)


def test_several_targets_are_assessed_alone_and_pooled(tmp_path) -> None:
    pooled, dev = several(4), several(2)
    protocol = dataclasses.replace(PROTOCOL, name="a&b->c&d", target="c&d")
    found = evaluate(
        pooled, protocol=protocol, seed=3, source_dev=scores(0), target_dev=dev, targets=("c", "d"),
        policies=("source-dev", "target-eer", "dev-eer"),
    )  # fmt: skip
    assert [one.target for one in found.targets] == ["c", "d"]
    for one in found.targets:
        mine = pooled.select(pooled.domain == one.target)
        own = dev.select(dev.domain == one.target)
        alone = evaluate(
            mine, protocol=protocol, seed=3, source_dev=scores(0), target_dev=own,
            policies=("source-dev", "target-eer", "dev-eer"),
        )  # fmt: skip
        assert (one.results, one.values, one.counts) == (alone.results, alone.values, alone.counts)
    assert found.values == results().values, "the pooled figures are those of all presentations"
    thresholds = [entry.threshold for one in found.targets for entry in one.results]
    assert thresholds[0] == thresholds[3] == found.results[0].threshold, "source-dev does not see the target"
    assert len(set(thresholds[1:3] + thresholds[4:6])) == 4
    write_results(found, tmp_path / "metrics.json")
    assert read_results(tmp_path / "metrics.json") == found
    content = json.loads((tmp_path / "metrics.json").read_text())
    del content["targets"]  # as an earlier padkit wrote it
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    assert read_results(tmp_path / "metrics.json") == dataclasses.replace(found, targets=())
    assert results(targets=("c",)).targets == ()


def test_official_dev_scores_that_chose_the_threshold_are_marked() -> None:
    dev = scores(0)
    found = results(source_dev=dev, target_dev=dev, policies=("dev-eer", "target-eer"))
    assert found.source_dev is not None
    assert found.source_dev.result.test_set_choice
    assert not found.results[0].test_set_choice
    other = results(source_dev=dev, target_dev=scores(2), policies=("dev-eer",))
    assert other.source_dev is not None
    assert not other.source_dev.result.test_set_choice
