"""Looking around, judging (health.py) and writing down."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count

from featurememory.bus import redis_client
from featurememory.models import Breaker, HealthSnapshot, ProcessRecord
from featurememory.observability.health import (
    Component,
    ProcessSeen,
    judge_breakers,
    judge_database,
    judge_ingestion,
    judge_live_bus,
    judge_processes,
    overall,
)
from featurememory.sequence import lock_sequence

STALE_AFTER = timedelta(minutes=1)
"""A snapshot older than this says nothing about now."""


def take_snapshot(now: datetime) -> HealthSnapshot:
    """Judges every component and stores the verdicts."""
    components = look_around(now)
    snapshot, _ = HealthSnapshot.objects.get_or_create(
        at=now,
        defaults={
            "status": overall(components.values()),
            "components": {
                name: {"status": each.status, "reason": each.reason, "metrics": dict(each.metrics)}
                for name, each in components.items()
            },
        },
    )
    return snapshot


def look_around(now: datetime) -> dict[str, Component]:
    """Every component's verdict at `now`."""
    processes = [
        ProcessSeen(
            role=row.role,
            name=f"{row.host}:{row.pid}",
            started_at=row.started_at,
            seen_at=row.seen_at,
            restarts=row.restarts,
            last_exit=row.last_exit,
            metrics=row.metrics,
        )
        for row in ProcessRecord.objects.filter(seen_at__gte=now - timedelta(hours=1))
    ]
    states = dict(Breaker.objects.values_list("state").annotate(count=Count("pk")).order_by())
    return {
        "ingestion": judge_ingestion(processes, now),
        "database": judge_database(*_probe_database()),
        "jobs": judge_processes(processes, now),
        "breakers": judge_breakers(states),
        "live bus": judge_live_bus(*_probe_live_bus(), processes, now),
    }


def _probe_database() -> tuple[float | None, str, int | None]:
    began = time.perf_counter()
    try:
        with transaction.atomic():
            lock_sequence().save(update_fields=["last"])
    except DatabaseError as failure:
        return None, str(failure), None
    return (time.perf_counter() - began) * 1_000, "", database_bytes()


def database_bytes() -> int | None:
    """How much room the database takes on disk, in bytes; None where there is no telling."""
    if connection.vendor == "sqlite":
        path = Path(str(settings.DATABASES["default"]["NAME"]))
        files = (path, path.with_name(path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
        return int(size)


def _probe_live_bus() -> tuple[str, str]:
    client = redis_client()
    if client is None:
        return ("SQLite's data version" if connection.vendor == "sqlite" else "polling"), ""
    from redis import RedisError

    try:
        client.ping()
    except RedisError as failure:
        return "Redis", str(failure)
    return "Redis", ""
