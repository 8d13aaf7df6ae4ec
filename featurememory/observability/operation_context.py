"""What stood around one operation: its series' hour, its breaker then, its trace, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from featurememory.circuit_breaker import default_breaker_name
from featurememory.models import Breaker, BreakerEvent, Operation, Rollup, ValidationRecord
from featurememory.models.rollup import OTHER
from featurememory.observability.histogram import Histogram
from featurememory.observability.operations import traced
from featurememory.observability.rollups import DAY, HOUR

VALIDATED_WITHIN = timedelta(seconds=30)
"""Validation notes what it found in the transaction that stores the operation."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One operation among those of its series that ran in the same hour, or on the same day where hours are summed up
    already. Milliseconds; `below` is the share in [0, 1] that took less."""

    start: datetime
    is_day: bool
    ran: int
    p50_ms: float
    p95_ms: float
    below: float


def read_standing(operation: Operation) -> Standing | None:
    """One query; None where nothing is counted of that time, or nothing ran."""
    at = operation.started_at.astimezone(UTC)
    hour = at.replace(minute=0, second=0, microsecond=0)
    places = Q(resolution=HOUR, start=hour) | Q(resolution=DAY, start=hour.replace(hour=0))
    rollup = Rollup.objects.filter(places, series=operation.series_id).order_by("resolution").first()
    histogram = Histogram.from_bytes(rollup.histogram) if rollup else Histogram()
    ran = histogram.count
    if rollup is None or not ran:
        return None
    p50, p95 = histogram.quantiles(0.5, 0.95)
    below = histogram.count_below(operation.duration_ms) / ran
    return Standing(rollup.start, rollup.resolution == DAY, ran, p50, p95, below)


@dataclass(frozen=True, slots=True)
class GuardedBy:
    """The breaker of an operation, and its state when the operation began: what `event` made of it, or what it had been
    before `later`, its first change; closed where it has never changed. `breaker` None: it is not known any more."""

    name: str
    breaker: Breaker | None
    event: BreakerEvent | None = None
    later: BreakerEvent | None = None

    @property
    def state(self) -> str:
        if self.event is not None:
            return self.event.to_state
        return self.later.from_state if self.later is not None else Breaker.State.CLOSED


def read_guard(operation: Operation) -> GuardedBy | None:
    """Three queries, and one where its series has to be looked up; None where nothing guarded it: what is counted
    together with others has no breaker of its own (ingestion/transaction.py)."""
    name = operation.breaker
    if not name:
        series = operation.series
        counted_as = (series.operation_type, series.model)
        if OTHER in counted_as and counted_as != (operation.operation_type, operation.model):
            return None
        name = default_breaker_name(operation.operation_type, operation.model)
    breaker = Breaker.objects.filter(name=name).first()
    if breaker is None:
        return GuardedBy(name, None)
    events = BreakerEvent.objects.filter(breaker=breaker)
    event = events.filter(at__lte=operation.started_at).order_by("-sequence").first()
    later = None if event is not None else events.order_by("sequence").first()
    return GuardedBy(name, breaker, event, later)


def of_the_same_trace(operation: Operation, count: int) -> list[Operation]:
    """Up to `count` others, the earliest first."""
    if not operation.trace_id:
        return []
    others = traced(Operation.objects.all(), operation.trace_id).exclude(pk=operation.pk)
    return list(others.defer("features", "parameters", "attributes").order_by("started_at", "seq")[:count])


def neighbours(operation: Operation) -> tuple[Operation | None, Operation | None]:
    """The one before it and the one after it in its series; two queries."""
    series = Operation.objects.filter(series=operation.series_id).defer(
        "features", "parameters", "attributes"
    )
    at, seq = operation.started_at, operation.pk
    before = series.filter(Q(started_at__lt=at) | Q(seq__lt=seq), started_at__lte=at)
    after = series.filter(Q(started_at__gt=at) | Q(seq__gt=seq), started_at__gte=at)
    return before.order_by("-started_at", "-seq").first(), after.order_by("started_at", "seq").first()


def validations_of(operation: Operation) -> QuerySet[ValidationRecord]:
    """What was found wrong with it: results that name it, noted when it was received."""
    received = operation.received_at
    within = (received - VALIDATED_WITHIN, received + VALIDATED_WITHIN)
    return ValidationRecord.objects.filter(at__range=within, metadata__operation=str(operation.id)).order_by(
        "id"
    )
