"""What pages show of a span of time: latency, rate, errors and saturation, read from rollups and snapshots.

Each function asks one or two queries whatever the span holds, and gives frozen values. Raw operations are
never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import add

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Mod

from featurememory.models import BreakerEvent, HealthSnapshot, ProcessRecord, Rollup, Series, Source
from featurememory.models.rollup import OTHER
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.histogram import Histogram
from featurememory.observability.rollups import MINUTE

SENDER_HEARD_WITHIN = timedelta(minutes=5)
MAX_SAMPLES = 1_500
"""Health snapshots read for one chart; of a longer span every n-th is taken."""
MAX_TRANSITIONS = 200
_SNAPSHOTS_EVERY_S = 15
_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until before `end`, cut into steps of `step_s` seconds; all three are whole steps."""

    start: datetime
    end: datetime
    step_s: int

    @classmethod
    def covering(cls, start: datetime, end: datetime, step_s: int) -> Span:
        """The smallest span of whole steps that holds both moments."""
        first = int(start.timestamp()) // step_s * step_s
        last = -(-int(end.timestamp()) // step_s) * step_s
        return cls(
            datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(max(last, first + step_s), UTC), step_s
        )

    def __len__(self) -> int:
        return int((self.end - self.start).total_seconds()) // self.step_s

    def __iter__(self) -> Iterator[datetime]:
        """When each step begins."""
        return (self.start + timedelta(seconds=self.step_s * index) for index in range(len(self)))

    def index_of(self, moment: datetime) -> int:
        return int((moment - self.start).total_seconds()) // self.step_s


@dataclass(frozen=True, slots=True)
class Figures:
    """How many calls ended how, and how long they took (milliseconds; None when none ran)."""

    success: int = 0
    error: int = 0
    timeout: int = 0
    cancelled: int = 0
    rejected: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    longest: float | None = None

    @property
    def calls(self) -> int:
        return self.success + self.error + self.timeout + self.cancelled + self.rejected

    @property
    def failed(self) -> int:
        return self.error + self.timeout

    @property
    def failed_share(self) -> float | None:
        """Errors and time-outs among the calls that ran to an end; None when none did.

        Cancelled calls say nothing about the callee and rejected ones never ran.
        """
        judged = self.success + self.failed
        return self.failed / judged if judged else None


@dataclass(frozen=True, slots=True)
class SeriesFigures:
    id: int
    operation_type: str
    model: str
    figures: Figures

    @property
    def is_other(self) -> bool:
        """Stands for several that are beyond the limits."""
        return OTHER in (self.operation_type, self.model)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The first three golden signals: per step of the span, per series, and over all."""

    span: Span
    steps: tuple[Figures, ...]
    series: tuple[SeriesFigures, ...]
    total: Figures


@dataclass(frozen=True, slots=True)
class Writer:
    """One web process' ingestion, as it last reported it."""

    process: str
    queue_depth: int
    queue_limit: int
    refused: int
    commit_ms_p99: float | None

    @property
    def fill(self) -> float:
        return self.queue_depth / self.queue_limit if self.queue_limit else 0.0


@dataclass(frozen=True, slots=True)
class Saturation:
    """The fourth signal: how full the fullest queue was in each step (share; None where nobody looked), and now."""

    span: Span
    fill: tuple[float | None, ...]
    commit_ms_p99: tuple[float | None, ...]
    writers: tuple[Writer, ...] = ()
    senders: int = 0
    dropped: int = 0
    """What senders dropped since they started, all of them together."""

    @property
    def refused(self) -> int:
        return sum(writer.refused for writer in self.writers)


@dataclass(frozen=True, slots=True)
class TransitionSeen:
    """One change of a breaker's state."""

    at: datetime
    breaker: str
    from_state: str
    to_state: str
    message: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many series there are, and how many of them stand for those beyond the limits."""

    series: int
    folded: int


@dataclass(slots=True)
class _Sum:
    """What rollups add up to."""

    counts: tuple[int, ...] = (0, 0, 0, 0, 0)
    longest: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, counts: tuple[int, ...], longest: float, histogram: Histogram) -> None:
        self.counts = tuple(map(add, self.counts, counts))
        self.longest = max(self.longest, longest)
        self.histogram.merge(histogram)

    def figures(self) -> Figures:
        success, error, timeout, cancelled, rejected = self.counts
        counted = Figures(success, error, timeout, cancelled, rejected)
        if quantiles := self.histogram.quantiles(*_QUANTILES):
            p50, p95, p99 = quantiles
            return replace(counted, p50=p50, p95=p95, p99=p99, longest=self.longest)
        return counted


def read_traffic(span: Span) -> Traffic:
    """Latency, rate and errors from the minutes' rollups; one query."""
    minutes = Rollup.objects.filter(resolution=MINUTE, start__gte=span.start, start__lt=span.end)
    cells: dict[tuple[int, int, str, str], _Sum] = {}
    for start, *series, success, error, timeout, cancelled, rejected, longest, data in minutes.values_list(
        *_COLUMNS
    ).iterator(5_000):
        counts = (success, error, timeout, cancelled, rejected)
        place = (span.index_of(start), *series)
        cells.setdefault(place, _Sum()).add(counts, longest, Histogram.from_bytes(data))
    by_step: dict[int, _Sum] = {}
    by_series: dict[tuple[int, str, str], _Sum] = {}
    for (step, *series), each in cells.items():
        by_step.setdefault(step, _Sum()).add(each.counts, each.longest, each.histogram)
        by_series.setdefault(tuple(series), _Sum()).add(each.counts, each.longest, each.histogram)
    total = _Sum()
    for each in by_series.values():
        total.add(each.counts, each.longest, each.histogram)
    nothing = _Sum()
    return Traffic(
        span=span,
        steps=tuple(by_step.get(index, nothing).figures() for index in range(len(span))),
        series=_worst_first(SeriesFigures(*key, each.figures()) for key, each in by_series.items()),
        total=total.figures(),
    )


_COLUMNS = (
    "start",
    "series_id",
    "series__operation_type",
    "series__model",
    "success",
    "error",
    "timeout",
    "cancelled",
    "rejected",
    "duration_max_ms",
    "histogram",
)


def _worst_first(series: Iterable[SeriesFigures]) -> tuple[SeriesFigures, ...]:
    """Failures first, by their number; then what keeps callers waiting longest in all."""

    def hurt(each: SeriesFigures) -> tuple[int, float, str, str]:
        waited = (each.figures.p95 or 0.0) * each.figures.calls
        return -(each.figures.failed + each.figures.rejected), -waited, each.operation_type, each.model

    return tuple(sorted(series, key=hurt))


def read_saturation(span: Span, now: datetime) -> Saturation:
    """Queues over the span (from health snapshots) and at `now` (from the processes themselves); three queries."""
    fill: list[float | None] = [None] * len(span)
    commit: list[float | None] = [None] * len(span)
    for at, filled, committed in _samples(span):
        index = span.index_of(at)
        fill[index] = _larger(fill[index], filled)
        commit[index] = _larger(commit[index], committed)
    senders = Source.objects.aggregate(
        recent=Count("pk", filter=Q(last_seen__gte=now - SENDER_HEARD_WITHIN)), dropped=Sum("dropped")
    )
    return Saturation(
        span, tuple(fill), tuple(commit), _writers(now), senders["recent"], senders["dropped"] or 0
    )


def _samples(span: Span) -> Iterator[tuple[datetime, float | None, float | None]]:
    snapshots = HealthSnapshot.objects.filter(at__gte=span.start, at__lt=span.end).order_by("at")
    every = int((span.end - span.start).total_seconds() / _SNAPSHOTS_EVERY_S / MAX_SAMPLES) + 1
    if every > 1:
        snapshots = snapshots.annotate(turn=Mod(F("pk"), every)).filter(turn=0)
    metrics = "components__ingestion__metrics"
    return snapshots.values_list("at", f"{metrics}__queue_fill", f"{metrics}__commit_ms_p99").iterator()


def _larger(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return max(known, default=None)


def _writers(now: datetime) -> tuple[Writer, ...]:
    living = ProcessRecord.objects.filter(role=ProcessRecord.Role.WEB, seen_at__gte=now - SEEN_WITHIN)
    return tuple(
        Writer(
            f"{row.host}:{row.pid}",
            row.metrics["queue_depth"],
            row.metrics["queue_limit"],
            row.metrics.get("refused", 0),
            row.metrics.get("commit_ms_p99"),
        )
        for row in living.order_by("host", "pid")
        if "queue_limit" in row.metrics
    )


def read_transitions(span: Span, limit: int = MAX_TRANSITIONS) -> tuple[TransitionSeen, ...]:
    """The newest changes of breakers' states in the span, newest first; one query."""
    events = BreakerEvent.objects.filter(at__gte=span.start, at__lt=span.end).order_by("-at", "-sequence")
    columns = ("at", "breaker__name", "from_state", "to_state", "message", "actor", "reason")
    return tuple(TransitionSeen(*row) for row in events.values_list(*columns)[:limit])


def read_cardinality() -> Cardinality:
    """One query."""
    others = Q(operation_type=OTHER) | Q(model=OTHER)
    return Cardinality(**Series.objects.aggregate(series=Count("pk"), folded=Count("pk", filter=others)))
