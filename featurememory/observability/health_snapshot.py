"""Looking around, judging (health.py), steadying (hysteresis.py) and writing down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Exists, Min, OuterRef

from featurememory.bus import redis_client
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import (
    AlertChannel,
    AlertDelivery,
    AlertRoute,
    Breaker,
    ComponentState,
    FeatureSpace,
    HealthSnapshot,
    HealthTransition,
    Job,
    Pattern,
    ProcessRecord,
)
from featurememory.observability.health import (
    ChannelSeen,
    Component,
    PatternsSeen,
    ProcessSeen,
    Status,
    judge_breakers,
    judge_database,
    judge_ingestion,
    judge_jobs,
    judge_live_bus,
    judge_notification,
    judge_pattern_index,
    judge_resources,
    overall,
)
from featurememory.observability.hysteresis import Standing, steady
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.monitor import current_usage
from featurememory.resource_management.readings import Reading, readings
from featurememory.resource_management.sizes import database_size
from featurememory.scheduling.due import spell
from featurememory.sequence import lock_sequence

GIVEN_UP_WITHIN = timedelta(hours=1)
STALE_AFTER = timedelta(minutes=1)
"""A snapshot older than this says nothing about now."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What several components are judged by."""

    now: datetime
    processes: tuple[ProcessSeen, ...]


COMPONENTS: dict[str, Callable[[Surroundings], Component]] = {
    "ingestion": lambda seen: judge_ingestion(seen.processes, seen.now),
    "database": lambda seen: judge_database(*_probe_database()),
    "pattern index": lambda seen: judge_pattern_index(_patterns(), seen.processes, seen.now),
    "jobs": lambda seen: judge_jobs(seen.processes, [row.seen for row in Job.objects.all()], seen.now),
    "breakers": lambda seen: judge_breakers(_breaker_states()),
    "resources": lambda seen: judge_resources(*_resources(seen.now)),
    "live bus": lambda seen: judge_live_bus(*_probe_live_bus(), seen.processes, seen.now),
    "notification": lambda seen: judge_notification(_channels(seen.now), seen.now),
}
"""Each component's judge, in the order in which pages show them."""


def take_snapshot(now: datetime) -> HealthSnapshot:
    """Judges every component, steadies the verdicts by what was believed before, and stores what is believed now and
    what has changed; of two at once the later in time counts."""
    verdicts = look_around(now)
    with transaction.atomic():
        be_alone_with(Lock.HEALTH)
        states = _believe(verdicts, now)
        snapshot, _ = HealthSnapshot.objects.get_or_create(
            at=now,
            defaults={
                "status": states[ComponentState.WHOLE].status,
                "components": {
                    name: {
                        "status": states[name].status,
                        "reason": _standing(states[name]).words,
                        "metrics": states[name].metrics,
                        "since": states[name].since.isoformat(),
                    }
                    for name in verdicts
                },
            },
        )
    return snapshot


def look_around(now: datetime) -> dict[str, Component]:
    """Every component's verdict at `now`."""
    processes = tuple(
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
    )
    seen = Surroundings(now, processes)
    return {name: judge(seen) for name, judge in COMPONENTS.items()}


def _believe(verdicts: Mapping[str, Component], now: datetime) -> dict[str, ComponentState]:
    """What is believed of each component and of the whole after these verdicts. Under the lock."""
    known = {row.name: row for row in ComponentState.objects.all()}
    whole = known.get(ComponentState.WHOLE)
    if whole is not None and whole.checked_at >= now and verdicts.keys() <= known.keys():
        return known
    forgotten = {name: row for name, row in known.items() if now - row.checked_at > STALE_AFTER}
    fresh = {name: row for name, row in known.items() if name not in forgotten}
    believed = {name: _steadied(name, each, fresh.get(name), now) for name, each in verdicts.items()}
    believed[ComponentState.WHOLE] = _whole(believed, fresh.get(ComponentState.WHOLE), now)
    HealthTransition.objects.bulk_create([*_lost(forgotten, now), *_moved(fresh, believed, now)])
    ComponentState.objects.exclude(name__in=believed).delete()
    changing = [field.name for field in ComponentState._meta.fields if not field.primary_key]
    ComponentState.objects.bulk_create(
        believed.values(), update_conflicts=True, unique_fields=["name"], update_fields=changing
    )
    return believed


def _lost(forgotten: Mapping[str, ComponentState], now: datetime) -> Iterator[HealthTransition]:
    """Those that nobody has looked at for so long that nothing was known of them meanwhile."""
    for name, row in forgotten.items():
        yield HealthTransition(
            component=name,
            before=row.status,
            after=HealthTransition.UNKNOWN,
            reason=f"Nobody looked for {spell(now - row.checked_at)}.",
            at=row.checked_at,
        )


def _moved(
    before: Mapping[str, ComponentState], believed: Mapping[str, ComponentState], now: datetime
) -> Iterator[HealthTransition]:
    for name, each in believed.items():
        status = before[name].status if name in before else HealthTransition.UNKNOWN
        if status != each.status:
            yield HealthTransition(
                component=name, before=status, after=each.status, reason=each.reason, at=now
            )


def _steadied(name: str, verdict: Component, row: ComponentState | None, now: datetime) -> ComponentState:
    standing = steady(None if row is None else _standing(row), verdict, now)
    return ComponentState(
        name=name,
        status=standing.status,
        since=standing.since,
        reason=standing.reason,
        metrics=dict(verdict.metrics),
        checked_at=now,
        better_status=standing.better_status or "",
        better_since=standing.better_since,
        worse_looks=standing.worse_looks,
        passes=standing.passes,
    )


def _standing(row: ComponentState) -> Standing:
    return Standing(
        Status(row.status),
        row.since,
        row.reason,
        Status(row.better_status) if row.better_status else None,
        row.better_since,
        row.worse_looks,
        row.passes,
    )


def _whole(
    believed: Mapping[str, ComponentState], before: ComponentState | None, now: datetime
) -> ComponentState:
    """As bad as its worst component, which is steady already."""
    status = overall(Status(each.status) for each in believed.values())
    worst = [each for each in believed.values() if each.status == status]
    return ComponentState(
        name=ComponentState.WHOLE,
        status=status,
        since=before.since if before is not None and before.status == status else now,
        reason="All components are healthy."
        if status is Status.HEALTHY
        else " ".join(f"{each.name.capitalize()}: {each.reason}" for each in worst),
        checked_at=now,
    )


def _resources(now: datetime) -> tuple[list[Reading], float]:
    constraints = limits().constraints
    return readings(current_usage(now), constraints), constraints.cleanup_high


def _breaker_states() -> dict[str, int]:
    return dict(Breaker.objects.values_list("state").annotate(count=Count("pk")).order_by())


def _patterns() -> PatternsSeen:
    counts = dict(Pattern.objects.order_by().values_list("space").annotate(count=Count("pk")))
    spaces = list(FeatureSpace.objects.order_by("name").values_list("pk", "name", "version", "seen"))
    return PatternsSeen(
        patterns={name: counts.get(pk, 0) for pk, name, version, _ in spaces if version},
        waiting={name: seen for _, name, version, seen in spaces if not version},
        max_spaces=settings.CONFIGURATION.max_spaces,
        max_patterns=settings.CONFIGURATION.max_patterns,
    )


def _channels(now: datetime) -> list[ChannelSeen]:
    """Those in use: four queries."""
    waiting = AlertDelivery.objects.filter(
        state__in=(AlertDelivery.State.WAITING, AlertDelivery.State.SENDING)
    )
    given_up = AlertDelivery.objects.filter(
        state=AlertDelivery.State.FAILED,
        created_at__gte=now - timedelta(days=2),
        ended_at__gte=now - GIVEN_UP_WITHIN,
    ).exclude(kind=AlertDelivery.Kind.TEST)
    by_channel = waiting.order_by().values_list("channel").annotate(Count("pk"), Min("created_at"))
    open_ones = {channel: (number, oldest) for channel, number, oldest in by_channel}
    failed = dict(given_up.order_by().values_list("channel").annotate(Count("pk")))
    failing = waiting.exclude(error="").order_by("-created_at")
    errors = dict(failing.values_list("channel", "error")[:1_000])
    routed = AlertRoute.objects.filter(channel=OuterRef("pk"))
    seen = []
    for row in AlertChannel.objects.filter(is_enabled=True).annotate(has_route=Exists(routed)):
        number, oldest = open_ones.get(row.pk, (0, None))
        error = errors.get(row.pk, "") or row.refresh_error
        seen.append(ChannelSeen(row.name, row.has_route, number, oldest, failed.get(row.pk, 0), error))
    return seen


def _probe_database() -> tuple[float | None, str, int | None]:
    began = time.perf_counter()
    try:
        with transaction.atomic():
            lock_sequence().save(update_fields=["last"])
    except DatabaseError as failure:
        return None, str(failure), None
    return (time.perf_counter() - began) * 1_000, "", database_size().on_disk


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
