"""Old operations by the hundred thousand, written by SQL as the API stores them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg

from tests.servers import RunningServer

_COLUMNS = (
    "id, series_id, started_at, received_at, operation_type, model, duration_ms, outcome, error_type, error_message,"
    " parameters, attributes, score, features, space, instance, trace_id, span_id, breaker"
)
_LIKE = (
    "operation_type, model, duration_ms, outcome, '', '', parameters, attributes,"
    " NULL, NULL, '', instance, '', '', ''"
)
_SQLITE = f"""
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
    INSERT INTO featurememory_operation ({_COLUMNS})
    SELECT printf('%032x', n), series_id, :at, :at, {_LIKE}
    FROM number CROSS JOIN (SELECT * FROM featurememory_operation LIMIT 1)"""
_POSTGRESQL = f"""
    INSERT INTO featurememory_operation ({_COLUMNS})
    SELECT lpad(to_hex(n), 32, '0')::uuid, series_id, %(at)s, %(at)s, {_LIKE}
    FROM generate_series(1, %(count)s) AS n CROSS JOIN (SELECT * FROM featurememory_operation LIMIT 1) AS one"""
_AGE = "UPDATE featurememory_operation SET started_at = {0}, received_at = {0}"


def fill(server: RunningServer, count: int, age: timedelta) -> None:
    """So many more, all of one age, like the first that there is, which becomes as old."""
    past = datetime.now(UTC) - age
    if url := server.environment.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            connection.execute(_AGE.format("%(at)s"), {"at": past})
            connection.execute(_POSTGRESQL, {"at": past, "count": count})
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE featurememory_operation")
        return
    with closing(sqlite3.connect(server.data_dir / "featurememory.sqlite3", timeout=60)) as database:
        moment = past.isoformat(" ")[:-6]
        database.execute(_AGE.format(":at"), {"at": moment})
        database.execute(_SQLITE, {"at": moment, "count": count})
        database.commit()


def younger_than(server: RunningServer, moment: datetime) -> int:
    """How many operations began after the moment."""
    if url := server.environment.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            found = connection.execute(_COUNT.format("%(at)s"), {"at": moment}).fetchone()
            return int(found[0]) if found else 0
    with closing(sqlite3.connect(server.data_dir / "featurememory.sqlite3", timeout=60)) as database:
        return int(database.execute(_COUNT.format(":at"), {"at": moment.isoformat(" ")[:-6]}).fetchone()[0])


_COUNT = "SELECT count(*) FROM featurememory_operation WHERE started_at > {0}"
