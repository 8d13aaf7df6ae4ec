"""What signals say: a figure of each label set, step by step. Plain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from featurememory.alerts.labels import Labels
from featurememory.alerts.rules import Kind
from featurememory.observability.span import Span

FIGURES = frozenset({Kind.THRESHOLD, Kind.CHANGE, Kind.ABSENCE})
STATES = frozenset({Kind.THRESHOLD})
COUNTS = frozenset({Kind.EVENT, Kind.THRESHOLD})


@dataclass(frozen=True, slots=True)
class Line:
    """Of one label set. A value is None where there is no telling."""

    labels: Labels
    values: Sequence[float | None]
    calls: Sequence[int] = field(default=())
    """How many calls each value rests on; empty where that is no question."""


Read = Callable[[Span], list[Line]]
"""The label sets that had anything in the span. Its steps are whole minutes."""


BoundOf = Callable[[Labels], float]
ReadAbove = Callable[[Span, BoundOf], list[Line]]
"""As Read, of one step. Of label sets whose figure lies below their bound, something between the two may stand for
it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule may look at."""

    name: str
    title: str
    unit: str
    """`%`, `ms`, or what is counted."""
    labels: tuple[str, ...]
    kinds: frozenset[Kind]
    description: str
    read: Read
    above: ReadAbove | None = None
    """Where it costs less to find what lies above a bound than to read all."""
    has_past: bool = True
    """Whether it can tell what was; what only tells what is cannot be tried on history."""
