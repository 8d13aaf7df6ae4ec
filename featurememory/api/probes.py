"""What an orchestrator of containers asks: alive, and able to serve."""

from __future__ import annotations

from django.db import DatabaseError, connection
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


def _database_trouble() -> str:
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "the database waits for `manage.py migrate`"
    except DatabaseError:
        return "the database does not answer"
    return ""


def _writer_trouble() -> str:
    current = open_intake()
    if current is None:
        return ""
    report = current.writer.report()
    return "the ingestion queue is full" if report.queue_depth >= report.queue_limit else ""
