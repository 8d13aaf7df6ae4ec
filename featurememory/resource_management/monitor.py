"""Looking at what is used: this process, its host, the database, and what waits in queues.

Each process looks at itself and at its host with its heartbeat (ProcessRecord.metrics); what the whole installation
uses is the sum over those that live. A job keeps samples of it.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NamedTuple

import psutil
from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from featurememory.bus import redis_client
from featurememory.models import Operation, Optimization, Pattern, ProcessRecord, ResourceSample, Source
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.host import memory_use, proportional_memory_mb
from featurememory.resource_management.sizes import MB, database_file, database_size, table_sizes
from featurememory.resource_management.tables import TABLES, sizes_of, table_of

KEEP_MOMENTS_S, KEEP_MINUTES_S = 24 * HOUR, 14 * 24 * HOUR
RESTARTS = "FEATUREMEMORY_RESTARTS"
"""The environment's name for how often a process was started again: set where a supervisor starts them
(serving/supervisor.py)."""
RING = 240
"""Looks that a process remembers of itself."""


class Look(NamedTuple):
    """What a process sees of itself and of its host; None where there is no telling."""

    at: float
    """Seconds since the Unix epoch."""
    memory_mb: float | None
    """Of this process and its children (PSS)."""
    cpu_percent: float
    """Of one core, since the last look."""
    host_memory_percent: float | None
    host_cpu_percent: float
    load: float
    """Processes that run or want to, over the last minute (the system's load average)."""
    disk_free_mb: float | None


class ProcessMonitor:
    """Looks at this process; remembers its last looks. One process also looks at the supervisor that started it."""

    def __init__(self, *, with_supervisor: bool = False) -> None:
        self._process = psutil.Process()
        self._others = [os.getppid()] if with_supervisor and RESTARTS in os.environ else []
        self._process.cpu_percent()  # from here on
        psutil.cpu_percent()
        self._lock = Lock()
        self.looks: deque[Look] = deque(maxlen=RING)

    def look(self, now: datetime) -> Look:
        """Takes about a millisecond."""
        with self._lock:
            use = memory_use()
            look = Look(
                at=now.timestamp(),
                memory_mb=self._memory_mb(),
                cpu_percent=round(self._process.cpu_percent(), 1),
                host_memory_percent=None if use is None else round(use.percent, 1),
                host_cpu_percent=psutil.cpu_percent(),
                load=round(os.getloadavg()[0], 2),
                disk_free_mb=disk_free_mb(),
            )
            self.looks.append(look)
            return look

    def _memory_mb(self) -> float | None:
        children = [child.pid for child in self._process.children(recursive=True)]
        found = [proportional_memory_mb(pid) for pid in (self._process.pid, *children, *self._others)]
        return round(sum(each for each in found if each is not None), 1) if found[0] is not None else None


def disk_free_mb() -> float | None:
    """Where SQLite's file lies; a PostgreSQL server's disk is its own."""
    file = database_file()
    if file is None or not file.parent.exists():
        return None
    return round(shutil.disk_usage(file.parent).free / MB, 1)


class Host(NamedTuple):
    """One machine of the installation, by what its processes have last said; sums, and the worst they have seen."""

    name: str
    processes: int
    memory_mb: float
    cpu_percent: float
    host_memory_percent: float | None
    host_cpu_percent: float | None
    load: float | None
    disk_free_mb: float | None


def hosts(now: datetime) -> list[Host]:
    """Those of which a living process has told, by name."""
    by_host: dict[str, dict[int, dict[str, Any]]] = {}
    for record in ProcessRecord.objects.filter(seen_at__gte=now - SEEN_WITHIN):
        if "memory_mb" in record.metrics:
            by_host.setdefault(record.host, {})[record.pid] = record.metrics
    return [_host(name, list(processes.values())) for name, processes in sorted(by_host.items())]


def _host(name: str, told: list[dict[str, Any]]) -> Host:
    def worst(figure: str, of: Any = max) -> float | None:
        return of((each[figure] for each in told if each.get(figure) is not None), default=None)  # type: ignore[no-any-return]

    return Host(
        name,
        len(told),
        round(sum(each["memory_mb"] or 0 for each in told), 1),
        round(sum(each.get("cpu_percent") or 0 for each in told), 1),
        worst("host_memory_percent"),
        worst("host_cpu_percent"),
        worst("load"),
        worst("disk_free_mb", min),
    )


def current_usage(now: datetime) -> ResourceUsage:
    """What is used; of several machines that one which uses most."""
    table = table_of("operations")
    operations = table.size(sizes_of(table))
    return pressing_usage(now)._replace(
        database_mb=round(database_size({Operation._meta.db_table: operations}).in_use / MB, 1),
        operations=operations.rows,
        patterns=Pattern.objects.count(),
        optimizations=Optimization.objects.count(),
    )


def pressing_usage(now: datetime) -> ResourceUsage:
    """As `current_usage`, as far as it decides whether operations are taken; one query."""
    machines, own = hosts(now), memory_use()
    percents = [each.host_memory_percent for each in machines if each.host_memory_percent is not None]
    return ResourceUsage(
        memory_mb=max((each.memory_mb for each in machines), default=None),
        host_memory_percent=max([*percents, *([round(own.percent, 1)] if own else [])], default=None),
        disk_free_mb=disk_free_mb(),
    )


class TableFigures(NamedTuple):
    kind: str
    rows: int
    bytes: int


def table_figures() -> list[TableFigures]:
    """About how much each kind of row takes, the largest first."""
    learned = {"patterns": Pattern._meta.db_table, "optimizations": Optimization._meta.db_table}
    known = {**sizes_of(*TABLES), **table_sizes(learned.values())}
    found = [TableFigures(table.kind, *table.size(known)) for table in TABLES]
    found += [TableFigures(kind, *known[name]) for kind, name in learned.items()]
    return sorted(found, key=lambda each: -each.bytes)


def waiting_tasks() -> int | None:
    """Messages that wait for a worker; None where the broker does not answer."""
    client = redis_client()
    if client is None:
        folder = settings.CONFIGURATION.broker_dir
        return sum(1 for each in folder.iterdir() if each.suffix == ".msg") if folder.is_dir() else 0
    from redis import RedisError

    try:
        return int(client.llen("celery"))
    except RedisError:
        return None


def take_sample(now: datetime) -> dict[str, float]:
    """Keeps what is used by now: as a moment, and in the sample of its minute and of its hour."""
    figures = _figures(now)
    with transaction.atomic():
        ResourceSample.objects.get_or_create(resolution=0, at=now, defaults={"figures": figures})
        for resolution in (MINUTE, HOUR):
            _add(resolution, now, figures)
        for resolution, kept_s in ((0, KEEP_MOMENTS_S), (MINUTE, KEEP_MINUTES_S)):
            oldest = datetime.fromtimestamp(now.timestamp() - kept_s, UTC)
            ResourceSample.objects.filter(resolution=resolution, at__lt=oldest).delete()
    return figures


def _figures(now: datetime) -> dict[str, float]:
    machines = hosts(now)
    usage = current_usage(now)
    web = ProcessRecord.objects.filter(role=ProcessRecord.Role.WEB, seen_at__gte=now - SEEN_WITHIN)
    figures: dict[str, float | None] = usage._asdict() | {
        "cpu_percent": round(sum(each.cpu_percent for each in machines), 1) if machines else None,
        "host_cpu_percent": max((each.host_cpu_percent or 0 for each in machines), default=None),
        "load": max((each.load or 0 for each in machines), default=None),
        "on_disk_mb": round(database_size().on_disk / MB, 1),
        "ingestion_queue": sum(record.metrics.get("queue_depth", 0) for record in web),
        "waiting_tasks": waiting_tasks(),
        "sdk_dropped": Source.objects.aggregate(all=Sum("dropped"))["all"] or 0,
    }
    for slowest in ("commit_ms_p99", "recognition_ms_p99"):
        told = [record.metrics[slowest] for record in web if record.metrics.get(slowest) is not None]
        figures[slowest] = max(told, default=None)
    return {name: value for name, value in figures.items() if value is not None}


def _add(resolution: int, now: datetime, figures: dict[str, float]) -> None:
    at = datetime.fromtimestamp(int(now.timestamp()) // resolution * resolution, UTC)
    row, made = ResourceSample.objects.select_for_update().get_or_create(
        resolution=resolution,
        at=at,
        defaults={"figures": {name: [value, value, value] for name, value in figures.items()}},
    )
    if made:
        return
    for name, value in figures.items():
        mean, least, most = row.figures.get(name, (value, value, value))
        mean += (value - mean) / (row.samples + 1)
        row.figures[name] = [round(mean, 2), min(least, value), max(most, value)]
    row.samples += 1
    row.save(update_fields=["figures", "samples"])
