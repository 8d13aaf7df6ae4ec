"""What may go of each kind of row, and taking it away from the old end, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from django.db import connection, transaction
from django.db.models import Min, Model

from featurememory.models import (
    Alert,
    AlertDelivery,
    AlertEvent,
    Annotation,
    AuditEntry,
    Belief,
    BreakerEvent,
    CleanupRun,
    Feedback,
    HealthSnapshot,
    HealthTransition,
    JobRun,
    LocalTransition,
    Operation,
    OptimizationEvent,
    Recommendation,
    ResourceSample,
    Rollup,
    ValidationRecord,
    ValidationTally,
)
from featurememory.observability.coarsening import forget_days, forget_hours, forget_minutes
from featurememory.observability.rollups import DAY, HOUR, MINUTE
from featurememory.resource_management.sizes import Sizes, TableSize, table_sizes

Bound = TypeVar("Bound")
Remove = Callable[[int], int]
"""Removes up to so many rows in one transaction; how many went, 0 when none is left."""


class Table(Protocol[Bound]):
    """Rows of one kind, oldest first. A bound lies behind the last row that may go; None where none may."""

    kind: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the database's tables that it is about."""

    def size(self, known: Sizes) -> TableSize:
        """By the sizes of its tables."""

    def bound_by_age(self, moment: datetime) -> Bound | None:
        """Before it lies what is older than the moment."""

    def bound_keeping(self, rows: int, protected: datetime) -> Bound | None:
        """Behind it lie the newest `rows`, and all that is not older than `protected`."""

    def rows_before(self, bound: Bound) -> int: ...

    def remover(self, bound: Bound) -> Remove:
        """Goes from the oldest on. Where it has been it does not look again: until they are cleaned away, PostgreSQL
        walks over all rows that went."""


class Operations:
    """By their order of arrival, so that what goes is one end of the table: nobody has to search for it, and it leaves
    whole pages behind. An operation that was received before a moment has not begun after it."""

    kind = "operations"
    names = (Operation._meta.db_table,)

    def size(self, known: Sizes) -> TableSize:
        """Their number is that of places between the first and the last; the database knows how wide they are."""
        first, last = self._ends()
        rows = last - first + 1 if last else 0
        size = known[self.names[0]]
        return TableSize(rows, round(size.bytes_a_row * rows) if size.rows else size.bytes)

    def bound_by_age(self, moment: datetime) -> int | None:
        """By halving: there is no index by the time of arrival, and none is needed."""
        low, high = self._ends()
        if not high:
            return None
        first, high = low, high + 1
        while low < high:
            middle = (low + high) // 2
            row = (
                Operation.objects.filter(seq__gte=middle)
                .order_by("seq")
                .values_list("seq", "received_at")
                .first()
            )
            if row is not None and row[1] < moment:
                low = row[0] + 1
            else:
                high = middle
        return low if low > first else None

    def bound_keeping(self, rows: int, protected: datetime) -> int | None:
        first, last = self._ends()
        bound = last - rows + 1
        if not last or bound <= first:
            return None
        oldest = self.bound_by_age(protected)
        return None if oldest is None else min(bound, oldest)

    def rows_before(self, bound: int) -> int:
        """At most: repeated deliveries may have left gaps. Counting would read all of them."""
        first, _ = self._ends()
        return max(0, bound - first) if first else 0

    def remover(self, bound: int) -> Remove:
        first, _ = self._ends()

        def remove(limit: int) -> int:
            nonlocal first
            while first < bound:
                end = min(first + limit, bound)
                with connection.cursor() as cursor:
                    cursor.execute(
                        "DELETE FROM featurememory_operation WHERE seq >= %s AND seq < %s", [first, end]
                    )
                    gone = int(cursor.rowcount)
                first = end if gone else self._first_from(end, bound)
                if gone:
                    return gone
            return 0

        return remove

    @staticmethod
    def _first_from(seq: int, bound: int) -> int:
        """Behind a gap."""
        found = Operation.objects.filter(seq__gte=seq, seq__lt=bound).aggregate(first=Min("seq"))["first"]
        return bound if found is None else int(found)

    @staticmethod
    def _ends() -> tuple[int, int]:
        """Asked for one by one: SQLite walks over the whole table for both at once."""
        numbers = Operation.objects.values_list("seq", flat=True)
        return numbers.order_by("seq").first() or 0, numbers.order_by("-seq").first() or 0


class Timed:
    """Rows of a model by a moment of theirs, which has an index."""

    def __init__(self, kind: str, model: type[Model], field: str, **only: Any) -> None:
        self.kind = kind
        self._model = model
        self._field = field
        self._only = only

    @property
    def names(self) -> tuple[str, ...]:
        return (self._model._meta.db_table,)

    def size(self, known: Sizes) -> TableSize:
        return known[self.names[0]]

    def bound_by_age(self, moment: datetime) -> datetime | None:
        return moment

    def bound_keeping(self, rows: int, protected: datetime) -> datetime | None:
        newest = (
            self._rows.order_by(f"-{self._field}")
            .values_list(self._field, flat=True)[rows : rows + 1]
            .first()
        )
        return None if newest is None else min(newest, protected)

    def rows_before(self, bound: datetime) -> int:
        return int(self._rows.filter(**{f"{self._field}__lt": bound}).count())

    def remover(self, bound: datetime) -> Remove:
        old = self._rows.filter(**{f"{self._field}__lt": bound}).order_by(self._field)
        been: datetime | None = None

        def remove(limit: int) -> int:
            nonlocal been
            left = old if been is None else old.filter(**{f"{self._field}__gte": been})
            with transaction.atomic():
                rows = list(left.values_list("pk", self._field)[:limit])
                if rows:
                    self._delete([pk for pk, _ in rows])
                    been = rows[-1][1]
            return len(rows)

        return remove

    def _delete(self, keys: Sequence[int]) -> None:
        self._model._default_manager.filter(pk__in=keys).delete()

    @property
    def _rows(self) -> Any:
        return self._model._default_manager.filter(**self._only)


_COUNTED = 20_000
"""Rows of one resolution that are counted; of more their number is estimated."""
_SAMPLES, _SAMPLE_STEPS = 8, 20


class Rollups(Timed):
    """Of one resolution. Its rows live on in the next coarser one."""

    def __init__(self, kind: str, resolution: int, remove: Callable[[datetime, int], int]) -> None:
        super().__init__(kind, Rollup, "start", resolution=resolution)
        self._resolution = resolution
        self._remove = remove

    def size(self, known: Sizes) -> TableSize:
        whole = super().size(known)
        rows = self._rows[: _COUNTED + 1].count()
        if rows > _COUNTED:
            rows = max(rows, self._estimated())
        return TableSize(rows, round(whole.bytes_a_row * rows))

    def _estimated(self) -> int:
        """From some short times between the first and the last."""
        starts = self._rows.values_list("start", flat=True)
        first, last = starts.order_by("start")[0].timestamp(), starts.order_by("-start")[0].timestamp()
        steps = int(last - first) // self._resolution + 1
        samples = min(_SAMPLES, steps)
        width = min(_SAMPLE_STEPS, steps // samples)
        windows = []
        for number in range(samples):
            begin = first + (steps - width) * number // max(1, samples - 1) * self._resolution
            moment = datetime.fromtimestamp(begin, UTC)
            end = moment + timedelta(seconds=width * self._resolution)
            windows.append(self._rows.filter(start__gte=moment, start__lt=end).values("pk").order_by())
        found: int = windows[0].union(*windows[1:], all=True).count()
        return round(found * steps / (width * samples))

    def bound_by_age(self, moment: datetime) -> datetime | None:
        """Whole hours of minutes and whole days of hours go, so that what is left of them can stand for them."""
        unit = {MINUTE: HOUR}.get(self._resolution, DAY)
        return datetime.fromtimestamp(int(moment.timestamp()) // unit * unit, UTC)

    def bound_keeping(self, rows: int, protected: datetime) -> datetime | None:
        bound = super().bound_keeping(rows, protected)
        return None if bound is None else self.bound_by_age(bound)

    def remover(self, bound: datetime) -> Remove:
        return partial(self._remove, bound)


class WithBeliefs(Timed):
    """Recommendations, and then the beliefs that they rest on."""

    def __init__(self) -> None:
        super().__init__("recommendations", Recommendation, "at")
        self._beliefs = Timed("beliefs", Belief, "at")

    @property
    def names(self) -> tuple[str, ...]:
        return *super().names, *self._beliefs.names

    def size(self, known: Sizes) -> TableSize:
        own, beliefs = super().size(known), self._beliefs.size(known)
        return TableSize(own.rows, own.bytes + beliefs.bytes)

    def remover(self, bound: datetime) -> Remove:
        first, then = super().remover(bound), self._beliefs.remover(bound)
        return lambda limit: first(limit) or then(limit)


class WithEvents(Timed):
    """Alerts that are over, each with what became of it."""

    def __init__(self) -> None:
        super().__init__("alerts", Alert, "resolved_at", state=Alert.State.RESOLVED)

    @property
    def names(self) -> tuple[str, ...]:
        return *super().names, AlertEvent._meta.db_table

    def size(self, known: Sizes) -> TableSize:
        own, events = super().size(known), known[AlertEvent._meta.db_table]
        return TableSize(own.rows, own.bytes + events.bytes)

    def _delete(self, keys: Sequence[int]) -> None:
        """By three statements: Django would read every row first, to find what belongs to it."""
        AlertEvent.objects.filter(alert__in=keys)._raw_delete(connection.alias)
        Alert.objects.filter(inhibited_by__in=keys).update(inhibited_by=None)
        Alert.objects.filter(pk__in=keys)._raw_delete(connection.alias)


TABLES: Sequence[Table[Any]] = (
    Operations(),
    Rollups("minutes", MINUTE, forget_minutes),
    Rollups("hours", HOUR, forget_hours),
    Rollups("days", DAY, forget_days),
    WithBeliefs(),
    Timed("feedback", Feedback, "at"),
    Timed("validations", ValidationRecord, "at"),
    Timed("validation_counts", ValidationTally, "hour"),
    Timed("breaker_history", BreakerEvent, "at"),
    Timed("local_transitions", LocalTransition, "received_at"),
    Timed("optimization_history", OptimizationEvent, "at"),
    Timed("health_snapshots", HealthSnapshot, "at"),
    Timed("health_history", HealthTransition, "at"),
    Timed("resource_samples", ResourceSample, "at", resolution=HOUR),
    WithEvents(),
    Timed("deliveries", AlertDelivery, "created_at"),
    Timed("annotations", Annotation, "at"),
    Timed("audit", AuditEntry, "at"),
    Timed("cleanup_runs", CleanupRun, "started_at"),
    Timed("job_runs", JobRun, "ended_at"),
)
FIRST_TO_GO = (
    "operations",
    "recommendations",
    "validations",
    "local_transitions",
    "health_snapshots",
    "minutes",
)
"""Where the database as a whole is too large."""


def table_of(kind: str) -> Table[Any]:
    return next(table for table in TABLES if table.kind == kind)


def sizes_of(*tables: Table[Any]) -> Sizes:
    """Of the database's tables that these are about."""
    return table_sizes({name for table in tables for name in table.names})
