"""Windows hold what a plain list of results says."""

from __future__ import annotations

import json
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.window import CountWindow, TimeWindow, Totals, make_window
from tests.circuit_breaker.histories import breaker, calls

RESULTS = st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 3)), max_size=60)


def counted(results: list[tuple[bool, bool, float]]) -> Totals:
    return Totals(len(results), sum(failed for failed, _, _ in results), sum(slow for _, slow, _ in results))


@given(RESULTS, st.integers(1, 12))
def test_a_count_window_holds_the_last_calls(results: list[tuple[bool, bool, float]], size: int) -> None:
    window = CountWindow(size)
    for index, (failed, slow, _) in enumerate(results, start=1):
        window.record(failed, slow, 0.0)
        assert window.totals(0.0) == counted(results[:index][-size:])
        assert CountWindow(size, window.snapshot()).snapshot() == window.snapshot()


@given(RESULTS, st.integers(1, 12), st.integers(0, 40))
def test_successes_counted_together_are_successes_counted_one_by_one(
    results: list[tuple[bool, bool, float]], size: int, successes: int
) -> None:
    together, one_by_one = CountWindow(size), CountWindow(size)
    for failed, slow, _ in results:
        together.record(failed, slow, 0.0)
        one_by_one.record(failed, slow, 0.0)
    together.record_successes(successes)
    for _ in range(successes):
        one_by_one.record(False, False, 0.0)
    assert together.snapshot() == one_by_one.snapshot()
    assert together.totals(0.0) == one_by_one.totals(0.0)


@given(RESULTS, st.integers(1, 5), st.floats(0, 10))
def test_a_time_window_holds_the_calls_of_the_last_seconds(
    results: list[tuple[bool, bool, float]], seconds: int, later: float
) -> None:
    window, now = TimeWindow(seconds), 100.0
    kept: list[tuple[bool, bool, float]] = []
    for failed, slow, wait in results:
        now += wait
        window.record(failed, slow, now)
        kept.append((failed, slow, now))
    now += later
    expected = counted([each for each in kept if floor(each[2]) > floor(now) - seconds])
    assert window.totals(now) == expected
    assert window.totals(now) == expected, "reading changed something"
    assert TimeWindow(seconds, json.loads(json.dumps(window.snapshot()))).totals(now) == expected


def test_a_clock_that_steps_back_loses_no_call() -> None:
    window = TimeWindow(10)
    window.record(True, False, 1_000.0)
    window.record(True, False, 400.0)
    assert window.totals(1_000.0) == (2, 2, 0)


def test_a_time_window_takes_no_more_room_than_it_has_seconds() -> None:
    window = TimeWindow(5)
    for second in range(1_000):
        window.record(False, False, float(second))
    assert len(window.snapshot()) == 5


def test_another_type_of_window_begins_empty() -> None:
    count, time = BreakerConfig(), BreakerConfig(window_type="time")
    assert make_window(time, CountWindow(3, "SF").snapshot()).totals(0.0).calls == 0
    assert make_window(count, [[0, 3, 2, 1]]).totals(0.0).calls == 0


def test_failures_that_are_older_than_the_window_do_not_open_it() -> None:
    machine = breaker(max_failures=0, window_type="time", window_size=10, minimum_calls=4)
    assert calls(machine, "FFF", 0.0) == []
    assert calls(machine, "F", 10.0) == []
    (transition,) = calls(machine, "FFF", 11.0)
    assert transition.message == "4 of 4 calls failed, which reached failure_rate_threshold = 50 %"


def test_a_window_of_time_is_never_counted_without_the_lock() -> None:
    machine = breaker(window_type="time", minimum_calls=1)
    calls(machine, "SSSS")
    assert machine.relaxed is None


def test_calls_of_one_second_share_a_bucket() -> None:
    window = TimeWindow(10)
    for now in (5.0, 5.5, 5.999):
        window.record(True, True, now)
    assert window.snapshot() == [[5, 3, 3, 3]]
