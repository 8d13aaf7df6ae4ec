"""What an orchestrator of containers asks: alive, and able to serve."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from featurememory.ingestion.receive import open_intake


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The process can serve: its database answers with today's tables, and its writer has room."""
    wrong = _database_trouble() or _writer_trouble()
    if wrong:
        return JsonResponse({"status": "not ready", "reason": wrong}, status=503)
    return JsonResponse({"status": "ready"})


class Migrations:
    """Whether the database has today's tables. Once it has them they stay: only a no is asked again, because the
    answer takes as long as a hundred small queries."""

    def __init__(self) -> None:
        self._are_applied = False

    def are_applied(self) -> bool:
        """DatabaseError where the database does not answer."""
        if not self._are_applied:
            executor = MigrationExecutor(connection)
            self._are_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return self._are_applied

    def forget(self) -> None:
        self._are_applied = False


MIGRATIONS = Migrations()


def _database_trouble() -> str:
    try:
        if not MIGRATIONS.are_applied():
            return "the database waits for `manage.py migrate`"
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return "the database does not answer"
    return ""


def _writer_trouble() -> str:
    current = open_intake()
    if current is None:
        return ""
    if not current.writer.is_running:
        return "the ingestion writer has ended"
    report = current.writer.report()
    return "the ingestion queue is full" if report.queue_depth >= report.queue_limit else ""
