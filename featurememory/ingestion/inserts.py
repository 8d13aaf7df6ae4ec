"""The one place where operations are inserted, in both dialects, by hand-written SQL.

SQLite: statements of a hundred rows. Python's sqlite3 gives up the interpreter lock at every execution and gets
it back late while other threads are busy (588 rows a second were seen row by row beside one busy thread,
50,900 so). PostgreSQL: COPY into a temporary table, then one INSERT that skips what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from uuid import UUID

from django.db import connection

from featurememory.ingestion.operations import Operation

TABLE = "featurememory_operation"
_CONVERTED = ("id", "series_id", "started_at", "received_at", "recommendation")
_AS_THEY_ARE = (
    "operation_type",
    "model",
    "duration_ms",
    "outcome",
    "error_type",
    "error_message",
    "parameters",
    "attributes",
    "score",
    "features",
    "space",
    "instance",
    "trace_id",
    "span_id",
    "breaker",
)
COLUMNS = (*_CONVERTED, *_AS_THEY_ARE)
_ROWS_A_STATEMENT = 100
_NAMES = ", ".join(COLUMNS)
_values = itemgetter(*_AS_THEY_ARE)


def insert_operations(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> Sequence[Operation]:
    """Inserts the operations that are not there yet; gives those it did insert.

    Runs inside the caller's transaction. The ids in `operations` must differ from each other, their times be in
    UTC.
    """
    if connection.vendor == "sqlite":
        return _insert_sqlite(operations, series_ids, received_at)
    return _insert_postgresql(operations, series_ids, received_at)


def set_patterns(patterns: Mapping[UUID, int]) -> None:
    """Notes the pattern that each operation's features belong to; inside the caller's transaction."""
    is_sqlite = connection.vendor == "sqlite"
    pairs = [(id.hex if is_sqlite else id, pattern) for id, pattern in patterns.items()]
    with connection.cursor() as cursor:
        for first in range(0, len(pairs), _ROWS_A_STATEMENT):
            part = pairs[first : first + _ROWS_A_STATEMENT]
            rows = ", ".join(["(%s, %s)"] * len(part))
            cursor.execute(
                f"UPDATE {TABLE} SET pattern = column2 FROM (VALUES {rows}) AS found WHERE id = column1",  # noqa: S608
                list(chain.from_iterable(part)),
            )


def _insert_sqlite(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> Sequence[Operation]:
    received = _sqlite_time(received_at)
    rows = [
        (
            operation.id.hex,
            series_id,
            _sqlite_time(operation.started_at),
            received,
            operation.recommendation and operation.recommendation.hex,
            *_values(operation.__dict__),
        )
        for operation, series_id in zip(operations, series_ids, strict=True)
    ]
    # The driver's own connection: Django's cursor would rewrite two thousand placeholders at each execution.
    database = connection.connection
    (last,) = database.execute(f"SELECT coalesce(max(seq), 0) FROM {TABLE}").fetchone()  # noqa: S608
    inserted = 0
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        part = rows[first : first + _ROWS_A_STATEMENT]
        inserted += database.execute(_sqlite_insert(len(part)), list(chain.from_iterable(part))).rowcount
    if inserted == len(rows):
        return operations
    news = {identity for (identity,) in database.execute(f"SELECT id FROM {TABLE} WHERE seq > ?", [last])}  # noqa: S608
    return [operation for operation in operations if operation.id.hex in news]


@cache
def _sqlite_insert(rows: int) -> str:
    row = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO {TABLE} ({_NAMES}) VALUES {', '.join([row] * rows)} ON CONFLICT (id) DO NOTHING"  # noqa: S608


def _sqlite_time(moment: datetime) -> str:
    """A moment in UTC as Django's SQLite backend writes it: without its offset."""
    return moment.isoformat(" ")[:-6]


def _insert_postgresql(
    operations: Sequence[Operation], series_ids: Sequence[int], received_at: datetime
) -> Sequence[Operation]:
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
                        operation.started_at,
                        received_at,
                        operation.recommendation,
                        *_values(operation.__dict__),
                    )
                )
        # In the order of their ids, so that two processes with the same operations cannot wait for each other.
        cursor.execute(
            f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM incoming ORDER BY id"  # noqa: S608
            f" ON CONFLICT (id) DO NOTHING RETURNING id"
        )
        news = {identity for (identity,) in cursor.fetchall()}
    if len(news) == len(operations):
        return operations
    return [operation for operation in operations if operation.id in news]
