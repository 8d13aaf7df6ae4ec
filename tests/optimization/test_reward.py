"""What operations are worth, and which ones teach nothing."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.errors import ConfigurationError
from featurememory.optimization.reward import Objective, RewardScale

REWARDS = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_the_score_counts_or_the_duration_or_both_by_weight() -> None:
    assert Objective("score").of_success(100.0, 0.7) == 0.7
    assert Objective("duration").of_success(100.0, 0.7) == -log(100)
    assert Objective("both", 0.75).of_success(100.0, 0.8) == pytest.approx(0.75 * 0.8 - 0.25 * log(100))


@pytest.mark.parametrize("objective", [Objective("score"), Objective("both")])
def test_without_its_score_an_operation_teaches_nothing_yet(objective: Objective) -> None:
    assert RewardScale(objective).reward("success", 100.0) is None


@given(REWARDS)
def test_a_failure_is_worth_the_worst_that_was_seen(scores: list[float]) -> None:
    scale = RewardScale(Objective("score"))
    for score in scores:
        assert scale.reward("success", score=score) == score
    assert scale.reward("error") == scale.reward("timeout") == min(scores)


def test_a_failure_before_anything_succeeded_has_no_worth() -> None:
    assert RewardScale(Objective("score")).reward("error") is None


@pytest.mark.parametrize("outcome", ["rejected", "cancelled"])
def test_refused_and_cancelled_operations_teach_nothing(outcome: str) -> None:
    assert RewardScale(Objective("score"), worst=0.0).reward(outcome, score=1.0) is None


def test_failures_in_an_outage_teach_nothing_but_successes_do() -> None:
    scale = RewardScale(Objective("score"), worst=0.1)
    assert scale.reward("error", outage=True) is None
    assert scale.reward("success", score=0.4, outage=True) == 0.4


def test_a_duration_of_zero_is_a_very_short_one() -> None:
    assert Objective("duration").of_success(0.0, None) == -log(0.001)


@pytest.mark.parametrize(
    ("objective", "field"), [(Objective("speed"), "aim"), (Objective("both", 2.0), "weight")]
)  # type: ignore[arg-type]
def test_a_wrong_objective_is_refused_by_name(objective: Objective, field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RewardScale(objective)
    assert caught.value.data["field"] == field
