"""Making room: one run at a time in the whole installation, in batches so small that nobody waits for it.

A run is a row from its beginning on. Who works on it says so every second; when its process has gone, or its time was
up, the next one goes on with it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q

from featurememory.audit import was_done
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, CleanupRun
from featurememory.models.operation import Operation
from featurememory.reasons import checked_reason
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.monitor import current_usage
from featurememory.resource_management.pace import Pace
from featurememory.resource_management.plan import Step, passed_thresholds, plan
from featurememory.resource_management.sizes import database_size, free_pages

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
"""Who has not been heard of for so long works on its run no more."""
WORK_S = 45.0
"""After which a run is left to the next round of the job, so that its worker has time for others."""
AGED_EVERY = timedelta(hours=1)
"""How often what is too old is looked for, where nothing presses."""
SHORT_EVERY = timedelta(minutes=10)
"""How often a run that finds nothing to remove is noted while operations are refused."""
_SPARE_PAGES, _MANY_PAGES = 256, 1_024
_WORTH_A_VACUUM = 1_000


def enforce_constraints(now: datetime, *, work_s: float = WORK_S) -> CleanupRun | None:
    """Goes on with the run that nobody works on, or begins one where something is too much or too old. The run as it
    stands then; None where there is nothing to do, or another process does it."""
    run = _take_over(now) or _begin_if_due(now)
    if run is not None:
        work_on(run, now, work_s=work_s)
    return run


def request_cleanup(*, actor: str, reason: str, now: datetime, request_id: UUID | None = None) -> CleanupRun:
    """A run that somebody asks for; it also makes room that is not pressing yet, down to the low marks. Where one is
    under way already, that one. The job takes it up. A `request_id` given again begins no other."""
    reason = checked_reason(reason)
    with transaction.atomic():
        if was_done(request_id):
            return _asked_for_before(request_id)
        run = CleanupRun.objects.filter(state=CleanupRun.State.RUNNING).first()
        if run is None:
            run = CleanupRun.objects.create(
                cause=CleanupRun.Cause.OPERATOR,
                actor=actor,
                reason=reason,
                why=[f"{actor} asked for it: {reason}"],
                started_at=now,
                size_before=database_size().on_disk,
                request_id=request_id,
            )
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="cleanup.run",
            subject="the database",
            reason=reason,
            after={"run": run.pk},
            request_id=request_id,
        )
    return run


def _asked_for_before(request_id: UUID | None) -> CleanupRun:
    run = CleanupRun.objects.filter(
        pk=AuditEntry.objects.get(request_id=request_id).after.get("run", 0)
    ).first()
    if run is None:
        message = "was given with another act: draw a new one"
        raise ValidationError(
            f"request_id {message}.", [{"field": "request_id", "code": "used", "message": message}]
        )
    return run


def dry_run(now: datetime) -> list[Step]:
    """What a run that somebody asks for would remove by now."""
    known = limits()
    return plan(current_usage(now), known, now, eager=True)


def work_on(
    run: CleanupRun,
    now: datetime,
    *,
    work_s: float = WORK_S,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Until all is done, or `work_s` seconds are over."""
    work = _Work(run, now, work_s, clock, pause)
    try:
        with _quick_commits():
            is_done = work.all_done() and work.give_room_back()
    except Exception as failure:
        connection.close()
        _end(run, CleanupRun.State.FAILED, work, error=f"{type(failure).__name__}: {failure}"[:1_000])
        raise
    if is_done:
        _end(run, CleanupRun.State.DONE, work)
    else:
        work.note(is_at_it=False)


class _Work:
    """One process's turn at a run."""

    def __init__(
        self,
        run: CleanupRun,
        now: datetime,
        work_s: float,
        clock: Callable[[], float],
        pause: Callable[[float], object],
    ) -> None:
        self._run = run
        self._now = now
        self._clock = clock
        self._pause = pause
        self._began = clock()
        self._until = self._began + work_s
        self._noted = self._began
        self._worked_before = run.worked_s
        self._giving_back = Pace(least=1)

    @property
    def worked_s(self) -> float:
        return round(self._worked_before + self._clock() - self._began, 3)

    @property
    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._clock() - self._began)

    def all_done(self) -> bool:
        """False when the time was up. What came in meanwhile is planned for once more, as long as that helps; what
        grew too old meanwhile is the next run's, or this one would never end."""
        while True:
            before = self._run.rows
            steps = _steps_of(self._run, self._now)
            if not all(map(self._all_of, steps)):
                return False
            if self._run.rows == before:
                return True

    def give_room_back(self) -> bool:
        """Has SQLite give its free pages back to the disk, and PostgreSQL use the room of rows that went."""
        if connection.vendor == "postgresql":
            if self._run.removed.get("operations", 0) >= _WORTH_A_VACUUM:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SET vacuum_cost_delay = '2ms'"
                    )  # as autovacuum: others want the disk, too
                    cursor.execute(f"VACUUM (TRUNCATE FALSE, ANALYZE) {Operation._meta.db_table}")
                    cursor.execute("RESET vacuum_cost_delay")
            return True
        for _ in self._batches(_shrink, self._giving_back):
            pass
        return not self._is_late

    def note(self, *, is_at_it: bool = True) -> None:
        """Says in the run's row how far it is."""
        self._noted = self._clock()
        self._run.seen_at = self.now if is_at_it else None
        self._run.worked_s = self.worked_s
        self._run.save(update_fields=["seen_at", "worked_s", "removed", "kept"])

    def _all_of(self, step: Step) -> bool:
        """SQLite looks for each page that it gives back through all free ones, so that is done while they are few."""
        removed = self._run.removed
        if step.kept:
            self._run.kept[step.kind] = step.kept
        for gone in self._batches(step.remove, Pace()):
            removed[step.kind] = removed.get(step.kind, 0) + gone
            if connection.vendor == "sqlite" and free_pages() > _MANY_PAGES:
                self.give_room_back()
        return not self._is_late

    def _batches(self, batch: Callable[[int], int], pace: Pace) -> Iterator[int]:
        """How many went in each, until none is left or the time is up."""
        while not self._is_late:
            began = self._clock()
            gone = batch(pace.size)
            self._pause(pace.after(self._clock() - began))
            if not gone:
                return
            yield gone
            if self._clock() - self._noted >= 1:
                self.note()

    @property
    def _is_late(self) -> bool:
        return self._clock() >= self._until


def _shrink(pages: int) -> int:
    free = free_pages()
    if free <= _SPARE_PAGES:
        return 0
    with connection.wrap_database_errors:
        connection.connection.give_back(min(pages, free - _SPARE_PAGES))
    return free - free_pages()


def _steps_of(run: CleanupRun, now: datetime) -> list[Step]:
    """Planned anew at each turn: what is pressing changes while operations come in. Once begun it goes down to the
    low marks."""
    return plan(current_usage(now), limits(), now, eager=run.cause != CleanupRun.Cause.SCHEDULE)


def _take_over(now: datetime) -> CleanupRun | None:
    run = CleanupRun.objects.filter(state=CleanupRun.State.RUNNING).first()
    if run is None:
        return None
    was_abandoned = run.seen_at is not None
    mine = CleanupRun.objects.filter(Q(seen_at=None) | Q(seen_at__lt=now - LEASE), pk=run.pk, state=run.state)
    if not mine.update(seen_at=now, resumed=run.resumed + was_abandoned):
        return None
    run.refresh_from_db()
    return run


def _begin_if_due(now: datetime) -> CleanupRun | None:
    if CleanupRun.objects.filter(state=CleanupRun.State.RUNNING).exists():
        return None
    known = limits()
    usage = current_usage(now)
    pressing = passed_thresholds(usage, known)
    if not pressing and _began_within(AGED_EVERY, now):
        return None
    steps = plan(usage, known, now, eager=bool(pressing))
    is_short = any(each.refuses for each in pressing)
    if not steps and not (is_short and not _began_within(SHORT_EVERY, now)):
        return None
    try:
        with transaction.atomic():
            return CleanupRun.objects.create(
                cause=CleanupRun.Cause.CONSTRAINT if pressing else CleanupRun.Cause.SCHEDULE,
                why=[each.words for each in pressing] or [f"{step.kind}: {step.why}" for step in steps],
                started_at=now,
                seen_at=now,
                size_before=database_size().on_disk,
            )
    except IntegrityError:  # another process was quicker
        return None


def _began_within(time: timedelta, now: datetime) -> bool:
    return CleanupRun.objects.filter(started_at__gt=now - time).exists()


def _end(run: CleanupRun, state: CleanupRun.State, work: _Work, error: str = "") -> None:
    run.state, run.error = state, error
    run.ended_at, run.worked_s = work.now, work.worked_s
    run.size_after = _size_on_disk()
    run.save()
    logger.info(
        "cleanup %d %s after %.1f s: %s", run.pk, state, run.worked_s, run.removed or "nothing had to go"
    )


def _size_on_disk() -> int | None:
    try:
        return database_size().on_disk
    except DatabaseError:
        return None


@contextmanager
def _quick_commits() -> Iterator[None]:
    """What a cleanup removes need not be safe on the disk at once: if the power fails it is removed once more."""
    name, before = ("synchronous", "FULL") if connection.vendor == "sqlite" else ("synchronous_commit", "on")
    after = "NORMAL" if connection.vendor == "sqlite" else "off"
    with connection.cursor() as cursor:
        _set(cursor, name, after)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            _set(cursor, name, before)


def _set(cursor: object, name: str, value: str) -> None:
    statement = f"PRAGMA {name} = {value}" if connection.vendor == "sqlite" else f"SET {name} = {value}"
    cursor.execute(statement)  # type: ignore[attr-defined]
