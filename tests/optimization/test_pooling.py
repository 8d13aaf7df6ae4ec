"""What all patterns have in common is found again in data made from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.optimization.linear import inverse, times
from featurememory.optimization.pooling import (
    Pooled,
    estimate,
    first_guess,
    normal_equations,
    pair_noise,
    residuals,
    sister_of,
    sisters_prior,
)
from featurememory.optimization.posterior import ArmStatistics, Normal

BETA = (0.0, 0.5, -1.0, 0.2)
GAMMA, NOISE = 0.09, 0.04


def made(seed: int, patterns: int, visits: int = 12) -> dict[int, dict[int, ArmStatistics]]:
    """Evidence of patterns on very different levels, whose arms were tried at random."""
    random, evidence = Random(seed), {}
    for pattern in range(patterns):
        level = random.gauss(0, 3)
        effects = [beta + random.gauss(0, sqrt(GAMMA)) for beta in BETA]
        seen: dict[int, ArmStatistics] = {}
        for _ in range(visits):
            arm = random.randrange(len(BETA))
            seen.setdefault(arm, ArmStatistics()).record(level + effects[arm] + random.gauss(0, sqrt(NOISE)))
        evidence[pattern] = seen
    return evidence


def outcomes(evidence: dict[int, dict[int, ArmStatistics]]) -> ArmStatistics:
    total = ArmStatistics()
    for seen in evidence.values():
        for statistics in seen.values():
            total.merge(statistics)
    return total


def settled(evidence: dict[int, dict[int, ArmStatistics]], passes: int = 30) -> Pooled:
    pooled = first_guess(outcomes(evidence), len(BETA), 0)
    for _ in range(passes):
        pooled = estimate(evidence, pooled, 0)
    return pooled


def test_common_effects_and_variances_are_found_again() -> None:
    pooled = settled(made(1, 150))
    for beta, truth in zip(pooled.beta, BETA, strict=True):
        assert abs(beta.mean - truth) <= 3.5 * sqrt(beta.variance)
    assert pooled.gamma_common == pytest.approx(GAMMA, rel=0.3)
    assert pooled.noise_common == pytest.approx(NOISE, rel=0.15)
    assert pooled.level.variance == pytest.approx(9, rel=0.35)


def test_the_baseline_is_what_others_are_measured_by() -> None:
    assert settled(made(2, 20)).beta[0] == (0.0, 0.0)


def test_an_arm_never_tried_keeps_its_prior() -> None:
    evidence = {pattern: {0: seen[0]} for pattern, seen in made(3, 20).items() if 0 in seen}
    pooled = settled(evidence, passes=1)
    assert pooled.beta[1].mean == pytest.approx(0)
    assert pooled.beta[1].variance == pytest.approx(first_guess(outcomes(evidence), 4, 0).beta_common)


def test_patterns_let_go_go_on_teaching_what_is_common() -> None:
    evidence = made(4, 40)
    whole = settled(evidence)
    gone = {pattern: evidence[pattern] for pattern in range(20)}
    kept = {pattern: evidence[pattern] for pattern in range(20, 40)}
    matrix, vector = [[0.0] * 4 for _ in range(4)], [0.0] * 4
    for seen in gone.values():
        added_matrix, added_vector = normal_equations(seen, whole)
        matrix = [
            list(map(float.__add__, row, added)) for row, added in zip(matrix, added_matrix, strict=True)
        ]
        vector = list(map(float.__add__, vector, added_vector))
    with_archive = estimate(kept, whole, 0, archived=(matrix, vector))
    for one, other in zip(with_archive.beta, whole.beta, strict=True):
        assert one.mean == pytest.approx(other.mean, abs=0.05)
        assert one.variance == pytest.approx(other.variance, rel=0.2)


def known_prior(sisters: Sequence[Pooled]) -> list[Normal]:
    prior = sisters_prior([sister_of(each, range(len(each.beta)), 0) for each in sisters])
    return [each for each in prior if each is not None]


def test_arms_that_no_sister_has_stay_unknown() -> None:
    sister = settled(made(5, 60))
    prior = sisters_prior([sister_of(sister, [0, None, 1], 0)])
    assert prior[1] is None
    assert prior[2] is not None
    assert prior[2].mean == pytest.approx(sister.beta[1].mean)


def test_a_new_model_starts_with_what_its_sisters_know_and_doubts_it_the_more_the_fewer_they_are() -> None:
    sisters = [settled(made(seed, 60)) for seed in (5, 6, 7)]
    prior = known_prior(sisters)
    for each, truth in zip(prior, BETA, strict=True):
        assert each.mean == pytest.approx(truth, abs=0.2)
    assert known_prior(sisters[:1])[1].variance > prior[1].variance


def test_residuals_are_reliable_where_much_was_seen() -> None:
    pooled = settled(made(8, 50))
    often, once = ArmStatistics(50, 1.0, 2.0), ArmStatistics(1, 1.0, 0.0)
    own = residuals({0: often, 1: once}, pooled)
    assert own[0].reliability > 0.95 > own[1].reliability > 0.3


@given(st.integers(1, 50), st.floats(0, 100), st.floats(0.01, 10))
def test_a_pairs_noise_lies_between_its_own_and_its_arms(n: int, m2: float, noise: float) -> None:
    own = m2 / (n - 1) if n > 1 else noise
    low, high = sorted((own, noise))
    if n > 1 or not m2:
        assert low - 1e-9 <= pair_noise(noise, ArmStatistics(n, 0.0, m2)) <= high + 1e-9


def test_a_snapshot_through_json_is_exact() -> None:
    pooled = settled(made(9, 10))
    assert Pooled.restored(json.loads(json.dumps(pooled.snapshot()))) == pooled


def test_outcomes_that_never_differ_break_nothing() -> None:
    evidence = {
        pattern: {0: ArmStatistics(5, 0.5, 0.0), 1: ArmStatistics(5, 0.5, 0.0)} for pattern in range(5)
    }
    pooled = settled(evidence)
    assert abs(pooled.beta[1].mean) < 1e-3
    assert min(pooled.gamma) > 0 < min(pooled.noise)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=3, max_size=3), min_size=3, max_size=3))
def test_an_inverse_undoes_its_matrix(rows: list[list[float]]) -> None:
    matrix = [
        [sum(a * b for a, b in zip(r, s, strict=True)) + (i == j) for j, s in enumerate(rows)]
        for i, r in enumerate(rows)
    ]
    assert times(matrix, times(inverse(matrix), [1.0, -2.0, 3.0])) == pytest.approx(
        [1.0, -2.0, 3.0], abs=1e-6
    )


def test_a_matrix_that_is_not_positive_definite_has_no_inverse_here() -> None:
    with pytest.raises(ValueError, match="positive definite"):
        inverse([[1.0, 2.0], [2.0, 1.0]])


def test_sisters_must_not_be_certain_when_they_disagree() -> None:
    calm = settled(made(10, 60))
    wild = calm._replace(beta=(calm.beta[0], Normal(5.0, 0.01), *calm.beta[2:]))
    assert known_prior([calm, wild])[1].variance > 4
