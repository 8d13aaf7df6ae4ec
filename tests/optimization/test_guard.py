"""Changes are noticed soon, chance rarely is taken for one, and what came before a change is let go."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from featurememory.optimization.guard import ArmGuard, PairGuard, Quarantine


def test_a_drop_of_three_standard_deviations_is_noticed_within_five_outcomes() -> None:
    random, guard = Random(1), PairGuard()
    for _ in range(50):
        assert guard.record(0.0, random.gauss(0, 1)) is None
    noticed = [guard.record(-3.0, random.gauss(-3, 0.3)) for _ in range(5)]
    assert "down" in noticed


def test_a_rise_is_noticed_as_one() -> None:
    guard = PairGuard()
    assert [guard.record(3.0, 3.0) for _ in range(5)][-1] == "up"


def test_without_a_change_thousands_of_outcomes_raise_hardly_an_alarm() -> None:
    random, alarms, guard = Random(2), 0, PairGuard()
    for _ in range(20_000):
        if guard.record(0.0, random.gauss(0, 1)):
            alarms, guard = alarms + 1, PairGuard()
    assert alarms <= 5


def test_one_gross_outlier_raises_no_alarm() -> None:
    assert PairGuard().record(-1e9, -1e9) is None


def test_only_what_came_after_the_change_is_left() -> None:
    guard = PairGuard()
    for _ in range(20):
        guard.record(1.0, 0.4)
    while guard.record(-2.0, -3.0) is None:
        pass
    assert guard.since("down").mean == -2.0


def test_an_arm_has_changed_only_when_several_patterns_say_so() -> None:
    lonely, shared = ArmGuard(), ArmGuard()
    assert not any(lonely.record(1, -1.0, -3.0) for _ in range(20))
    assert any(shared.record(pattern % 3, -1.0, -3.0) for pattern in range(20))


@given(st.lists(st.floats(-5, 5), max_size=40))
def test_a_restored_guard_goes_on_as_if_nothing_had_happened(residuals: list[float]) -> None:
    guard = PairGuard()
    for residual in residuals:
        guard.record(residual, residual)
    restored = PairGuard.restored(json.loads(json.dumps(guard.snapshot())))
    for residual in (-3.0, 2.0, -3.0, -3.0):
        assert restored.record(residual, residual) == guard.record(residual, residual)
    assert restored.snapshot() == guard.snapshot()


def test_each_quarantine_lasts_twice_as_long() -> None:
    quarantine, visits = Quarantine(), 100
    for expected in (25, 50, 100):
        quarantine = quarantine.again(visits)
        assert quarantine.until == visits + expected
        assert quarantine.holds(visits + expected - 1)
        visits += expected
        assert not quarantine.holds(visits)
