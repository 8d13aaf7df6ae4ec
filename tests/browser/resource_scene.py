"""Resources as they may look: a day of samples, and cleanups that went well, failed, and are under way."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sin

from featurememory.models import CleanupRun, ProcessRecord, ResourceSample

MB = 2**20


def used(now: datetime, *, is_short: bool = False) -> None:
    """Samples of the last day; `is_short`: memory that runs out in the last quarter of an hour."""
    minute = now.replace(second=0, microsecond=0)
    rows = []
    for back in range(24 * 60):
        late = max(0, 15 - back) / 15 if is_short else 0.0
        figures = {
            "memory_mb": 150 + 8 * sin(back / 90) + 860 * late,
            "host_memory_percent": 41 + 3 * sin(back / 200) + 54 * late,
            "host_cpu_percent": 30 + 20 * sin(back / 45) ** 2,
            "cpu_percent": 4 + 2 * sin(back / 30) ** 2,
            "database_mb": 2_400 - back * 0.4,
            "on_disk_mb": 2_600 - back * 0.3,
            "ingestion_queue": 3.0,
            "waiting_tasks": 0.0,
        }
        rows.append(
            ResourceSample(
                resolution=60,
                at=minute - timedelta(minutes=back),
                samples=4,
                figures={name: [value, value * 0.97, value * 1.05] for name, value in figures.items()},
            )
        )
    ResourceSample.objects.bulk_create(rows, batch_size=500)
    ResourceSample.objects.create(resolution=0, at=now, figures={"memory_mb": 150.0})


def measured(now: datetime, *, is_short: bool = False) -> None:
    """What the processes say of themselves by now."""
    figures = {"memory_mb": 1_011.0 if is_short else 148.0, "cpu_percent": 4.2, "load": 0.8}
    figures |= {
        "host_memory_percent": 95.4 if is_short else 41.0,
        "host_cpu_percent": 34.0,
        "disk_free_mb": 81_000.0,
    }
    for record in ProcessRecord.objects.filter(role=ProcessRecord.Role.WEB):
        record.metrics |= figures
        record.save(update_fields=["metrics"])


def cleaned(now: datetime) -> None:
    CleanupRun.objects.create(
        cause="schedule",
        state="done",
        why=["operations: older than 30 days", "health_snapshots: older than 7 days"],
        started_at=now - timedelta(hours=3),
        ended_at=now - timedelta(hours=3) + timedelta(seconds=12),
        worked_s=12.4,
        removed={"operations": 48_211, "health_snapshots": 240},
        size_before=2_700 * MB,
        size_after=2_640 * MB,
    )
    CleanupRun.objects.create(
        cause="operator",
        actor="olga",
        reason="room for the evaluation run",
        state="failed",
        why=["olga asked for it: room for the evaluation run"],
        started_at=now - timedelta(hours=2),
        ended_at=now - timedelta(hours=2) + timedelta(seconds=20),
        worked_s=20.1,
        error="OperationalError: database is locked",
    )


def cleaning(now: datetime) -> None:
    CleanupRun.objects.create(
        cause="constraint",
        why=["50,300 patterns are known, of 50,000 (max_patterns)"],
        started_at=now - timedelta(seconds=40),
        seen_at=now - timedelta(seconds=1),
        worked_s=39.2,
        resumed=1,
        removed={"patterns": 4_100},
        kept={"patterns": 12},
        size_before=2_640 * MB,
    )
