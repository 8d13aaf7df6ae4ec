"""Writers of one SQLite database take turns, across threads and processes.

SQLite lets those who wait sleep and try again: a writer that begins its next transaction the moment its last one is
committed finds them asleep, and an operator's reset waits for seconds while operations pour in. Here whoever wants to
write first passes a gate, a lock on a file beside the database, and stays in it until the transaction has begun. So
one waits inside, and the writer that has just committed comes after it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

_WRITES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE", "REPLACE")


class Connection(sqlite3.Connection):
    """Holds the gate of its database open; one in memory has none."""

    gate: int | None = None

    def __init__(self, database: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(database, *args, **kwargs)
        if os.path.isfile(database):
            self.gate = os.open(f"{database}-gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.geteuid() == 0:  # as SQLite does with its own: the database's owner can open it later
                owner = os.stat(database)
                os.fchown(self.gate, owner.st_uid, owner.st_gid)

    def give_back(self, pages: int) -> None:
        """Gives up to so many free pages back to the disk, when it is its turn to write. As a script, since a cursor
        takes the first page's step for the whole."""
        if self.gate is not None:
            fcntl.flock(self.gate, fcntl.LOCK_EX)
        try:
            self.executescript(f"PRAGMA incremental_vacuum({pages})")
        finally:
            if self.gate is not None:
                fcntl.flock(self.gate, fcntl.LOCK_UN)

    def close(self) -> None:
        gate, self.gate = self.gate, None
        super().close()
        if gate is not None:
            os.close(gate)


class Cursor(base.SQLiteCursorWrapper):
    connection: Connection

    def execute(self, query: str, params: Any = None) -> Any:
        gate = self.connection.gate
        if gate is None or self.connection.in_transaction or not query.startswith(_WRITES):
            return super().execute(query, params)
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            return super().execute(query, params)
        finally:
            fcntl.flock(gate, fcntl.LOCK_UN)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "factory": Connection}

    def create_cursor(self, name: str | None = None) -> Cursor:
        return self.connection.cursor(factory=Cursor)  # type: ignore[no-any-return]
