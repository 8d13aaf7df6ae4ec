"""Signals from what is kept of states: breakers, components, jobs, and how full each resource is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from featurememory.alerts.labels import Labels
from featurememory.alerts.lines import Line
from featurememory.models import (
    Breaker,
    BreakerEvent,
    ComponentState,
    HealthTransition,
    Job,
    ResourceSample,
)
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.observability.span import Span
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.history import read_usage
from featurememory.resource_management.readings import readings
from featurememory.scheduling.due import Stage, look_ahead

_OPEN = (Breaker.State.OPEN, Breaker.State.HALF_OPEN)
_BADNESS = {"healthy": 0.0, "degraded": 1.0, "unhealthy": 2.0}
_FRESH_FOR = timedelta(minutes=2)
_MOST = 2
"""Where a sample of several moments has the largest."""


def breaker_open(span: Span) -> list[Line]:
    """1 while a breaker is open or probing by itself, what an operator lays over it aside."""
    known = Breaker.objects.values_list("name", "operation_type", "model", "computed_state")
    told: dict[str, list[tuple[datetime, float]]] = {}
    events = BreakerEvent.objects.filter(at__gte=span.start).order_by("sequence")
    for name, at, state in events.values_list("name", "at", "computed_state"):
        told.setdefault(name, []).append((at, float(state in _OPEN)))
    before = _breakers_before(span, told)
    return [
        Line(labels_of_breaker(name, type, model), _levels(span, before[name], told[name]))
        if name in told
        else Line(labels_of_breaker(name, type, model), [float(state in _OPEN)] * len(span))
        for name, type, model, state in known
    ]


def labels_of_breaker(name: str, operation_type: str, model: str) -> Labels:
    labels = {"breaker": name, "operation_type": operation_type, "model": model}
    return {key: value for key, value in labels.items() if value}


def _breakers_before(span: Span, names: Iterable[str]) -> dict[str, float]:
    """How those that have moved in the span were when it began."""
    found = {}
    for name in names:
        earlier = BreakerEvent.objects.filter(name=name, at__lt=span.start).order_by("-sequence")
        state = earlier.values_list("computed_state", flat=True).first()
        found[name] = float(state in _OPEN)
    return found


def component_status(span: Span) -> list[Line]:
    """0 healthy, 1 degraded, 2 unhealthy; None while nobody looked. The whole is no component."""
    told: dict[str, list[tuple[datetime, float | None]]] = {}
    moved = HealthTransition.objects.filter(at__gte=span.start).order_by("pk")
    for name, at, after in moved.values_list("component", "at", "after"):
        told.setdefault(name, []).append((at, _BADNESS.get(after)))
    lines = []
    for row in ComponentState.objects.exclude(name=ComponentState.WHOLE):
        changes = told.get(row.name, [])
        if changes:
            first = HealthTransition.objects.filter(component=row.name, at__gte=span.start).order_by("pk")
            before = _BADNESS.get(first.values_list("before", flat=True)[0])
        else:
            before = _BADNESS[row.status]
        values = _levels(span, before, changes)
        if span.end > timezone.now() and row.checked_at < span.end - _FRESH_FOR:
            values[-1] = None
        lines.append(Line({"component": row.name}, values))
    return lines


def job_overdue(span: Span) -> list[Line]:
    """1 for a job whose time has passed, or that hangs; only as things are now."""
    now = timezone.now()
    return [
        Line({"job": row.name}, [float(look_ahead(row.seen, now).stage is Stage.OVERDUE)] * len(span))
        for row in Job.objects.all()
    ]


def constraint_share(span: Span) -> list[Line]:
    """Percent of each limit that is used up."""
    usage, constraints = read_usage(span), limits().constraints
    figures = zip(*(usage.of(name) for name in ResourceUsage._fields), strict=True)
    lines: dict[str, list[float | None]] = {}
    for step, used in enumerate(map(ResourceUsage._make, figures)):
        for each in readings(used, constraints):
            lines.setdefault(each.constraint, [None] * len(span))[step] = round(100 * each.share, 2)
    return [Line({"constraint": name}, values) for name, values in lines.items()]


def commit_time(span: Span) -> list[Line]:
    return _figure(span, "commit_ms_p99", {"component": "ingestion"})


def recognition_time(span: Span) -> list[Line]:
    return _figure(span, "recognition_ms_p99", {"component": "pattern index"})


def sdk_drops(span: Span) -> list[Line]:
    """By how many the total of dropped operations has grown in each step, as far as somebody looked."""
    resolution = HOUR if span.step_s % HOUR == 0 else MINUTE
    earlier = span.start - timedelta(seconds=max(span.step_s, 10 * MINUTE))
    samples = ResourceSample.objects.filter(resolution=resolution, at__gte=earlier, at__lt=span.end)
    grown: list[float | None] = [None] * len(span)
    last: float | None = None
    for at, figures in samples.order_by("at").values_list("at", "figures"):
        if "sdk_dropped" in figures:
            total = figures["sdk_dropped"][_MOST]
            if at >= span.start:
                step = span.index_of(at)
                grown[step] = (grown[step] or 0.0) + max(0.0, total - (total if last is None else last))
            last = total
    return [] if all(each is None for each in grown) else [Line({}, grown)]


def _figure(span: Span, name: str, labels: Labels) -> list[Line]:
    values = read_usage(span).of(name)
    return [] if all(value is None for value in values) else [Line(labels, values)]


def _levels(
    span: Span, before: float | None, changes: Sequence[tuple[datetime, float | None]]
) -> list[float | None]:
    """The worst that held in each step, by its changes; what held at the end of the last."""
    levels: list[float | None] = []
    level, place = before, 0
    for begin in span:
        end = begin + timedelta(seconds=span.step_s)
        seen = [level]
        while place < len(changes) and changes[place][0] < end:
            level = changes[place][1]
            seen.append(level)
            place += 1
        known = [each for each in seen if each is not None]
        levels.append(max(known) if known else None)
    if levels:
        levels[-1] = level
    return levels
