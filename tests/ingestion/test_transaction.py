"""A group commit counts each operation once, wherever and however often it was handed in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.operations import Operation, Sender
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission, Written
from featurememory.models import Breaker, BreakerEvent, Rollup, Series, Source
from featurememory.models import Operation as StoredOperation
from featurememory.models.rollup import OTHER
from featurememory.observability.rollups import TOTAL
from tests.operations import operation


def new_store(types: int = 1_000, models: int = 1_000, breakers: int = 1_000) -> GroupTransaction:
    return GroupTransaction(SeriesRegistry(types, models), Fleet(breakers))


def told(*operations: Operation) -> Submission:
    return Submission(operations)


def store(*submissions: Submission, by: GroupTransaction | None = None) -> list[tuple[int, int]]:
    """(accepted, duplicates) of each submission."""
    written: list[Written] = (by or new_store()).store(submissions, timezone.now().timestamp())
    return [(each.accepted, each.duplicates) for each in written]


def counted() -> int:
    rows = Rollup.objects.filter(resolution=TOTAL)
    return sum(row.success + row.error + row.timeout + row.cancelled + row.rejected for row in rows)


def test_the_first_submission_that_holds_an_id_is_credited_with_it(db: None) -> None:
    a, b, c = operation(), operation(), operation()
    assert store(told(a, b), told(b, c, c), told(a)) == [(2, 0), (1, 2), (0, 1)]
    assert store(told(c, operation())) == [(1, 1)]
    assert StoredOperation.objects.count() == counted() == 4


ids = st.lists(st.lists(st.integers(0, 7), max_size=6), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ids, max_size=3))
def test_any_repetition_is_stored_counted_and_credited_once(db: None, groups: list[list[list[int]]]) -> None:
    before, stored_before = counted(), StoredOperation.objects.count()
    pool = [operation(outcome="error", operation_type="repeated") for _ in range(8)]
    by, seen, accepted = new_store(), set[int](), 0
    for group in groups:
        for submission, (new, old) in zip(
            group, store(*[told(*[pool[n] for n in each]) for each in group], by=by), strict=True
        ):
            assert (new, old) == (len(set(submission) - seen), len(submission) - len(set(submission) - seen))
            seen.update(submission)
            accepted += new
    assert accepted == len(seen)
    assert StoredOperation.objects.count() - stored_before == counted() - before == accepted


def test_a_repeated_delivery_changes_no_table(db: None) -> None:
    failing = [operation(outcome="error") for _ in range(3)]
    by = new_store()

    def everything() -> list[object]:
        rows = [*Rollup.objects.order_by("pk").values(), *StoredOperation.objects.order_by("pk").values()]
        return [
            *rows,
            *Breaker.objects.values("name", "machine", "version", "epoch"),
            *BreakerEvent.objects.values(),
        ]

    store(told(*failing), by=by)
    before = everything()
    assert store(told(*failing), told(failing[0]), by=by) == [(0, 3), (0, 1)]
    assert everything() == before


def test_a_breaker_sees_each_operation_once(db: None) -> None:
    failing = [operation(operation_type="transcription", model="w", outcome="error") for _ in range(4)]
    by = new_store()
    for _ in range(3):
        store(told(*failing), told(*failing), by=by)
    breaker = Breaker.objects.get(name="transcription:w")
    assert breaker.state == "closed", "four failures in a row are one too few"
    store(told(operation(operation_type="transcription", model="w", outcome="timeout")), by=by)
    breaker.refresh_from_db()
    assert (breaker.state, breaker.version) == ("open", BreakerEvent.objects.get().sequence)
    (event,) = BreakerEvent.objects.all()
    assert (event.from_state, event.to_state, event.actor) == ("closed", "open", "")


@pytest.mark.parametrize("outcome", ["cancelled", "rejected"])
def test_what_says_nothing_about_the_model_makes_no_breaker(db: None, outcome: str) -> None:
    store(told(*[operation(outcome=outcome) for _ in range(10)]))
    assert not Breaker.objects.exists()


def test_results_count_for_the_breaker_the_caller_chose(db: None) -> None:
    store(
        told(*[operation(model=f"m{n}", breaker="shared", outcome="error") for n in range(5)]),
    )
    (breaker,) = Breaker.objects.all()
    assert (breaker.name, breaker.state) == ("shared", "open")


def test_failures_count_in_the_order_in_which_the_calls_ended(db: None, now: datetime) -> None:
    """Four failures, then a success that began first but ended last: never five in a row."""
    moment = now.timestamp()

    def at(second: float, duration_ms: float, outcome: str) -> Operation:
        began = datetime.fromtimestamp(moment - 100 + second, UTC).isoformat()
        return operation(started_at=began, duration_ms=duration_ms, outcome=outcome)

    failures = [at(n, 100, "error") for n in range(1, 9)]
    success = at(0, 4_500, "success")
    store(told(success, *failures))
    assert Breaker.objects.get().state == "closed"


def test_folded_series_are_all_counted_under_other(db: None) -> None:
    by = new_store(types=1)
    store(told(operation(operation_type="known")), by=by)
    store(told(*[operation(operation_type=f"stranger-{n}", outcome="error") for n in range(20)]), by=by)
    assert Rollup.objects.get(resolution=TOTAL, series__operation_type=OTHER).error == 20


def test_folded_series_trip_no_breaker(db: None) -> None:
    by = new_store(types=1)
    store(told(operation(operation_type="known")), by=by)
    store(told(*[operation(operation_type=f"stranger-{n}", outcome="error") for n in range(20)]), by=by)
    assert [breaker.name for breaker in Breaker.objects.all()] == ["known:audioldm"]
    assert Series.objects.filter(operation_type=OTHER).count() == 1
    kept = StoredOperation.objects.filter(operation_type__startswith="stranger-")
    assert kept.count() == 20, "their own names are kept in the operations"


def test_a_folded_operation_may_still_name_its_breaker(db: None) -> None:
    by = new_store(types=1)
    store(told(operation(operation_type="known")), by=by)
    store(told(operation(operation_type="stranger", breaker="mine", outcome="error")), by=by)
    assert Breaker.objects.filter(name="mine").exists()


def test_breakers_are_bounded_and_those_that_are_open_stay(db: None) -> None:
    by = new_store(breakers=3)
    store(told(*[operation(breaker="bad", outcome="error") for _ in range(5)]), by=by)
    for n in range(10):
        store(told(operation(breaker=f"b{n}")), by=by)
    assert Breaker.objects.count() == 3
    assert Breaker.objects.get(name="bad").state == "open"


def sender(dropped: int, instance: str = "i", sdk: str = "python 1") -> Submission:
    return Submission([], Sender(instance=instance, sdk=sdk, dropped=dropped))


def test_what_a_sender_dropped_only_grows(db: None) -> None:
    by = new_store()
    for dropped, expected in ((3, 3), (7, 7), (5, 7), (7, 7), (8, 8)):
        store(sender(dropped), by=by)
        assert Source.objects.get().dropped == expected


def test_the_newest_total_of_a_group_counts(db: None) -> None:
    store(sender(3), sender(9), sender(1, instance="j"))
    assert dict(Source.objects.values_list("instance", "dropped")) == {"i": 9, "j": 1}


def test_a_group_whose_deliveries_arrive_out_of_order_keeps_the_larger_total(db: None) -> None:
    store(sender(9), sender(3))
    assert Source.objects.get().dropped == 9


def test_a_sender_is_known_from_when_to_when(db: None) -> None:
    by = new_store()
    by.store([sender(0)], 1_780_000_000.0)
    by.store([sender(0, sdk="python 2")], 1_780_000_100.0)
    source = Source.objects.get()
    assert (source.last_seen - source.first_seen).total_seconds() == 100
    assert source.sdk == "python 2"


def test_a_failed_transaction_stores_nothing_and_the_next_begins_afresh(transactional_db: None) -> None:
    by = new_store()
    failing = [operation(operation_type="t", model="m", outcome="error") for _ in range(3)]
    store(told(*failing), by=by)
    more = [operation(operation_type="t", model="m", outcome="error") for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE featurememory_source RENAME TO taken_away")
    try:
        with pytest.raises(Exception, match="featurememory_source"):
            by.store([told(*more), sender(1)], timezone.now().timestamp())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE taken_away RENAME TO featurememory_source")
    assert StoredOperation.objects.count() == counted() == 3
    assert Breaker.objects.get().state == "closed"
    assert store(told(*more), sender(1), by=by) == [(2, 0), (0, 0)]
    assert StoredOperation.objects.count() == counted() == 5
    assert Breaker.objects.get().state == "open"


def test_series_of_a_failed_transaction_are_made_again(transactional_db: None) -> None:
    by = new_store()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE featurememory_operation RENAME TO taken_away")
    try:
        with pytest.raises(Exception, match="featurememory_operation"):
            store(told(operation()), by=by)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE taken_away RENAME TO featurememory_operation")
    assert not Series.objects.exists()
    assert store(told(operation()), by=by) == [(1, 0)]
    assert StoredOperation.objects.get().series_id == Series.objects.get().pk
