"""Arms are chosen with the propensities that are told, inside the fence."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.errors import ConfigurationError
from featurememory.optimization.policy import PolicyConfig, choose, overdraws, propensities
from featurememory.optimization.posterior import Normal, PatternPosterior

MEANS = st.lists(st.floats(-2, 2), min_size=2, max_size=6)


def believed(*means: float, variance: float = 1.0, shared: float = 0.5) -> PatternPosterior:
    return PatternPosterior(
        Normal(0.0, 1.0),
        [Normal(mean, variance) for mean in means],
        [0.5] * len(means),
        [0.0] + [shared] * (len(means) - 1),
        visits=50,
    )


@given(MEANS, st.integers(0, 1_000), st.floats(0, 1), st.floats(0, 1))
def test_propensities_sum_to_one_and_leave_the_control_group_its_share(
    means: list[float], seed: int, control: float, unproven: float
) -> None:
    config = PolicyConfig(control=control, sure_control=1, unproven=unproven)
    shares = propensities(believed(*means), 0, config, Random(seed))
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[0] >= control - 1e-12
    assert min(shares.values()) >= 0


@given(MEANS, st.integers(0, 1_000))
def test_the_same_state_and_seed_give_the_same_choice(means: list[float], seed: int) -> None:
    one, other = (choose(believed(*means), 0, PolicyConfig(), Random(seed)) for _ in range(2))
    assert one == other
    assert 0 < one.propensity <= 1
    if one.arm == 0:
        assert one.propensity == one.baseline_propensity


def test_frequencies_meet_the_propensities_that_were_told() -> None:
    """Each arm is chosen as often as its propensities, which differ from draw to draw, add up to."""
    told: Counter[int] = Counter()
    chosen: Counter[int] = Counter()
    config, state, runs = PolicyConfig(own_scale=1.0), believed(0.0, 0.3, -0.2, 0.1), 4_000
    for seed in range(runs):
        chosen[choose(state, 0, config, Random(seed)).arm] += 1
        for arm, share in propensities(state, 0, config, Random(seed)).items():
            told[arm] += share  # type: ignore[assignment]
    for arm in range(4):
        assert chosen[arm] / runs == pytest.approx(told[arm] / runs, abs=0.025)


def test_weighting_by_propensities_counts_each_operation_once() -> None:
    config, state, weights = PolicyConfig(), believed(0.0, 1.0), []
    for seed in range(6_000):
        choice = choose(state, 0, config, Random(seed))
        weights.append((choice.arm == 0) / choice.baseline_propensity)
    assert sum(weights) / len(weights) == pytest.approx(1, abs=0.1)


@given(st.floats(0, 1), st.integers(0, 1_000))
def test_unproven_arms_never_get_more_than_their_share(share: float, seed: int) -> None:
    state = believed(0.0, -0.1, -0.1, variance=9.0)
    shares = propensities(state, 0, PolicyConfig(unproven=share), Random(seed))
    assert shares.get(1, 0) + shares.get(2, 0) <= share + 1e-9


def test_what_is_refused_is_never_chosen_but_the_baseline_cannot_be() -> None:
    state = believed(0.0, 5.0, 6.0)
    assert propensities(state, 0, PolicyConfig(), Random(1), refused={0, 1, 2}) == {0: 1.0}
    assert 2 not in propensities(state, 0, PolicyConfig(), Random(1), refused={2})


def test_a_certain_winner_gets_everything_but_the_control_group() -> None:
    config = PolicyConfig(control=0.1, sure_control=1)
    assert propensities(believed(0.0, 50.0), 0, config, Random(1)) == {0: 0.1, 1: 0.9}


def test_the_control_group_is_smaller_where_it_is_sure_what_it_costs() -> None:
    config = PolicyConfig(control=0.1, sure_control=0.5)
    assert propensities(believed(0.0, 50.0), 0, config, Random(1)) == {0: 0.05, 1: 0.95}


def test_a_baseline_that_wins_by_itself_needs_no_control_group() -> None:
    assert propensities(believed(0.0, -50.0), 0, PolicyConfig(control=0.1), Random(1)) == {0: 1.0}


def test_an_arm_that_might_overdraw_the_loss_budget_is_told() -> None:
    config = PolicyConfig(loss_budget=0.02)
    assert overdraws(Normal(-1.0, 0.01), spent=0.0, operations=10, config=config, unit=1.0)
    assert not overdraws(Normal(-1.0, 0.01), spent=0.0, operations=1_000, config=config, unit=1.0)
    assert overdraws(Normal(-1.0, 0.01), spent=20.0, operations=1_000, config=config, unit=1.0)
    assert not overdraws(Normal(1.0, 0.01), spent=1e9, operations=0, config=config, unit=1.0)
    assert not overdraws(Normal(-9.0, 0.01), 0.0, 0, PolicyConfig(), 1.0), "no budget was set"


@pytest.mark.parametrize(
    ("field", "value"), [("control", 1.5), ("unproven", -0.1), ("draws", 0), ("loss_budget", 2)]
)
def test_a_wrong_setting_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PolicyConfig(**{field: value}).checked()  # type: ignore[arg-type]
    assert caught.value.data["field"] == field
