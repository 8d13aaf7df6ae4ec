"""All that the page of one operation shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from dashboard.nested_values import Entries, entries_of
from dashboard.operation_rows import pattern_labels
from dashboard.parameter_sets import ParameterSet, compared
from dashboard.words import BREAKER_STATES, OUTCOMES, Look, duration, pattern_name, plural, share
from featurememory.models import Feedback, Operation, Recommendation, ValidationRecord
from featurememory.models.pattern import PATTERNS_A_SPACE
from featurememory.observability.operation_context import (
    GuardedBy,
    Standing,
    neighbours,
    of_the_same_trace,
    read_guard,
    read_standing,
    validations_of,
)

TRACE_SHOWN = 20
VALIDATIONS_SHOWN = 5
AROUND = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Given:
    """The recommendation that it followed; `got` is what was recommended."""

    recommendation: Recommendation
    got: ParameterSet


@dataclass(frozen=True, slots=True)
class Neighbour:
    operation: Operation
    look: Look


@dataclass(frozen=True, slots=True)
class OperationPage:
    operation: Operation
    look: Look
    standing: Standing | None
    place: str
    """Where its duration stands, in a sentence."""
    parameters: Entries
    attributes: Entries
    pattern: str
    """Its name; empty where it belongs to none."""
    is_pattern_known: bool
    given: Given | None
    guard: GuardedBy | None
    guard_look: Look | None
    guard_words: str
    feedback: Feedback | None
    trace: tuple[Neighbour, ...]
    is_trace_cut: bool
    previous: Neighbour | None
    following: Neighbour | None
    validations: Sequence[ValidationRecord]

    @property
    def delay_ms(self) -> float:
        """From its end until it was received; clocks that differ may make it negative."""
        ended = self.operation.started_at + timedelta(milliseconds=self.operation.duration_ms)
        return (self.operation.received_at - ended).total_seconds() * 1_000

    @property
    def delay_words(self) -> str:
        if self.delay_ms < 0:
            return f"{duration(-self.delay_ms)} before its end by its own clock"
        return f"{duration(self.delay_ms)} after its end"

    @property
    def around(self) -> str:
        """The query of its series' operations in the hour around it."""
        at = self.operation.started_at
        given = {"operation_type": self.operation.operation_type, "model": self.operation.model}
        span = {"from": f"{at - AROUND:%Y-%m-%dT%H:%MZ}", "to": f"{at + AROUND:%Y-%m-%dT%H:%MZ}"}
        return urlencode({**{name: each for name, each in given.items() if each}, **span})


def find_operation(id: UUID) -> Operation | None:
    return Operation.objects.select_related("series").defer("features").filter(id=id).first()


def read_operation_page(operation: Operation) -> OperationPage:
    """A dozen queries at most, each along an index."""
    standing = read_standing(operation)
    guard = read_guard(operation)
    trace = of_the_same_trace(operation, TRACE_SHOWN + 1)
    before, after = neighbours(operation)
    pattern, is_known = _pattern(operation)
    return OperationPage(
        operation=operation,
        look=OUTCOMES[operation.outcome],
        standing=standing,
        place=_place(operation, standing),
        parameters=entries_of(operation.parameters),
        attributes=entries_of(operation.attributes),
        pattern=pattern,
        is_pattern_known=is_known,
        given=_given(operation),
        guard=guard,
        guard_look=BREAKER_STATES[guard.state] if guard and guard.breaker else None,
        guard_words=_guard_words(guard),
        feedback=Feedback.objects.filter(pk=operation.id).first(),
        trace=tuple(_neighbour(each) for each in trace[:TRACE_SHOWN]),
        is_trace_cut=len(trace) > TRACE_SHOWN,
        previous=_neighbour(before) if before else None,
        following=_neighbour(after) if after else None,
        validations=list(validations_of(operation)[:VALIDATIONS_SHOWN]),
    )


def _neighbour(operation: Operation) -> Neighbour:
    return Neighbour(operation, OUTCOMES[operation.outcome])


def _pattern(operation: Operation) -> tuple[str, bool]:
    """Its name, and whether it is (still) known."""
    if operation.pattern is None:
        return "", False
    labels = pattern_labels([operation.pattern])
    name = pattern_name(operation.pattern % PATTERNS_A_SPACE, labels.get(operation.pattern, ""))
    return name, operation.pattern in labels


def _given(operation: Operation) -> Given | None:
    if operation.recommendation is None:
        return None
    kept = (
        Recommendation.objects.select_related("arm", "baseline").filter(pk=operation.recommendation).first()
    )
    return Given(kept, compared(kept.arm.parameters, kept.baseline.parameters)) if kept else None


def _place(operation: Operation, standing: Standing | None) -> str:
    if operation.outcome == Operation.Outcome.REJECTED:
        return "It was refused and never ran, so its duration is not compared."
    if standing is None:
        return "Nothing is counted any more of the time around it, so its duration cannot be compared."
    if standing.ran == 1:
        return "It was the only one of its series that ran then."
    of = f"the {plural(standing.ran, 'operation')} of {operation.series} that ran {_when(standing)}"
    if standing.below == 0:
        return f"None was quicker, of {of}."
    return f"Slower than {share(standing.below)} of {of}."


def _when(standing: Standing) -> str:
    if standing.is_day:
        return f"on {standing.start:%Y-%m-%d} (UTC)"
    return f"in the hour from {standing.start:%H:%M} UTC"


def _guard_words(guard: GuardedBy | None) -> str:
    if guard is None:
        return "None: what is counted together with others has no breaker of its own."
    if guard.breaker is None:
        return "It is not known any more, or was never reported to the server."
    if guard.event is not None:
        return ""
    if guard.later is not None:
        return "no change from before is known; the first one came later"
    return "it has never changed"
