"""Rollups say what a recount of the operations would say, whoever writes and in whatever order."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.operations import Operation
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission
from featurememory.models import Operation as StoredOperation
from featurememory.models import Rollup, Series
from featurememory.observability.histogram import Histogram
from featurememory.observability.rollups import (
    DAY,
    HOUR,
    MINUTE,
    TOTAL,
    RollupKey,
    Tally,
    add_to_rollups,
    tally,
)
from tests.operations import operation

OUTCOMES = ("success", "error", "timeout", "cancelled", "rejected")
BEGIN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_types = count()

reports = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(OUTCOMES),
    st.sampled_from([timedelta(), timedelta(minutes=59, seconds=59), timedelta(hours=-30)])  # also late ones
    | st.timedeltas(timedelta(), timedelta(minutes=5)),
    st.floats(0, 10_000),
)
groups = st.lists(st.lists(reports, max_size=12), max_size=4)


def reported(operation_type: str, report: tuple[str, str, timedelta, float]) -> Operation:
    model, outcome, after, duration_ms = report
    return operation(
        operation_type=operation_type,
        model=model,
        outcome=outcome,
        started_at=(BEGIN + after).isoformat(),
        duration_ms=duration_ms,
    )


def recounted(operation_type: str) -> dict[tuple[int, datetime, str], tuple[Counter[str], list[float]]]:
    """What the rows of operations say: outcomes and durations by (resolution, start, model)."""
    found: dict[tuple[int, datetime, str], tuple[Counter[str], list[float]]] = defaultdict(
        lambda: (Counter(), [])
    )
    for row in StoredOperation.objects.filter(operation_type=operation_type):
        minute = row.started_at.replace(second=0, microsecond=0)
        hour = minute.replace(minute=0)
        places = ((MINUTE, minute), (HOUR, hour), (DAY, hour.replace(hour=0)))
        for place in (*places, (TOTAL, datetime.fromtimestamp(0, UTC))):
            outcomes, durations = found[*place, row.model]
            outcomes[row.outcome] += 1
            if row.outcome != "rejected":
                durations.append(row.duration_ms)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups)
def test_rollups_equal_a_recount_of_the_operations(
    db: None, groups: list[list[tuple[str, str, timedelta, float]]]
) -> None:
    operation_type = f"recount-{next(_types)}"
    store = GroupTransaction(SeriesRegistry(10_000, 10_000), Fleet(10_000)).store
    for group in groups:
        sent = [reported(operation_type, report) for report in group]
        store([Submission(sent), Submission(sent[:3])], timezone.now().timestamp())
    expected = recounted(operation_type)
    rows = Rollup.objects.filter(series__operation_type=operation_type).select_related("series")
    assert {(row.resolution, row.start, row.series.model) for row in rows} == set(expected)
    for row in rows:
        outcomes, durations = expected[row.resolution, row.start, row.series.model]
        assert {name: getattr(row, name) for name in OUTCOMES} == {name: outcomes[name] for name in OUTCOMES}
        assert row.duration_sum_ms == pytest.approx(sum(durations))
        assert row.duration_max_ms == max(durations, default=0.0)
        assert Histogram.from_bytes(row.histogram) == Histogram(durations)


class Result:
    def __init__(self, outcome: str, duration_ms: float) -> None:
        self.outcome = outcome
        self.duration_ms = duration_ms


def test_a_minute_begins_at_its_zeroth_second_and_ends_before_the_next() -> None:
    minute = 1_780_000_020.0 // 60 * 60
    moments = [minute - 1e-3, minute, minute + 59.999, minute + 60]
    tallies = tally({7: [(moment, Result("success", 1.0)) for moment in moments]})
    found = {key.start: each.success for key, each in tallies.items() if key.resolution == MINUTE}
    assert found == {int(minute) - 60: 1, int(minute): 2, int(minute) + 60: 1}
    assert tallies[RollupKey(TOTAL, 0, 7)].success == 4


def test_an_hour_a_day_and_all_time_are_the_sum_of_the_minutes() -> None:
    moments = {60.0: 1.0, 3_540.0: 2.0, 3_600.0: 4.0, 90_000.0: 8.0}
    tallies = tally({7: [(at, Result("success", duration)) for at, duration in moments.items()]})

    hours = {key.start: each.duration_sum_ms for key, each in tallies.items() if key.resolution == HOUR}
    assert hours == {0: 3.0, 3_600: 4.0, 90_000: 8.0}
    days = {key.start: each.duration_sum_ms for key, each in tallies.items() if key.resolution == DAY}
    assert days == {0: 7.0, DAY: 8.0}
    assert tallies[RollupKey(TOTAL, 0, 7)].histogram == Histogram(moments.values())


def test_a_rejected_operation_is_counted_but_has_no_duration() -> None:
    tallies = tally({1: [(0.0, Result("rejected", 5_000.0)), (0.0, Result("cancelled", 2.0))]})
    total = tallies[RollupKey(TOTAL, 0, 1)]
    assert (total.rejected, total.cancelled) == (1, 1)
    assert (total.duration_sum_ms, total.duration_max_ms, total.histogram.count) == (2.0, 2.0, 1)


def test_nothing_to_add_asks_the_database_nothing(django_assert_num_queries: object, db: None) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        add_to_rollups({})


def test_many_rows_take_as_many_statements_as_few(django_assert_max_num_queries: object, db: None) -> None:
    series = Series.objects.create(operation_type="many", model="", first_seen=timezone.now())
    timed = [(minute * 60.0, Result("success", 1.0)) for minute in range(60)]
    with django_assert_max_num_queries(5):  # type: ignore[operator]
        add_to_rollups(tally({series.pk: timed}))
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        add_to_rollups(tally({series.pk: timed}))
    assert Rollup.objects.filter(resolution=MINUTE, success=2).count() == 60


def test_more_rows_than_a_statement_takes_are_all_counted(db: None) -> None:
    series = Series.objects.create(operation_type="very many", model="", first_seen=timezone.now())
    timed = [(minute * 60.0, Result("error", 1.0)) for minute in range(1_000)]
    for _ in range(2):
        add_to_rollups(tally({series.pk: timed}))
    assert Rollup.objects.filter(resolution=MINUTE, error=2).count() == 1_000
    assert sum(Rollup.objects.filter(resolution=HOUR).values_list("error", flat=True)) == 2_000


def test_concurrent_writers_lose_nothing(transactional_db: None) -> None:
    """Each adds to the same rows, in an order of its own; none waits for another in a circle."""
    ids = [
        Series.objects.create(operation_type=f"shared-{n}", model="", first_seen=timezone.now()).pk
        for n in range(3)
    ]
    writers, rounds = 4, 12
    together = threading.Barrier(writers)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            together.wait(30)
            for turn in range(rounds):
                mine = ids[number % 3 :] + ids[: number % 3]
                timed = [(60.0 * ((turn + number) % 5), Result("success", float(turn + 1)))]
                with transaction.atomic():
                    add_to_rollups(tally(dict.fromkeys(mine, timed)))
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    for series_id in ids:
        total = Rollup.objects.get(series_id=series_id, resolution=TOTAL)
        assert total.success == writers * rounds
        assert total.duration_max_ms == rounds
        durations = [float(turn + 1) for turn in range(rounds)] * writers
        assert Histogram.from_bytes(total.histogram) == Histogram(durations)
        minutes = Rollup.objects.filter(series_id=series_id, resolution=MINUTE)
        assert sum(row.success for row in minutes) == writers * rounds


def test_a_tally_adds_up_over_several_calls() -> None:
    whole = Tally()
    whole.add(["success", "error"], [1.0, 2.0])
    whole.add(["success"], [4.0])
    whole.add(["rejected"], [])
    assert (whole.success, whole.error, whole.rejected) == (2, 1, 1)
    assert (whole.duration_sum_ms, whole.duration_max_ms) == (7.0, 4.0)
