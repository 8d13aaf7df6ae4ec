"""Operations are stored once each, value by value as they were sent, in both dialects."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.ingestion.inserts import COLUMNS, insert_operations
from featurememory.ingestion.operations import Operation
from featurememory.models import Operation as StoredOperation
from featurememory.models import Series
from tests.operations import operation

RECEIVED = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
_types = count()


def series_id(now: datetime = RECEIVED) -> int:
    return Series.objects.create(operation_type=f"series-{next(_types)}", first_seen=now).pk


def insert(*operations: Operation) -> list[UUID]:
    """The ids of those that were new."""
    place = series_id()
    with transaction.atomic():
        news = insert_operations(operations, [place] * len(operations), RECEIVED)
    return [each.id for each in news]


EVERYTHING: dict[str, Any] = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "operation_type": "žluť 音 'quoted\" \\",
    "model": "m",
    "started_at": "2026-05-04T11:59:59.000001Z",
    "duration_ms": 0.1 + 0.2,
    "outcome": "timeout",
    "error_type": "TimeoutError",
    "error_message": "line\nline\ttab \\N \\. end",
    "parameters": {"steps": 50, "ratio": 0.1, "nested": {"a": [1, None, True, "ü"]}, "big": 2**64 - 1},
    "attributes": {"quote": 'say "hi"', "backslash": "\\n", "u": "\\u0000"},
    "score": 0.30000000000000004,
    "features": [0.1, -2.5, 3e38, 1e-40],
    "space": "wav2vec2-768",
    "recommendation": "01890a5d-ac96-774b-bcce-b302099a8058",
    "instance": "host:1",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
    "breaker": "shared",
}


def test_every_column_reads_back_as_it_was_sent(db: None) -> None:
    sent = operation(**EVERYTHING)
    insert(sent)
    row = StoredOperation.objects.get()
    for name in set(COLUMNS) - {"series_id", "received_at", "parameters", "attributes", "features"}:
        assert getattr(row, name) == getattr(sent, name), name
    assert row.received_at == RECEIVED
    assert row.parameters == EVERYTHING["parameters"]
    assert row.attributes == EVERYTHING["attributes"]
    assert bytes(row.features) == array("f", EVERYTHING["features"]).tobytes()


def test_every_column_of_the_table_is_written_or_given_by_the_database() -> None:
    """`pattern` is filled in for those that have one (set_patterns)."""
    assert {field.column for field in StoredOperation._meta.concrete_fields} == {*COLUMNS, "seq", "pattern"}


def test_what_was_left_out_reads_back_as_nothing(db: None) -> None:
    insert(operation())
    row = StoredOperation.objects.get()
    assert (row.parameters, row.attributes, row.score, row.features) == ({}, {}, None, None)
    assert (row.recommendation, row.breaker, row.trace_id) == (None, "", "")


def test_rows_inserted_by_hand_equal_those_of_the_orm(db: None) -> None:
    """What the database itself holds, without Django's conversions in between."""
    sent = operation(**EVERYTHING)
    insert(sent)
    by_hand = StoredOperation.objects.get()
    names = [name for name in COLUMNS if name != "id"]
    columns = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM featurememory_operation")
        (raw,) = cursor.fetchall()
        values = {name: getattr(by_hand, name) for name in (*COLUMNS, "seq")}
        StoredOperation.objects.all().delete()
        StoredOperation.objects.create(**values)
        cursor.execute(f"SELECT {columns} FROM featurememory_operation")
        (of_orm,) = cursor.fetchall()
    for name, ours, theirs in zip(names, raw, of_orm, strict=True):
        if name in ("parameters", "attributes"):
            assert json.loads(ours) == json.loads(theirs), name
        elif name == "features":
            assert bytes(ours) == bytes(theirs)
        else:
            assert (type(ours), ours) == (type(theirs), theirs), name


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {
            "error_message": texts,
            "parameters": st.dictionaries(texts, values, max_size=3),
            "duration_ms": st.floats(0, 1e8),
            "score": st.none() | st.floats(0, 1),
            "features": st.none()
            | st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
            "started_at": st.timedeltas(timedelta(days=-3_000), timedelta(0)).map(
                lambda before: (RECEIVED + before).isoformat()
            ),
        }
    )
)
def test_any_values_read_back_as_they_were_sent(db: None, sent: dict[str, Any]) -> None:
    stored = operation(**sent)
    insert(stored)
    row = StoredOperation.objects.get(id=stored.id)
    assert row.error_message == sent["error_message"]
    assert row.parameters == sent["parameters"]
    assert (row.duration_ms, row.score) == (sent["duration_ms"], sent["score"])
    assert row.started_at == stored.started_at
    kept = None if row.features is None else array("f", bytes(row.features)).tolist()
    assert kept == sent["features"]


def test_known_operations_are_skipped_and_the_new_ones_told(db: None) -> None:
    first = [operation() for _ in range(5)]
    assert insert(*first) == [each.id for each in first]
    second = [operation(), first[3], operation(), first[0]]
    assert insert(*second) == [second[0].id, second[2].id]
    assert insert(*second) == []
    assert StoredOperation.objects.count() == 7


def test_a_known_operation_keeps_what_it_was_first_told_with(db: None) -> None:
    first = operation(duration_ms=1.0)
    insert(first)
    insert(operation(id=str(first.id), duration_ms=2.0, outcome="error"))
    row = StoredOperation.objects.get()
    assert (row.duration_ms, row.outcome) == (1.0, "success")


def test_more_rows_than_fit_one_statement_arrive_in_order(db: None) -> None:
    sent = [operation() for _ in range(257)]
    assert insert(*sent) == [each.id for each in sent]
    assert insert(*sent[:200], operation(), *sent[200:]) != []
    if connection.vendor == "sqlite":  # PostgreSQL inserts in the order of ids
        assert list(StoredOperation.objects.order_by("seq").values_list("id", flat=True))[:257] == [
            each.id for each in sent
        ]


def test_a_transaction_rolled_back_stores_nothing_and_the_next_goes_on(transactional_db: None) -> None:
    sent, place = operation(), series_id()
    with transaction.atomic():
        insert_operations([sent], [place], RECEIVED)
        transaction.set_rollback(True)
    assert not StoredOperation.objects.exists()
    assert insert(sent) == [sent.id]
