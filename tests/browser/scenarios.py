"""Three situations a page is looked at in: empty, normal, incident. The same rows whenever they are built."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.db import transaction

import featurememory.jobs  # noqa: F401 - which puts them on the schedule
from featurememory.circuit_breaker.commands import Order, disable_breaker, force_open_breaker
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.models import (
    Breaker,
    BreakerEvent,
    ComponentState,
    Follower,
    HealthSnapshot,
    HealthTransition,
    Job,
    JobRun,
    LiveSequence,
    LocalTransition,
    Operation,
    ProcessRecord,
    Series,
    Source,
)
from featurememory.models.rollup import OTHER
from featurememory.observability.annotations import write_annotation
from featurememory.observability.rollups import add_to_rollups, tally
from featurememory.roles import OPERATOR, VIEWER
from featurememory.scheduling.schedule import JOBS
from featurememory.validation.passes import Passes
from featurememory.validation.results import Judged, Subject, ValidationResult, error, warning
from featurememory.validation.storage import record_failures, record_passes
from tests.browser.access_scene import known_people_and_keys
from tests.browser.alert_scene import evaluated, loud_alerts, quiet_alerts
from tests.browser.operation_scene import told_in_full
from tests.browser.pattern_scene import learn_patterns
from tests.browser.resource_scene import cleaned, cleaning, measured, used
from tests.optimization.stored import USUAL, store_study

PASSWORD = "correct horse battery staple"
HISTORY = timedelta(minutes=100)
BREAKERS_SINCE = timedelta(hours=30)
INCIDENT = timedelta(minutes=24)
OPERATIONS_LISTED = 120


class Kind(NamedTuple):
    operation_type: str
    model: str
    a_minute: int
    typical_ms: float
    spread: float
    error_share: float

    @property
    def breaker(self) -> str:
        return f"{self.operation_type}:{self.model}"


KINDS = (
    Kind("text_to_audio", "audioldm2", 9, 4_200, 0.45, 0.012),
    Kind("text_to_audio", "musicgen-medium", 6, 7_900, 0.35, 0.006),
    Kind("transcription", "whisper-large-v3", 22, 860, 0.5, 0.004),
    Kind("analysis", "clap-630k", 30, 145, 0.4, 0.001),
    Kind("embedding", "wav2vec2-768", 48, 38, 0.6, 0.0005),
    Kind("embedding", "mert-330m", 14, 64, 0.5, 0.002),
)
Happened = tuple[Kind, datetime, str, float]


class Call(NamedTuple):
    """What of an operation is counted."""

    outcome: str
    duration_ms: float


def people() -> None:
    """`admin`, `olga` who operates, and `viktor` who looks; all with PASSWORD.

    Flushing a database took the row away that the first migration made.
    """
    LiveSequence.objects.get_or_create(id=1)
    User.objects.create_superuser("admin", password=PASSWORD)
    for name, role in (("olga", OPERATOR), ("viktor", VIEWER)):
        is_staff = role != VIEWER
        person = User.objects.create_user(name, password=PASSWORD, is_staff=is_staff)
        person.groups.add(Group.objects.get(name=role))


def _annotations(now: datetime) -> None:
    kind = KINDS[0]
    write_annotation(
        "audioldm2 checkpoint 41", actor="key deploys", now=now - timedelta(minutes=31), kind="deploy",
        operation_type=kind.operation_type, model=kind.model,
    )  # fmt: skip
    began = now - timedelta(minutes=50)
    write_annotation(
        "Load test of the new gateway", actor="olga", now=began, until=began + timedelta(minutes=12)
    )


def empty(now: datetime) -> None:
    """A fresh installation: everything runs, nobody has sent anything."""
    _processes(now, queue_depth=0)
    _snapshots(now, lambda _: 0.0)
    evaluated(now)


def normal(now: datetime) -> None:
    """A quiet afternoon."""
    chance = random.Random(7)
    store(list(_calls(now, chance, failing=False)), now)
    _processes(now, queue_depth=240)
    _snapshots(now, lambda _: chance.uniform(0.004, 0.05))
    _jobs(now, troubled=False)
    _sources(now, dropped=0)
    _followers(now, behind=0)
    _studies(now, regresses_at=10**9)
    _validations(now, failing=3)
    learn_patterns(now)
    measured(now)
    used(now)
    cleaned(now)
    quiet_alerts(now)
    _annotations(now)
    told_in_full()


def incident(now: datetime) -> None:
    """One model fails, another is held by an operator, a third comes back; the queue fills."""
    chance = random.Random(7)
    began = now - INCIDENT
    store(list(_calls(now, chance, failing=True)), now)
    store(
        [(Kind("text_to_speech", OTHER, 3, 900, 0.5, 0.0), now - timedelta(minutes=5), "success", 912.0)], now
    )
    for hours in (19, 7):
        _trip(KINDS[0], [now - timedelta(hours=hours)])
        _tell_breaker(KINDS[0], "success", 3, (now - timedelta(hours=hours, minutes=-17)).timestamp())
    _trip(KINDS[0], [now - timedelta(seconds=ago) for ago in (860, 610, 330, 95, 21)])
    _trip(KINDS[2], [now - timedelta(seconds=74)])
    _tell_breaker(KINDS[2], "success", 1, (now - timedelta(seconds=60)).timestamp())
    reason, until = "GPU 3 is being swapped, back at 15:30", now + timedelta(minutes=38)
    force_open_breaker(KINDS[1].breaker, Order("olga", reason, until, request_id=UUID(int=1)))
    disable_breaker(KINDS[3].breaker, Order("olga", "probing the new checkpoint by hand"))
    _followers(now, behind=1)
    _alone(KINDS[0], now)
    _processes(now, queue_depth=14_800)
    _snapshots(now, lambda at: chance.uniform(0.004, 0.05) if at < began else 0.78 * (at - began) / INCIDENT)
    _jobs(now, troubled=True)
    _sources(now, dropped=1_204)
    _validations(now, failing=900)
    _studies(now, regresses_at=230)
    measured(now, is_short=True)
    used(now, is_short=True)
    cleaned(now)
    cleaning(now)
    loud_alerts(now)
    _annotations(now)
    told_in_full()
    known_people_and_keys(now)


SCENARIOS = {"empty": empty, "normal": normal, "incident": incident}


def _calls(now: datetime, chance: random.Random, *, failing: bool) -> Iterator[Happened]:
    for kind in KINDS:
        at = now - HISTORY
        while (at := at + timedelta(seconds=chance.expovariate(kind.a_minute / 60))) < now:
            duration = chance.lognormvariate(0, kind.spread) * kind.typical_ms
            trouble = failing and kind is KINDS[0] and at > now - INCIDENT
            if trouble and chance.random() < 0.55:
                yield kind, at, chance.choice(("timeout", "timeout", "error", "rejected")), duration * 3.5
            elif chance.random() < kind.error_share:
                yield kind, at, "error", duration
            else:
                yield kind, at, "success", duration * (1.8 if trouble else 1)


def store(happened: list[Happened], now: datetime) -> None:
    """Rollups of all, breakers that saw the last of each kind, and the newest as rows."""
    kinds = sorted({kind for kind, *_ in happened})
    series = {kind: _series(kind, now) for kind in kinds}
    _roll_up(happened, series)
    for kind in kinds:
        if kind.model != OTHER:
            _tell_breaker(kind, "success", 100, (now - BREAKERS_SINCE).timestamp())
            _tell_breaker(kind, "success", 20, (now - HISTORY).timestamp())
    newest = sorted(happened, key=lambda each: each[1])[-OPERATIONS_LISTED:]
    known = Operation.objects.count()
    Operation.objects.bulk_create(
        Operation(
            id=UUID(int=known + index + 1, version=4),
            series=series[kind],
            operation_type=kind.operation_type,
            model=kind.model,
            started_at=at,
            received_at=at + timedelta(milliseconds=duration + 400),
            duration_ms=duration,
            outcome=outcome,
            error_type="TimeoutError" if outcome == "timeout" else "",
            error_message="no answer within 15 s" if outcome == "timeout" else "",
            parameters={"steps": 50, "guidance": 3.5},
            instance="orchestrator-1:4711:9f2c",
        )
        for index, (kind, at, outcome, duration) in enumerate(newest)
    )


def _series(kind: Kind, now: datetime) -> Series:
    return Series.objects.get_or_create(
        operation_type=kind.operation_type, model=kind.model, defaults={"first_seen": now - HISTORY}
    )[0]


def _roll_up(happened: list[Happened], series: dict[Kind, Series]) -> None:
    timed: dict[int, list[tuple[float, Call]]] = {}
    for kind, at, outcome, duration in happened:
        timed.setdefault(series[kind].pk, []).append((at.timestamp(), Call(outcome, duration)))
    with transaction.atomic():
        add_to_rollups(tally(timed))


def _trip(kind: Kind, moments: list[datetime]) -> None:
    """Failures enough at each of the moments to open the breaker, or to fail its probes."""
    for moment in moments:
        _tell_breaker(kind, "failure", 5, moment.timestamp())


def _tell_breaker(kind: Kind, result: Literal["success", "failure"], times: int, at: float) -> None:
    told = BreakerResults(kind.operation_type, kind.model, [Result(at, at, result, 0.0)] * times)
    with transaction.atomic():
        Fleet(max_breakers=100).observe({kind.breaker: told}, at)


def _followers(now: datetime, *, behind: int) -> None:
    """Three processes follow the breakers and go on to; `behind` of them have yet to hear of the last event."""
    newest = BreakerEvent.objects.first()
    for number in range(3):
        heard = newest.sequence - (number < behind) if newest else 0
        Follower.objects.create(
            instance=f"orchestrator-{number}:4711:9f2c",
            connected_at=now - timedelta(hours=9),
            seen_at=now + timedelta(hours=1),
            applied=heard,
            applied_at=newest.at + timedelta(milliseconds=9 + number) if newest else None,
        )


def _alone(kind: Kind, now: datetime) -> None:
    """One process lost the server for a while, and went by what it saw itself."""
    told = [
        (1, 41, "closed", "open", "max_failures", "5 failures in a row reached max_failures = 5"),
        (2, 40, "open", "half_open", "reset_timeout", "the reset time-out is over; probes decide"),
        (3, 39, "half_open", "closed", "probes_succeeded", "3 of 3 probes succeeded"),
    ]
    LocalTransition.objects.bulk_create(
        LocalTransition(
            instance="orchestrator-2:4711:9f2c",
            number=number,
            name=kind.breaker,
            from_state=before,
            to_state=after,
            cause=cause,
            message=message,
            at=now - timedelta(minutes=minutes),
            received_at=now - timedelta(minutes=38),
        )
        for number, minutes, before, after, cause, message in told
    )


def _processes(now: datetime, *, queue_depth: int) -> None:
    figures = {
        "queue_depth": queue_depth,
        "queue_limit": 20_000,
        "refused": 0,
        "commit_ms_p99": 18.4,
        "streams": 3,
    }
    for pid, role in ((4711, "web"), (4712, "worker"), (4712, "beat")):
        ProcessRecord.objects.create(
            host="studio-1",
            pid=pid,
            role=role,
            started_at=now - timedelta(hours=30),
            seen_at=now - timedelta(seconds=2),
            metrics=figures if role == "web" else {},
        )


def _studies(now: datetime, *, regresses_at: int) -> None:
    """One by the duration, one too young to be judged, one by the score."""
    store_study(now, USUAL._replace(regresses_at=regresses_at))
    store_study(now, USUAL._replace(model=KINDS[1].model, operations=60, seed=11))
    kind = KINDS[2]
    store_study(
        now, USUAL._replace(operation_type=kind.operation_type, model=kind.model, aim="score", seed=23)
    )


def _snapshots(now: datetime, fill: Callable[[datetime], float]) -> None:
    """One each minute, as the job would have judged what it saw."""
    refusing = Breaker.objects.filter(state__in=("open", "forced_open")).count()
    rows = []
    for minute in range(int(HISTORY.total_seconds()) // 60):
        at = now - timedelta(minutes=minute, seconds=4)
        filled = round(fill(at), 3)
        queue = "degraded" if filled >= 0.5 else "healthy"
        reason = (
            f"The queue is {filled:.0%} full." if filled >= 0.5 else "Operations are stored as they come."
        )
        broken = f"{refusing} breakers refuse calls." if refusing else "All closed."
        components = {
            "ingestion": _component(queue, reason, queue_fill=filled, commit_ms_p99=12 + 60 * filled),
            "database": _component("healthy", "Reads and writes.", write_ms=1.9),
            "pattern index": _component("healthy", "121 patterns in 2 spaces.", patterns=121, spaces=2),
            "jobs": _component("healthy", "Web, worker and schedule are running."),
            "breakers": _component("degraded" if refusing else "healthy", broken),
            "resources": _component("healthy", "There is room."),
            "live bus": _component("healthy", "News travels by SQLite's data version."),
            "notification": _component("healthy", "Nobody is told: no channel is set up."),
        }
        status = "degraded" if refusing or queue == "degraded" else "healthy"
        rows.append(HealthSnapshot(at=at, status=status, components=components))
    HealthSnapshot.objects.bulk_create(reversed(rows))
    _states(rows[0], now)


def _states(newest: HealthSnapshot, now: datetime) -> None:
    """As the newest snapshot has them; what is not well has become so in the incident."""
    looked_since = now - timedelta(hours=30)
    whole = {"status": newest.status, "reason": "All components are healthy.", "metrics": {}}
    if newest.status != "healthy":
        whole["reason"] = "Breakers: some refuse calls."
    for name, each in {**newest.components, ComponentState.WHOLE: whole}.items():
        is_well = each["status"] == "healthy"
        since = looked_since if is_well else now - INCIDENT
        standing = {"since": since, "checked_at": newest.at, **each}
        ComponentState.objects.update_or_create(name=name, defaults=standing)
        moves = [("unknown", "healthy", looked_since)] + (
            [] if is_well else [("healthy", each["status"], since)]
        )
        for before, after, at in moves:
            HealthTransition.objects.create(
                component=name, before=before, after=after, reason=each["reason"], at=at
            )


def _jobs(now: datetime, *, troubled: bool) -> None:
    """All ran when they should; in trouble one keeps failing, one is overdue, and somebody has asked for it."""
    for scheduled in JOBS.values():
        Job.objects.create(
            name=scheduled.name,
            every_s=scheduled.every.total_seconds(),
            known_since=now - timedelta(hours=30),
            started_at=now - scheduled.every / 2,
            ended_at=now - scheduled.every / 2,
            duration_ms=3.4,
            result="succeeded",
            succeeded_at=now - scheduled.every / 2,
            runs=1_200,
        )
    if troubled:
        error = "OperationalError: the database is locked"
        Job.objects.filter(name="propose_steps").update(
            result="failed",
            failed_at=now - timedelta(seconds=40),
            error=error,
            failures_in_a_row=3,
            failures=3,
        )
        Job.objects.filter(name="merge_patterns").update(started_at=now - timedelta(hours=2))
        for minutes in (3, 2, 1):
            ended_at = now - timedelta(minutes=minutes)
            JobRun.objects.create(
                job="propose_steps", status="failed", started_at=ended_at, ended_at=ended_at, duration_ms=20_012,
                error=error,
            )  # fmt: skip
        JobRun.objects.create(
            job="merge_patterns", status="waiting", asked_at=now, asked_by="admin", reason="two look alike"
        )


def _component(status: str, reason: str, **metrics: float) -> dict[str, object]:
    return {"status": status, "reason": reason, "metrics": metrics}


def _validations(now: datetime, *, failing: int) -> None:
    """What passed in the last day, and in the last hour so many failures of two kinds."""
    passes = Passes()
    for hours in range(24):
        at = (now - timedelta(hours=hours)).timestamp()
        passes.add("operation", "orchestrator-1:4711:9f2c", 4_200, Subject("transcription"), at)
        passes.add("pattern", "orchestrator-1:4711:9f2c", 900, Subject("embedding", space="wav2vec2-768"), at)
    record_passes(passes.drain())
    dimension = error("dimension", "features", "has 512 numbers, but its feature space has 768", [0.25] * 512)
    outcome = error("literal_error", "outcome", "Input should be 'success' or 'error'", "splendid")
    odd = warning("constant", "features", "all 512 numbers are the same", 0.25)
    subject = Subject("embedding", "wav2vec2-768", "wav2vec2-768")
    with transaction.atomic():
        for first in range(0, failing, 30):
            judged = []
            for number in range(first, min(first + 30, failing)):
                finding, source = (
                    (outcome, "key batch-import") if number % 3 else (dimension, "orchestrator-2:4711:9f2c")
                )
                validator = "operation" if number % 3 else "pattern"
                result = ValidationResult((finding,), (odd,), {"thresholds": {"dimension": 768}})
                judged.append(Judged(validator, source, subject, result))
            record_failures(judged, now - timedelta(seconds=failing - first))


def _sources(now: datetime, *, dropped: int) -> None:
    for number in range(3):
        Source.objects.create(
            instance=f"orchestrator-{number}:4711:9f2c",
            sdk="python/0.1.0",
            first_seen=now - timedelta(hours=9),
            last_seen=now - timedelta(seconds=2 + number),
            dropped=dropped if number == 0 else 0,
        )
