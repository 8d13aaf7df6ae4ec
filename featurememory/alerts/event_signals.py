"""Signals that count what happened: each reads the rows in which that is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, Sum

from featurememory.alerts.labels import Labels
from featurememory.alerts.lines import Line
from featurememory.alerts.state_signals import labels_of_breaker
from featurememory.models import (
    Breaker,
    BreakerEvent,
    CleanupRun,
    HealthTransition,
    JobRun,
    OptimizationEvent,
    ValidationTally,
)
from featurememory.observability.rollups import HOUR
from featurememory.observability.span import Span
from featurememory.optimization.lifecycle import Cause, Status


def breaker_opened(span: Span) -> list[Line]:
    """Transitions to open, not those of an operator."""
    opened = BreakerEvent.objects.filter(_within(span), to_state=Breaker.State.OPEN, actor="").exclude(
        from_state=Breaker.State.HALF_OPEN
    )
    rows = opened.values_list("name", "breaker__operation_type", "breaker__model", "at")
    return _counted(
        span, ((labels_of_breaker(name, type or "", model or ""), at) for name, type, model, at in rows)
    )


def component_worse(span: Span) -> list[Line]:
    """A component became unhealthy."""
    moved = HealthTransition.objects.filter(_within(span), after="unhealthy").exclude(component="all")
    return _counted(span, (({"component": name}, at) for name, at in moved.values_list("component", "at")))


def optimization_rolled_back(span: Span) -> list[Line]:
    """What was promoted and turned out to be no good."""
    taken_back = (Cause.REGRESSED, Cause.CREDIBLY_WORSE)
    return _moves(span, Q(before=Status.PROMOTED, cause__in=taken_back))


def optimization_quarantined(span: Span) -> list[Line]:
    """What was tried and turned out to be worse than the baseline."""
    return _moves(span, Q(after=Status.QUARANTINED, actor="") & ~Q(before=Status.PROMOTED))


def _moves(span: Span, which: Q) -> list[Line]:
    moved = OptimizationEvent.objects.filter(_within(span) & which)
    rows = moved.values_list("study__operation_type", "study__model", "at")
    return _counted(span, (({"operation_type": type, "model": model}, at) for type, model, at in rows))


def cleanup_failed(span: Span) -> list[Line]:
    failed = CleanupRun.objects.filter(
        state=CleanupRun.State.FAILED, ended_at__gte=span.start, ended_at__lt=span.end
    )
    ended = failed.values_list("ended_at", flat=True)
    return _counted(span, [({}, at) for at in ended if at is not None])


def job_failed(span: Span) -> list[Line]:
    failed = JobRun.objects.filter(
        status=JobRun.Status.FAILED, ended_at__gte=span.start, ended_at__lt=span.end
    )
    rows = failed.values_list("job", "ended_at")
    return _counted(span, [({"job": job}, at) for job, at in rows if at is not None])


def validation_failures(span: Span) -> list[Line]:
    """They are counted by the hour: each step has those of the hours that it touches."""
    hours = Span.covering(span.start, span.end, HOUR)
    tallies = ValidationTally.objects.filter(hour__gte=hours.start, hour__lt=hours.end).exclude(code="")
    lines: dict[tuple[str, str], list[float | None]] = {}
    rows = tallies.values_list("validator", "source", "hour").annotate(Sum("count")).order_by()
    for validator, source, hour, count in rows:
        values = lines.setdefault((validator, source), [0.0] * len(span))
        for step, begin in enumerate(span):
            if (
                hour.timestamp() < begin.timestamp() + span.step_s
                and begin.timestamp() < hour.timestamp() + HOUR
            ):
                values[step] = (values[step] or 0.0) + count
    return [
        Line({"validator": validator, "source": source}, values)
        for (validator, source), values in lines.items()
    ]


def _within(span: Span) -> Q:
    return Q(at__gte=span.start, at__lt=span.end)


def _counted(span: Span, happened: Iterable[tuple[Labels, datetime]]) -> list[Line]:
    """How often each label set is there in each step; label sets that are not there have no line."""
    counts: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
    for labels, at in happened:
        values = counts.setdefault(tuple(sorted(labels.items())), [0.0] * len(span))
        step = span.index_of(at)
        values[step] = (values[step] or 0.0) + 1
    return [Line(dict(labels), values) for labels, values in counts.items()]
