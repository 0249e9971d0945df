"""The domain probe tells separable from mixed features and never sees a presentation on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.evaluation.probe import domain_probe


def cloud(n_domains: int, groups: int, frames: int, distance: float, seed: int = 0):
    """Features of `groups` presentations per domain, `frames` each, domains `distance` apart."""
    generator = np.random.default_rng(seed)
    domains = np.repeat(np.arange(n_domains), groups * frames)
    names = np.repeat([f"p{i}" for i in range(n_domains * groups)], frames)
    centres = generator.normal(size=(n_domains, 16))
    features = generator.normal(size=(len(domains), 16)) + distance * centres[domains]
    order = generator.permutation(len(domains))
    return features[order].astype(np.float32), domains[order], names[order]


def test_separable_domains_are_named():
    assert domain_probe(*cloud(3, 20, 2, 5.0), seed=0) > 0.98


@pytest.mark.parametrize("n_domains", [2, 3, 4])
def test_mixed_domains_are_at_chance(n_domains):
    found = [domain_probe(*cloud(n_domains, 60, 2, 0.0, seed), seed=seed) for seed in range(3)]
    assert np.mean(found) == pytest.approx(1 / n_domains, abs=0.08)


def test_groups_are_not_divided():
    # Every frame of a presentation is the same random vector: known where seen, at chance where the group is held out.
    generator = np.random.default_rng(0)
    domains, names = np.repeat(np.arange(2), 200), np.repeat([f"p{i}" for i in range(80)], 5)
    features = np.repeat(generator.normal(size=(80, 64)), 5, axis=0).astype(np.float32)
    frame_names = np.array([f"f{i}" for i in range(400)])
    assert domain_probe(features, domains, frame_names, seed=0) > 0.9, "divided, the frames give themselves away"
    assert domain_probe(features, domains, names, seed=0) < 0.7


def test_it_is_a_function_of_the_seed():
    data = cloud(3, 10, 2, 0.5)
    assert domain_probe(*data, seed=4) == domain_probe(*data, seed=4)


@pytest.mark.parametrize(("n_domains", "groups"), [(1, 10), (2, 1), (3, 1)])
def test_too_few_domains_or_groups_give_nothing(n_domains, groups):
    assert domain_probe(*cloud(n_domains, groups, 3, 1.0), seed=0) is None


def test_small_and_uneven_data_give_a_figure():
    generator, tried = np.random.default_rng(0), 0
    for seed in range(60):
        counts = [generator.integers(1, 9, size=generator.integers(2, 5)) for _ in range(generator.integers(2, 5))]
        domains = np.concatenate([np.full(sum(frames), d) for d, frames in enumerate(counts)])
        sizes = [n for frames in counts for n in frames]
        names = np.repeat([f"p{i}" for i in range(len(sizes))], sizes)
        features = generator.normal(size=(len(domains), 4)).astype(np.float32)
        found = domain_probe(features, domains, names, seed=seed)
        assert found is not None
        assert 0 <= found <= 1, (seed, counts)
        tried += 1
    assert tried == 60
