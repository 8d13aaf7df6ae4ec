"""What is to be told, written down before it is sent: a delivery for each telling, in the same transaction as the
memory that it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from django.db import transaction
from django.db.models import Q

from featurememory.alerts.grouping import (
    Memory,
    Route,
    Seen,
    Telling,
    Timing,
    Told,
    key_of,
    look_at_group,
    routes_of,
)
from featurememory.alerts.labels import matchers_of
from featurememory.alerts.snapshots import seen, snapshot
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Alert, AlertChannel, AlertDelivery, AlertGroup, AlertRoute

MOST_ALERTS = 1_000
"""In one message; it says how many it leaves out."""
AT_ONCE = Timing(wait=timedelta(0), interval=timedelta(0), repeat=None)
"""Alertmanager groups and repeats by itself."""


@dataclass(slots=True)
class _Group:
    route: AlertRoute
    key: str
    labels: dict[str, str]
    row: AlertGroup | None = None
    members: list[Seen] = field(default_factory=list)


def plan_deliveries(now: datetime) -> int:
    """Writes down whatever is due at `now`; how many deliveries that made. Called again it makes none anew: what was
    told is remembered in the same transaction, and the event's key is unique besides."""
    with transaction.atomic():
        be_alone_with(Lock.NOTIFICATION)
        routes = list(
            AlertRoute.objects.filter(channel__is_enabled=True).select_related("channel", "escalate_to")
        )
        if not routes:
            return 0
        rows = list(AlertGroup.objects.filter(route__in=routes))
        alerts = _alerts(rows)
        deliveries: list[AlertDelivery] = []
        for group in _grouped(routes, rows, alerts).values():
            memory = _remembered(group.row)
            after, tellings = look_at_group(memory, group.members, timing_of(group.route), now)
            if after != memory:
                _remember(group, after)
            deliveries += (_delivery(group, each, alerts, now) for each in tellings)
        return _write(deliveries)


def timing_of(route: AlertRoute) -> Timing:
    """An Alertmanager's is its own; only escalation is ours."""
    after = None if route.escalate_after_s is None else timedelta(seconds=route.escalate_after_s)
    if route.channel.kind == AlertChannel.Kind.ALERTMANAGER:
        return Timing(AT_ONCE.wait, AT_ONCE.interval, None, after)
    return Timing(
        timedelta(seconds=route.group_wait_s),
        timedelta(seconds=route.group_interval_s),
        timedelta(seconds=route.repeat_s),
        after,
        route.send_resolved,
    )


def told_alerts(groups: Iterable[AlertGroup]) -> set[int]:
    """Ids of the alerts that somebody was told of and has not been told the end of."""
    return {int(each["id"]) for group in groups for each in group.told.values()}


def _alerts(groups: Iterable[AlertGroup]) -> dict[int, Alert]:
    """What fires, and what was told to."""
    wanted = Q(state__in=(Alert.State.FIRING, Alert.State.ACKNOWLEDGED))
    rows = {row.pk: row for row in Alert.objects.filter(wanted)}
    missing = sorted(told_alerts(groups) - rows.keys())
    for first in range(0, len(missing), 5_000):
        rows |= Alert.objects.in_bulk(missing[first : first + 5_000])
    return rows


def _grouped(
    routes: list[AlertRoute], rows: Iterable[AlertGroup], alerts: Mapping[int, Alert]
) -> dict[tuple[int, str], _Group]:
    """An alert stays in the group that it was told in, whatever became of its labels and the route's settings."""
    by_id = {route.pk: route for route in routes}
    plain = [_plain(route) for route in routes]
    open_alerts = {pk for pk, row in alerts.items() if row.state != Alert.State.RESOLVED}
    as_seen = {pk: seen(row, open_alerts) for pk, row in alerts.items()}
    groups: dict[tuple[int, str], _Group] = {}
    stays: dict[tuple[int, str], str] = {}
    for row in rows:
        group = groups[row.route_id, row.key] = _Group(by_id[row.route_id], row.key, row.labels, row)
        for fingerprint, told in row.told.items():
            stays[row.route_id, fingerprint] = row.key
            if (known := as_seen.get(int(told["id"]))) is not None:
                group.members.append(known)
    for alert in as_seen.values():
        taken_by = routes_of(alert, plain) if alert.is_open else iter(())
        for route in taken_by:
            if _would_come_back(by_id[route.id], alerts[alert.id]):
                continue
            labels = route.group_of(alert)
            key = stays.get((route.id, alert.fingerprint)) or key_of(labels)
            group = groups.setdefault((route.id, key), _Group(by_id[route.id], key, labels))
            if alert not in group.members:
                group.members.append(alert)
    return groups


def _would_come_back(route: AlertRoute, alert: Alert) -> bool:
    """What an Alertmanager told us is not told to one: it may be the same."""
    return route.channel.kind == AlertChannel.Kind.ALERTMANAGER and alert.source == Alert.Source.ALERTMANAGER


def _plain(route: AlertRoute) -> Route:
    is_grouped = route.channel.kind != AlertChannel.Kind.ALERTMANAGER
    return Route(
        route.pk,
        matchers_of(route.matchers),
        tuple(route.severities),
        tuple(route.group_by) if is_grouped else (),
        route.continues,
    )


def _remembered(row: AlertGroup | None) -> Memory:
    if row is None:
        return Memory()
    return Memory({name: Told.of(each) for name, each in row.told.items()}, row.told_at)


def _remember(group: _Group, memory: Memory) -> None:
    if not memory.told:
        if group.row is not None:
            group.row.delete()
        return
    row = group.row or AlertGroup(route=group.route, key=group.key, labels=group.labels)
    row.told = {name: each.as_json() for name, each in memory.told.items()}
    row.told_at = memory.told_at
    row.save()


def _delivery(group: _Group, telling: Telling, alerts: Mapping[int, Alert], now: datetime) -> AlertDelivery:
    told = list(chain(_told(telling.firing, alerts, False), _told(telling.resolved, alerts, True)))
    to = group.route.escalate_to if telling.to_escalation else group.route.channel
    assert to is not None  # noqa: S101 - the table's constraint: escalation is whole
    return AlertDelivery(
        channel=to,
        channel_name=to.name,
        route=group.route,
        group_key=group.key,
        group_labels=group.labels,
        kind=telling.kind.value,
        event_key=f"{group.route.pk}:{group.key[:16]}:{'e' if telling.to_escalation else 'm'}:{telling.key}",
        alerts=told[:MOST_ALERTS],
        left_out=max(0, len(told) - MOST_ALERTS),
        created_at=now,
        next_attempt_at=now,
    )


def _write(deliveries: list[AlertDelivery]) -> int:
    """Those whose event has none yet."""
    keys = [each.event_key for each in deliveries]
    known = set(AlertDelivery.objects.filter(event_key__in=keys).values_list("event_key", flat=True))
    made = AlertDelivery.objects.bulk_create(
        [each for each in deliveries if each.event_key not in known], batch_size=500
    )
    return len(made)


def _told(ids: Iterable[int], alerts: Mapping[int, Alert], is_over: bool) -> Iterator[dict[str, object]]:
    for each in ids:
        if each in alerts:
            yield dict(snapshot(alerts[each], is_over=is_over))
