"""The gain over the baseline is estimated without bias, and with an interval that may be looked at any time."""

from __future__ import annotations

import json
from math import sqrt
from random import Random

import pytest

from featurememory.optimization.effectiveness import Effectiveness, pattern_lift, sequence_half_width
from featurememory.optimization.posterior import Normal


def simulated(seed: int, lift: float, operations: int, share: float = 0.1) -> Effectiveness:
    """Operations whose difficulty drifts, some of them on the baseline at random."""
    random, effectiveness = Random(seed), Effectiveness()
    for operation in range(operations):
        level = random.gauss(operation / operations, 0.3)
        on_baseline = random.random() < share
        reward = level + random.gauss(0, 0.5) + (0 if on_baseline else lift)
        effectiveness.record(reward, on_baseline, operation / operations, share)
    return effectiveness


def test_the_lift_counts_also_the_operations_that_stayed_on_the_baseline() -> None:
    effect = simulated(1, lift=1.0, operations=5_000).effect()
    assert effect.lift == pytest.approx(0.9, abs=0.1)
    assert effect.verdict == "effective"


def test_the_sequence_covers_the_truth_at_every_moment_at_once() -> None:
    missed = 0
    for seed in range(60):
        random, effectiveness, outside = Random(seed), Effectiveness(), False
        for operation in range(400):
            on_baseline = random.random() < 0.2
            effectiveness.record(random.gauss(0, 1), on_baseline, 0.0, 0.2)
            if operation >= 50:
                low, high = effectiveness.effect().sequence
                outside |= not low <= 0 <= high
        missed += outside
    assert missed <= 3, "5 % of 60"


def test_it_is_tightest_around_the_operations_it_is_tuned_at() -> None:
    def looseness(n: int) -> float:
        return sequence_half_width(n) * sqrt(n)

    assert looseness(500) < looseness(50)
    assert looseness(500) < looseness(5_000)
    assert looseness(500) < 1.6 * 1.96


def test_little_evidence_is_called_so() -> None:
    assert simulated(3, lift=5.0, operations=50).effect().verdict == "not enough evidence yet"
    assert simulated(3, lift=0.0, operations=2_000).effect().verdict == "not enough evidence yet"
    assert Effectiveness().effect().verdict == "not enough evidence yet"


def test_what_does_harm_is_called_so() -> None:
    assert simulated(4, lift=-1.0, operations=3_000).effect().verdict == "harmful"


def test_wrong_propensities_are_found_out_and_nothing_is_claimed() -> None:
    random, effectiveness = Random(5), Effectiveness()
    for _ in range(2_000):
        effectiveness.record(1.0, random.random() < 0.3, 0.0, 0.1)
    assert not effectiveness.propensities_hold()
    assert effectiveness.effect().verdict == "propensities do not hold"


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.1])
def test_a_propensity_that_is_none_is_refused(propensity: float) -> None:
    with pytest.raises(ValueError, match="propensity"):
        Effectiveness().record(1.0, True, 0.0, propensity)


def test_a_snapshot_through_json_is_exact() -> None:
    effectiveness = simulated(6, lift=0.3, operations=300)
    restored = Effectiveness(json.loads(json.dumps(effectiveness.snapshot())))
    assert restored.effect() == effectiveness.effect()


def test_a_pattern_is_claimed_to_gain_only_far_above_the_ordinary_limit() -> None:
    assert not pattern_lift(Normal(5.0, 1.0)).effective
    assert pattern_lift(Normal(5.1, 1.0)).effective
    assert pattern_lift(Normal(1.0, 1.0)).interval == pytest.approx((1 - 1.96 * 2.1, 1 + 1.96 * 2.1))
