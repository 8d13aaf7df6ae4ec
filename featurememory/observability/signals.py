"""What pages show of a span of time beside its traffic: saturation, and how many series.

Each function asks a fixed number of queries whatever the span holds, and gives frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Q, Sum

from featurememory.models import HealthSnapshot, ProcessRecord, Series, Source
from featurememory.models.rollup import OTHER
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.span import Span

SENDER_HEARD_WITHIN = timedelta(minutes=5)
MAX_SAMPLES = 1_500
"""Health snapshots read for one chart; of a longer span every n-th is taken."""
_SNAPSHOTS_EVERY_S = 15


class Look(NamedTuple):
    """How full the fullest queue was at one moment."""

    at: float
    """Seconds since the Unix epoch."""
    queue_fill: float | None
    commit_ms_p99: float | None


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
class Cardinality:
    """How many series there are, and how many of them stand for those beyond the limits."""

    series: int
    folded: int


def read_saturation(span: Span, now: datetime) -> Saturation:
    """Queues over the span, from health snapshots, and at `now`, from the processes themselves; five queries."""
    fill: list[float | None] = [None] * len(span)
    commit: list[float | None] = [None] * len(span)
    start = span.start.timestamp()
    for at, filled, committed in LOOKS.within(span):
        index = int(at - start) // span.step_s
        fill[index] = _larger(fill[index], filled)
        commit[index] = _larger(commit[index], committed)
    senders = Source.objects.aggregate(
        recent=Count("pk", filter=Q(last_seen__gte=now - SENDER_HEARD_WITHIN)), dropped=Sum("dropped")
    )
    return Saturation(
        span, tuple(fill), tuple(commit), _writers(now), senders["recent"], senders["dropped"] or 0
    )


class Looks:
    """What health snapshots said of the queues. Snapshots never change: a process reads each once."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._known: dict[int, Look] = {}

    def within(self, span: Span) -> list[Look]:
        """Those of the span, of a long one every n-th; two queries, and one more for snapshots not looked at yet."""
        within = HealthSnapshot.objects.filter(at__gte=span.start, at__lt=span.end)
        first, last = (within.order_by(way).values_list("pk", flat=True).first() for way in ("at", "-at"))
        if first is None or last is None:
            return []
        start, end = span.start.timestamp(), span.end.timestamp()
        every = int((end - start) / _SNAPSHOTS_EVERY_S / MAX_SAMPLES) + 1
        wanted = range(-(-first // every) * every, last + 1, every)
        known = self._known
        if strangers := [pk for pk in wanted if pk not in known]:
            known = known | _looks_of(strangers)
            self._known = dict(list(known.items())[-self._most :])
        return [look for look in map(known.get, wanted) if look and start <= look.at < end]

    def forget(self) -> None:
        self._known = {}


def _looks_of(snapshots: list[int]) -> dict[int, Look]:
    metrics = "components__ingestion__metrics"
    columns = ("pk", "at", f"{metrics}__queue_fill", f"{metrics}__commit_ms_p99")
    rows = HealthSnapshot.objects.filter(pk__in=snapshots).order_by().values_list(*columns)
    return {pk: Look(at.timestamp(), *figures) for pk, at, *figures in rows}


LOOKS = Looks()


def _larger(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return one if other is None else other
    return one if one > other else other


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


def read_cardinality() -> Cardinality:
    """One query."""
    others = Q(operation_type=OTHER) | Q(model=OTHER)
    return Cardinality(**Series.objects.aggregate(series=Count("pk"), folded=Count("pk", filter=others)))
