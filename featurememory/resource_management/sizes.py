"""How much room the database and its tables take. What would have to be counted row by row is estimated: a look must
not cost more than the room it finds.

SQLite's free pages, and what PostgreSQL's tables hold of rows that are gone, are room that new rows will use: they are
on disk, but not in use.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError, connection

MB = 2**20
_PAGES_LOOKED_AT = 60
"""Of each table and index; their rows tell how much room the others take."""
_ROW_HEADER = 28
"""Bytes that PostgreSQL adds to each row."""


class TableSize(NamedTuple):
    """About how many rows a table has, and what they take with their indexes, in bytes."""

    rows: int
    bytes: int

    @property
    def bytes_a_row(self) -> float:
        return self.bytes / self.rows if self.rows else 0.0


Sizes = Mapping[str, TableSize]
"""By table."""


class DatabaseSize(NamedTuple):
    """In bytes."""

    on_disk: int
    in_use: int


def database_size(tables: Sizes | None = None) -> DatabaseSize:
    """Of PostgreSQL all that is on disk is in use as far as its `tables` say nothing else."""
    if connection.vendor == "sqlite":
        return _sqlite_size()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (on_disk,) = cursor.fetchone()
        free = 0
        for name, size in (tables or {}).items():
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [name])
            free += max(0, cursor.fetchone()[0] - size.bytes)
    return DatabaseSize(int(on_disk), int(on_disk - free))


def table_sizes(tables: Collection[str]) -> Sizes:
    """By table; three queries."""
    return _sqlite_tables(tables) if connection.vendor == "sqlite" else _postgresql_tables(tables)


def free_pages() -> int:
    """Of SQLite's file: such that could be given back."""
    return _pragma("freelist_count")


def database_file() -> Path | None:
    """SQLite's."""
    return Path(str(settings.DATABASES["default"]["NAME"])) if connection.vendor == "sqlite" else None


def _sqlite_size() -> DatabaseSize:
    page, pages, free = (_pragma(name) for name in ("page_size", "page_count", "freelist_count"))
    path = database_file()
    wal = path.with_name(path.name + "-wal") if path else None
    written_ahead = wal.stat().st_size if wal is not None and wal.exists() else 0
    return DatabaseSize(page * pages + written_ahead, page * (pages - free))


def _pragma(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return int(cursor.fetchone()[0])


def _sqlite_tables(tables: Collection[str]) -> Sizes:
    with connection.cursor() as cursor:
        rows = _sqlite_rows(cursor, tables)
        marks = ", ".join(["%s"] * len(rows))
        cursor.execute(
            f"SELECT name, tbl_name FROM sqlite_master WHERE rootpage > 0 AND tbl_name IN ({marks})",  # noqa: S608
            list(rows),
        )
        trees = dict(cursor.fetchall())
        try:
            taken = _bytes_a_cell(cursor, trees)
        except DatabaseError:  # a SQLite without its table of pages: all rows are taken for equally long
            each = _sqlite_size().in_use / max(1, sum(rows.values()))
            taken = {name: each for name, table in trees.items() if name == table}
    widths: dict[str, float] = {}
    for name, table in trees.items():
        widths[table] = widths.get(table, 0.0) + taken.get(name, 0.0)
    return {table: TableSize(count, round(widths.get(table, 0.0) * count)) for table, count in rows.items()}


def _sqlite_rows(cursor: Any, tables: Collection[str]) -> dict[str, int]:
    """By the numbers of the first and the last row: whoever removes the oldest leaves no gaps."""
    ends = " UNION ALL ".join(
        f"SELECT '{table}', (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})"  # noqa: S608 - ours
        for table in tables
    )
    cursor.execute(ends)
    return {table: 0 if first is None else last - first + 1 for table, first, last in cursor.fetchall()}


def _bytes_a_cell(cursor: Any, trees: Collection[str]) -> dict[str, float]:
    """Of tables and indexes: what one row takes there, by their first pages."""
    if not trees:
        return {}
    first = f"SELECT name, pgsize, ncell, pagetype FROM dbstat WHERE name = %s LIMIT {_PAGES_LOOKED_AT}"  # noqa: S608
    pages = " UNION ALL ".join([f"SELECT * FROM ({first})"] * len(trees))  # noqa: S608
    figures = "name, sum(pgsize), sum(CASE WHEN pagetype = 'leaf' THEN ncell ELSE 0 END)"
    cursor.execute(f"SELECT {figures} FROM ({pages}) GROUP BY name", list(trees))  # noqa: S608
    return {name: taken / cells if cells else 0.0 for name, taken, cells in cursor.fetchall()}


def _postgresql_tables(tables: Collection[str]) -> Sizes:
    """By what autovacuum has last seen of them; those that it never saw are looked at now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relname = ANY(%s) AND reltuples < 0 AND pg_table_size(oid) > 0",
            [list(tables)],
        )
        for (unseen,) in cursor.fetchall():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(unseen)}")
        cursor.execute(
            "SELECT relname, greatest(reltuples, 0), pg_table_size(oid), pg_indexes_size(oid),"
            " (SELECT sum(avg_width * (1 - null_frac)) FROM pg_stats"
            "  WHERE schemaname = current_schema() AND tablename = relname)"
            " FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%s)",
            [list(tables)],
        )
        return {table: _postgresql_size(*figures) for table, *figures in cursor.fetchall()}


def _postgresql_size(rows: float, heap: int, indexes: int, width: float | None) -> TableSize:
    if not rows or not heap or width is None:
        return TableSize(int(rows), int(heap + indexes))
    in_use = min(1.0, rows * (float(width) + _ROW_HEADER) / heap)
    return TableSize(int(rows), int((heap + indexes) * in_use))
