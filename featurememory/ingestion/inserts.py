"""The one place where operations are inserted, in both dialects, by hand-written SQL.

SQLite: statements of a hundred rows. Python's sqlite3 gives up the interpreter lock at every execution and gets
it back late while other threads are busy (588 rows a second were seen row by row beside one busy thread,
50,900 so). PostgreSQL: COPY into a temporary table, then one INSERT that skips what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connection

from featurememory.ingestion.operations import Operation

TABLE = "featurememory_operation"
COLUMNS = (
    "id",
    "series_id",
    "operation_type",
    "model",
    "started_at",
    "received_at",
    "duration_ms",
    "outcome",
    "error_type",
    "error_message",
    "parameters",
    "attributes",
    "score",
    "features",
    "space",
    "recommendation",
    "instance",
    "trace_id",
    "span_id",
    "breaker",
)
_ROWS_A_STATEMENT = 100
_NAMES = ", ".join(COLUMNS)


def insert_operations(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> set[UUID]:
    """Inserts the operations that are not there yet; gives the ids of those it did insert.

    Runs inside the caller's transaction. The ids in `operations` must differ from each other.
    """
    if connection.vendor == "sqlite":
        return _insert_sqlite(operations, series_ids, received_at)
    return _insert_postgresql(operations, series_ids, received_at)


def _insert_sqlite(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> set[UUID]:
    received = _sqlite_time(received_at.astimezone(UTC))
    rows = [
        (
            operation.id.hex,
            series_id,
            operation.operation_type,
            operation.model,
            _sqlite_time(operation.started_at),
            received,
            operation.duration_ms,
            operation.outcome,
            operation.error_type,
            operation.error_message,
            operation.parameters,
            operation.attributes,
            operation.score,
            operation.features,
            operation.space,
            operation.recommendation.hex if operation.recommendation else None,
            operation.instance,
            operation.trace_id,
            operation.span_id,
            operation.breaker,
        )
        for operation, series_id in zip(operations, series_ids, strict=True)
    ]
    # The driver's own cursor: Django's would rewrite two thousand placeholders at each execution.
    database = connection.connection
    (last,) = database.execute(f"SELECT coalesce(max(seq), 0) FROM {TABLE}").fetchone()  # noqa: S608
    inserted = 0
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        part = rows[first : first + _ROWS_A_STATEMENT]
        inserted += database.execute(_sqlite_insert(len(part)), list(chain.from_iterable(part))).rowcount
    if inserted == len(rows):
        return {operation.id for operation in operations}
    news = database.execute(f"SELECT id FROM {TABLE} WHERE seq > ?", [last])  # noqa: S608
    return {UUID(hex=identity) for (identity,) in news}


@cache
def _sqlite_insert(rows: int) -> str:
    row = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO {TABLE} ({_NAMES}) VALUES {', '.join([row] * rows)} ON CONFLICT (id) DO NOTHING"  # noqa: S608


def _sqlite_time(moment: datetime) -> str:
    """A moment in UTC as Django's SQLite backend writes it."""
    return str(moment.replace(tzinfo=None))


def _insert_postgresql(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DELETE ROWS AS"  # noqa: S608
            f" SELECT {_NAMES} FROM {TABLE} WITH NO DATA"
        )
        with cursor.copy(f"COPY incoming ({_NAMES}) FROM STDIN") as copy:
            for operation, series_id in zip(operations, series_ids, strict=True):
                copy.write_row(
                    (
                        operation.id,
                        series_id,
                        operation.operation_type,
                        operation.model,
                        operation.started_at,
                        received_at,
                        operation.duration_ms,
                        operation.outcome,
                        operation.error_type,
                        operation.error_message,
                        str(operation.parameters),
                        str(operation.attributes),
                        operation.score,
                        None if operation.features is None else bytes(operation.features),
                        operation.space,
                        operation.recommendation,
                        operation.instance,
                        operation.trace_id,
                        operation.span_id,
                        operation.breaker,
                    )
                )
        # In the order of their ids, so that two processes with the same operations cannot wait for each other.
        cursor.execute(
            f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM incoming ORDER BY id"  # noqa: S608
            f" ON CONFLICT (id) DO NOTHING RETURNING id"
        )
        return {identity for (identity,) in cursor.fetchall()}
