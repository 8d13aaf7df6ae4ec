"""SQLite's checkpoints, taken off the writer's hands.

A commit that has to checkpoint copies megabytes back into the database file while callers wait. A thread that does
it every second, passively and thus blocking nobody, leaves the writer's own threshold (settings.py) a backstop.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class Checkpoints:
    """The thread; on other databases it does nothing."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        if connection.vendor == "sqlite":
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except DatabaseError as failure:
                logger.warning("a checkpoint failed, the next will do: %s", failure)
                connection.close()
        connection.close()
