"""What changed in a span and may explain what its figures do: breakers, optimizations, deploys, notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from featurememory.models import Annotation, BreakerEvent, OptimizationEvent
from featurememory.models.pattern import PATTERNS_A_SPACE
from featurememory.observability.span import Span
from featurememory.optimization.lifecycle import Status

MAX_MARKS = 200
"""Of each sort; the newest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """`kind` is a breaker's new state, `promoted`, `quarantined` or `retired` of an optimization, `deploy` or
    `note`."""

    at: datetime
    kind: str
    subject: str
    """The breaker's name; what is called with an optimization; empty of an annotation."""
    text: str
    actor: str = ""
    reason: str = ""
    key: int = 0
    """The event's, the study's or the annotation's."""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One series."""

    operation_type: str
    model: str

    @property
    def breaker(self) -> str:
        return f"{self.operation_type}:{self.model}" if self.model else self.operation_type


def read_marks(span: Span, of: Scope | None = None) -> tuple[Mark, ...]:
    """The newest of the span, newest first; of everything or of what bears on one series. Three queries."""
    found = [*_breakers(span, of), *_optimizations(span, of), *_annotations(span, of)]
    return tuple(sorted(found, key=lambda mark: mark.at, reverse=True))


def _breakers(span: Span, of: Scope | None) -> Iterator[Mark]:
    events = BreakerEvent.objects.filter(at__gte=span.start, at__lt=span.end).order_by("-at", "-sequence")
    if of is not None:
        events = events.filter(breaker__name=of.breaker)
    columns = ("at", "to_state", "breaker__name", "message", "actor", "reason", "sequence")
    for row in events.values_list(*columns)[:MAX_MARKS]:
        yield Mark(*row)


_TELLING = (Status.PROMOTED.value, Status.QUARANTINED.value, Status.RETIRED.value)


def _optimizations(span: Span, of: Scope | None) -> Iterator[Mark]:
    """What was promoted, and what was taken back: candidates come and go all day."""
    promoted = Status.PROMOTED.value
    left = Q(before=promoted) | Q(after=promoted) | ~Q(actor="")
    events = OptimizationEvent.objects.filter(left, at__gte=span.start, at__lt=span.end, after__in=_TELLING)
    if of is not None:
        events = events.filter(study__operation_type=of.operation_type, study__model=of.model)
    columns = ("at", "after", "study__operation_type", "study__model", "arm__number", "pattern", "actor")
    for at, after, operation_type, model, number, pattern, actor, reason, study in events.order_by(
        "-at", "-id"
    ).values_list(*columns, "reason", "study")[:MAX_MARKS]:
        where = f"in pattern {pattern % PATTERNS_A_SPACE}" if pattern else "everywhere"
        text = f"parameter set {number} {where}"
        yield Mark(at, after, Scope(operation_type, model).breaker, text, actor, reason, study)


def _annotations(span: Span, of: Scope | None) -> Iterator[Mark]:
    """Those that began in the span, or last into it."""
    lasts = Q(at__gte=span.start) | Q(until__gt=span.start)
    rows = Annotation.objects.filter(lasts, at__lt=span.end)
    if of is not None:
        rows = rows.filter(operation_type__in=("", of.operation_type), model__in=("", of.model))
    columns = ("at", "kind", "operation_type", "model", "text", "actor", "id", "until")
    for at, kind, operation_type, model, text, actor, pk, until in rows.values_list(*columns)[:MAX_MARKS]:
        subject = Scope(operation_type, model).breaker.strip(":")
        yield Mark(max(at, span.start), kind, subject, text, actor, "", pk, until)
