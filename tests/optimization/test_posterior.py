"""Statistics lose nothing in parts, and posteriors lie between what was believed and what was seen."""

from __future__ import annotations

import json
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.optimization.posterior import (
    ArmStatistics,
    Normal,
    PatternPrior,
    clipped,
    pattern_posterior,
    posterior,
)

OUTCOMES = st.lists(st.floats(-100, 100), max_size=30)
VARIANCES = st.floats(0.001, 100)


def seen(outcomes: list[float]) -> ArmStatistics:
    statistics = ArmStatistics()
    for outcome in outcomes:
        statistics.record(outcome)
    return statistics


@given(OUTCOMES, OUTCOMES)
def test_merged_statistics_are_those_of_one_undisturbed_stream(
    first: list[float], second: list[float]
) -> None:
    merged, whole = ArmStatistics.merged(seen(first), seen(second)), seen(first + second)
    assert merged.n == whole.n
    assert isclose(merged.mean, whole.mean, rel_tol=1e-9, abs_tol=1e-9)
    assert isclose(merged.m2, whole.m2, rel_tol=1e-6, abs_tol=1e-6)


@given(OUTCOMES, OUTCOMES)
def test_the_order_of_merging_makes_no_difference(first: list[float], second: list[float]) -> None:
    assert ArmStatistics.merged(seen(first), seen(second)) == ArmStatistics.merged(seen(second), seen(first))


@given(OUTCOMES)
def test_a_snapshot_through_json_is_exact(outcomes: list[float]) -> None:
    statistics = seen(outcomes)
    assert ArmStatistics(*json.loads(json.dumps(statistics.snapshot()))) == statistics


@given(st.floats(-10, 10), VARIANCES, OUTCOMES, VARIANCES)
def test_a_posterior_lies_between_prior_and_mean_and_is_surer_than_the_prior(
    mean: float, variance: float, outcomes: list[float], noise: float
) -> None:
    statistics = seen(outcomes)
    after = posterior(Normal(mean, variance), statistics, noise)
    if statistics.n:
        low, high = sorted((mean, statistics.mean))
        assert low - 1e-9 <= after.mean <= high + 1e-9
    else:
        assert after == (mean, variance)
    assert after.variance <= variance


@given(st.floats(-1e6, 1e6), st.floats(-10, 10), VARIANCES)
def test_no_outcome_counts_as_further_than_four_standard_deviations(
    outcome: float, mean: float, variance: float
) -> None:
    taken = clipped(outcome, Normal(mean, variance))
    assert abs(taken - mean) <= 4 * sqrt(variance) * (1 + 1e-9)
    if abs(outcome - mean) < 4 * sqrt(variance):
        assert taken == outcome


def test_what_raises_all_arms_alike_is_taken_for_the_patterns_level() -> None:
    prior = PatternPrior(Normal(0, 100), [Normal(0, 0.1)] * 3, [0.0] * 3, [0.01] * 3)
    after = pattern_posterior(prior, {arm: seen([5.0, 5.0]) for arm in range(3)})
    assert after.level.mean == pytest.approx(5, abs=0.01)
    assert all(abs(effect.mean) < 0.01 for effect in after.effects)


def test_one_arm_alone_teaches_the_level_rather_than_its_own_effect() -> None:
    prior = PatternPrior(Normal(0, 100), [Normal(0, 0.1)] * 2, [0.0] * 2, [0.01] * 2)
    after = pattern_posterior(prior, {0: seen([5.0])})
    assert abs(after.lift(0, 1).mean) < 0.01


def test_the_joint_posterior_is_the_one_that_linear_algebra_gives() -> None:
    """Two arms seen thrice and once; worked out by conditioning the joint normal of (alpha, theta_0, theta_1)."""
    prior = PatternPrior(Normal(1.0, 4.0), [Normal(0.5, 1.0), Normal(-0.5, 2.0)], [0.0] * 2, [0.3, 0.6])
    after = pattern_posterior(prior, {0: seen([3.0, 2.0, 4.0]), 1: seen([1.0])})
    v0, v1, cov = 4 + 1 + 0.1, 4 + 2 + 0.6, 4.0
    determinant = v0 * v1 - cov * cov
    r0, r1 = 3 - 1.5, 1 - 0.5
    w0, w1 = (v1 * r0 - cov * r1) / determinant, (v0 * r1 - cov * r0) / determinant
    assert after.level.mean == pytest.approx(1 + 4 * (w0 + w1))
    assert after.effects[0].mean == pytest.approx(0.5 + 1 * w0)
    assert after.effects[1].mean == pytest.approx(-0.5 + 2 * w1)
    assert after.level.variance == pytest.approx(4 - 16 * (v1 + v0 - 2 * cov) / determinant)
    lift = 1 + 2 - (1 * v1 + 2 * 2 * v0 + 2 * 1 * 2 * cov) / determinant
    assert after.lift(0, 1).variance == pytest.approx(lift)
