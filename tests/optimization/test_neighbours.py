"""Similar patterns teach, and similarity that teaches nothing costs nothing."""

from __future__ import annotations

from random import Random

import pytest

from featurememory.optimization.neighbours import (
    Residual,
    effect_priors,
    neighbourhood,
    told,
    usefulness,
    weight,
)


def test_the_closer_the_more_weight_and_far_ones_are_left_out() -> None:
    assert weight(1.0, 0.9) == 1.0
    assert weight(0.9, 0.9) > weight(0.5, 0.9)
    assert [pattern for pattern, _ in neighbourhood([(1, 0.97), (2, -1.0)], 0.95)] == [1]


def test_what_reliable_neighbours_agree_on_is_expected() -> None:
    residuals = {1: {0: Residual(1.0, 1.0)}, 2: {0: Residual(1.0, 1.0)}, 3: {0: Residual(-9.0, 0.0)}}
    mean, rho = told(((1, 1.0), (2, 1.0), (3, 1.0)), residuals)[0]
    assert mean == pytest.approx(2 / 2.5)
    assert rho == pytest.approx(2 / 2.5)


def test_neighbours_narrow_the_prior_by_at_most_four_fifths() -> None:
    (certain, other) = effect_priors([1.0, 1.0], {0: (0.7, 1.0)}, 1.0)
    assert certain == pytest.approx((0.7, 0.2))
    assert other == (0.0, 1.0)


def test_omega_is_one_among_likes_and_nothing_among_strangers() -> None:
    random = Random(1)
    likes, strangers = {}, {}
    for pair in range(200):
        value = random.gauss(0, 1)
        for pattern in (2 * pair, 2 * pair + 1):
            likes[pattern] = {0: Residual(value, 1.0)}
            strangers[pattern] = {0: Residual(random.gauss(0, 1), 1.0)}
    for residuals, low, high in ((likes, 0.9, 1.0), (strangers, 0.0, 0.2)):
        told_of = {pattern: told(((pattern ^ 1, 1.0),), residuals) for pattern in residuals}
        assert low <= usefulness(told_of, residuals) <= high


def test_without_use_neighbours_change_nothing() -> None:
    assert effect_priors([1.0], {0: (5.0, 1.0)}, 0.0) == [(0.0, 1.0)]
