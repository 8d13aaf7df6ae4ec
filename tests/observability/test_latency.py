"""How long something took in the last minute, and nothing older."""

from __future__ import annotations

from itertools import count

import pytest

from featurememory.observability.latency import LATELY_S, MOST_KEPT, LatencyRecord, Quantiles


def test_without_any_there_is_nothing_to_tell() -> None:
    assert LatencyRecord().lately() == Quantiles(0, None, None)


def test_the_median_and_what_one_in_a_hundred_exceeds() -> None:
    record = LatencyRecord(clock=lambda: 0.0)
    for number in range(1, 101):
        record.note(float(number))
    assert record.lately() == Quantiles(100, 51.0, 100.0)


def test_what_is_older_than_a_minute_does_not_count() -> None:
    seconds = 0.0
    record = LatencyRecord(clock=lambda: seconds)
    record.note(900.0)
    seconds = LATELY_S + 1
    record.note(3.0)
    assert record.lately() == Quantiles(1, 3.0, 3.0)


def test_it_keeps_the_newest_and_forgets_the_rest() -> None:
    ticks = count()
    record = LatencyRecord(clock=lambda: 0.0)
    for _ in range(MOST_KEPT + 5):
        record.note(float(next(ticks)))
    assert record.lately().number == MOST_KEPT


def test_what_failed_is_not_timed() -> None:
    record = LatencyRecord()
    with pytest.raises(ValueError, match="no"), record.timing():
        raise ValueError("no")
    assert record.lately().number == 0
    with record.timing():
        pass
    assert record.lately().number == 1
