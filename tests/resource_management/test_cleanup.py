"""Making room: what goes, what stays, and that only one does it at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from featurememory.errors import ValidationError
from featurememory.ingestion.transaction import Submission
from featurememory.integration.spaces import spaces
from featurememory.models import (
    AuditEntry,
    CleanupRun,
    HealthSnapshot,
    Operation,
    Optimization,
    Pattern,
    PatternEvidence,
    ProcessRecord,
    ResourceSettings,
    Rollup,
    Study,
)
from featurememory.optimization.recommending import Question, recommend
from featurememory.optimization.registry import studies
from featurememory.resource_management.cleanup import (
    LEASE,
    dry_run,
    enforce_constraints,
    request_cleanup,
    work_on,
)
from featurememory.resource_management.configuration import checked_limits, set_limits
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.plan import plan
from featurememory.resource_management.sizes import DatabaseSize, database_size, free_pages
from tests.operations import operation
from tests.optimization.test_two_processes import CENTRES, SETS, begin, operations, store

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()


def limit(constraints: dict[str, Any], retention: dict[str, Any] | None = None) -> None:
    set_limits(constraints, retention or {}, actor="ada", reason="a test", now=NOW)


def fill(count: int, age: timedelta, per_group: int = 500, **changes: Any) -> None:
    """Operations that were received so long ago."""
    by = store()
    at = NOW - age
    for first in range(0, count, per_group):
        group = [
            operation(started_at=(at - timedelta(seconds=1)).isoformat(), **changes)
            for _ in range(min(per_group, count - first))
        ]
        by.store([Submission(group)], at.timestamp())


def all_turns(now: datetime = NOW) -> CleanupRun | None:
    """Until a round of the job finds nothing to do, or the run is over."""
    run = enforce_constraints(now)
    while run is not None and run.state == "running":
        run = enforce_constraints(now)
    return run


def test_without_a_reason_nothing_runs_and_nothing_is_noted() -> None:
    fill(10, timedelta(hours=2))
    assert enforce_constraints(NOW) is None
    assert not CleanupRun.objects.exists()


def test_too_many_operations_go_down_to_the_low_mark_the_oldest_first() -> None:
    limit({"max_operations": 1_000, "cleanup_high": 0.9, "cleanup_low": 0.6})
    fill(700, timedelta(hours=5), model="old")
    fill(300, timedelta(hours=3), model="new")
    run = all_turns()
    assert run is not None
    assert (run.state, run.cause, run.removed) == ("done", "constraint", {"operations": 430})
    assert run.why == ["1,000 operations are kept, of 1,000 (max_operations)"]
    assert Operation.objects.filter(model="old").count() == 270
    assert Operation.objects.filter(model="new").count() == 300
    assert sum(Rollup.objects.filter(resolution=0).values_list("success", flat=True)) == 1_000
    assert enforce_constraints(NOW) is None, "below the high mark nothing begins again"


def test_between_the_marks_nothing_begins() -> None:
    limit({"max_operations": 1_000, "cleanup_high": 0.9, "cleanup_low": 0.6})
    fill(899, timedelta(hours=5))
    assert enforce_constraints(NOW) is None
    fill(1, timedelta(hours=4))
    assert enforce_constraints(NOW) is not None


def test_what_is_protected_stays_whatever_the_limit_says() -> None:
    limit({"max_operations": 1_000, "protected_hours": 4})
    fill(300, timedelta(hours=5), model="old")
    fill(2_000, timedelta(hours=3), model="young")
    all_turns()
    assert not Operation.objects.filter(model="old").exists()
    assert Operation.objects.filter(model="young").count() == 2_000


def test_what_is_too_old_goes_by_its_kind() -> None:
    limit({}, {"operations": {"days": 2}, "health_snapshots": {"days": 1}})
    fill(50, timedelta(days=2, minutes=5), model="old")
    fill(50, timedelta(days=1, hours=23), model="new")
    for days in (0.5, 1.5):
        HealthSnapshot.objects.create(at=NOW - timedelta(days=days), status="healthy", components={})
    run = all_turns()
    assert run is not None
    assert (run.cause, run.removed) == ("schedule", {"operations": 50, "health_snapshots": 1})
    assert run.why == ["operations: older than 2 days", "health_snapshots: older than 1 day"]
    assert set(Operation.objects.values_list("model", flat=True)) == {"new"}
    assert HealthSnapshot.objects.count() == 1


def test_a_kind_has_a_budget_of_its_own() -> None:
    limit({"cleanup_low": 0.5}, {"operations": {"megabytes": 1}})
    fill(3_000, timedelta(hours=5), attributes={"text": "x" * 900})
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE featurememory_operation")
    run = all_turns()
    assert run is not None
    assert "operations: take" in run.why[0]
    assert 200 < Operation.objects.count() < 700


@pytest.mark.sqlite_only
def test_a_database_that_is_too_large_gives_its_room_back_to_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")  # as `up` has it
        cursor.execute("VACUUM")
    fill(30_000, timedelta(hours=5), attributes={"text": "x" * 900})
    before = checkpointed()
    limit({"max_database_mb": 32, "cleanup_high": 0.9, "cleanup_low": 0.5})
    run = all_turns()
    assert run is not None
    after = checkpointed()
    assert after.in_use < 0.5 * 32 * 2**20 * 1.15
    assert after.on_disk - after.in_use < 5 * 2**20, "what is free is not on the disk any more"
    assert after.on_disk < before.on_disk / 2
    assert free_pages() <= 256


def test_a_dry_run_says_what_would_go_and_removes_nothing() -> None:
    limit({"max_operations": 1_000, "cleanup_low": 0.6}, {"health_snapshots": {"days": 1}})
    fill(800, timedelta(hours=5))
    HealthSnapshot.objects.create(at=NOW - timedelta(days=2), status="healthy", components={})
    would = {step.kind: step.rows for step in dry_run(NOW)}
    assert would == {"operations": 230, "health_snapshots": 1}
    assert (Operation.objects.count(), HealthSnapshot.objects.count()) == (800, 1)


def test_what_was_learned_survives_the_operations_it_was_learned_from() -> None:
    learn(360)
    asked = CENTRES[:8]
    before = [answer(features) for features in asked]
    evidence = list(PatternEvidence.objects.order_by("pk").values_list("record", flat=True))
    limit({"max_operations": 1_000, "protected_hours": 0.01}, {"operations": {"days": 1}})
    run = all_turns(NOW + timedelta(days=2))
    assert run is not None
    assert not Operation.objects.exists()
    assert [answer(features) for features in asked] == before
    assert list(PatternEvidence.objects.order_by("pk").values_list("record", flat=True)) == evidence


def test_the_least_useful_patterns_go_and_pinned_ones_stay() -> None:
    learn(360)
    known, taught = Pattern.objects.count(), Study.objects.get().operations
    assert known > 12
    pinned = Pattern.objects.order_by("count").first()
    assert pinned is not None
    Pattern.objects.filter(pk=pinned.pk).update(pinned=True, revision=10**6)
    limit({"max_patterns": 10, "cleanup_low": 0.8})
    run = all_turns()
    assert run is not None
    assert (Pattern.objects.count(), run.removed["patterns"], run.kept) == (7, known - 7, {"patterns": 1})
    assert Pattern.objects.filter(pk=pinned.pk).exists()
    left = set(Pattern.objects.values_list("pk", flat=True)) | {0}
    assert set(PatternEvidence.objects.values_list("pattern", flat=True)) <= left
    assert Study.objects.get().operations == taught


def test_optimizations_go_where_knowing_them_gains_least() -> None:
    learn(360)
    assert Optimization.objects.count() > 40
    best = PatternEvidence.objects.exclude(pattern=0).order_by("revision").first()
    assert best is not None
    PatternEvidence.objects.filter(pk=best.pk).update(gain=0.1)
    limit({"max_optimizations": 30, "cleanup_low": 0.7})
    run = all_turns()
    assert run is not None
    assert run.state == "done"
    assert Optimization.objects.count() <= 21
    assert PatternEvidence.objects.filter(pattern=best.pattern).exists()


class TestOneAtATime:
    def test_a_run_that_somebody_works_on_is_left_alone(self) -> None:
        CleanupRun.objects.create(cause="schedule", started_at=NOW, seen_at=NOW)
        limit({"max_operations": 1_000})
        fill(1_200, timedelta(hours=5))
        assert enforce_constraints(NOW + LEASE / 2) is None
        assert Operation.objects.count() == 1_200

    def test_one_whose_process_has_gone_is_taken_over(self) -> None:
        run = CleanupRun.objects.create(
            cause="constraint", started_at=NOW, seen_at=NOW, removed={"operations": 7}
        )
        limit({"max_operations": 1_000})
        fill(1_200, timedelta(hours=5))
        taken = enforce_constraints(NOW + LEASE * 1.1)
        assert taken is not None
        assert (taken.pk, taken.state, taken.resumed) == (run.pk, "done", 1)
        assert taken.removed == {"operations": 7 + 488}

    def test_one_whose_time_was_up_goes_on_in_the_next_round(self) -> None:
        limit({"max_operations": 1_000, "cleanup_low": 0.1})
        fill(3_000, timedelta(hours=5))
        seconds = iter(range(10**6))
        run = request_cleanup(actor="ada", reason="a test", now=NOW)
        work_on(run, NOW, work_s=3, clock=lambda: next(seconds), pause=lambda _: None)
        assert (run.state, run.seen_at) == ("running", None)
        assert 0 < run.removed["operations"] < 2_900
        again = enforce_constraints(NOW)
        assert again is not None
        assert (again.pk, again.state, again.resumed) == (run.pk, "done", 0)
        assert Operation.objects.count() == 95

    def test_a_run_that_fails_says_why_and_the_next_is_a_new_one(self) -> None:
        limit({"max_operations": 1_000})
        fill(1_200, timedelta(hours=5))
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE featurememory_operation RENAME TO hidden")
        run = CleanupRun.objects.create(cause="constraint", started_at=NOW)
        with pytest.raises(Exception, match="featurememory_operation"):
            enforce_constraints(NOW)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO featurememory_operation")
        run.refresh_from_db()
        assert run.state == "failed"
        assert "featurememory_operation" in run.error
        after = enforce_constraints(NOW)
        assert after is not None
        assert after.pk != run.pk
        assert after.state == "done"


def test_an_operator_s_run_is_audited_and_a_second_submit_is_the_same_run() -> None:
    id = uuid4()
    first = request_cleanup(actor="ada", reason="before the demo", now=NOW, request_id=id)
    again = request_cleanup(actor="ada", reason="before the demo", now=NOW, request_id=id)
    assert first.pk == again.pk
    assert AuditEntry.objects.filter(action="cleanup.run").count() == 1
    other_id = uuid4()
    other = request_cleanup(actor="bob", reason="me too", now=NOW, request_id=other_id)
    assert other.pk == first.pk, "one at a time"
    assert request_cleanup(actor="bob", reason="me too", now=NOW, request_id=other_id).pk == first.pk
    used = uuid4()
    set_limits({}, {}, actor="ada", reason="another act", now=NOW, request_id=used)
    with pytest.raises(ValidationError, match="given with another act"):
        request_cleanup(actor="ada", reason="oops", now=NOW, request_id=used)
    taken = enforce_constraints(NOW)
    assert taken is not None
    assert (taken.pk, taken.state, taken.actor) == (first.pk, "done", "ada")


def test_limits_are_audited_with_before_and_after() -> None:
    limit({"max_operations": 5_000})
    limit({"max_operations": 6_000}, {"operations": {"days": 3}})
    entry = AuditEntry.objects.filter(action="resources.configure").first()
    assert entry is not None
    assert entry.before == {"constraints": {"max_operations": 5_000}, "retention": {}}
    assert entry.after == {"constraints": {"max_operations": 6_000}, "retention": {"operations": {"days": 3}}}
    assert ResourceSettings.objects.count() == 1


def checkpointed() -> DatabaseSize:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database_size()


def learn(count: int) -> None:
    begin()
    by = store()
    told = operations(count)
    for start in range(0, count, 60):
        by.store([Submission(told[start : start + 60])], NOW.timestamp())


def answer(features: list[float]) -> Any:
    """As another process gives it, that has nothing in memory yet; with the same seed."""
    studies.cache_clear()
    spaces.cache_clear()
    question = Question("t", "m", SETS[0], space="s", features=features)
    given = recommend(question, uuid4(), 1, NOW)
    row = given.recommendation
    return given.parameters, row.pattern, row.propensity, row.source, given.effect, given.why


def test_a_disk_that_is_full_loses_what_may_go() -> None:
    fill(5_000, timedelta(hours=5), attributes={"text": "x" * 900})
    known = checked_limits({"min_free_disk_mb": 16}, {})
    full = ResourceUsage(disk_free_mb=15.0)
    (step,) = plan(full, known, NOW, eager=True)
    assert step.kind == "operations"
    assert 0 < step.rows <= 5_000
    assert "15 MB are free on the database's disk" in step.why
    assert plan(full._replace(disk_free_mb=17.0), known, NOW, eager=True) == []


def test_memory_that_is_short_has_a_cleanup_begin_once_in_a_while() -> None:
    ProcessRecord.objects.create(
        host="h", pid=1, role="web", started_at=NOW, seen_at=NOW, metrics={"memory_mb": 2_000.0}
    )
    run = enforce_constraints(NOW)
    assert run is not None
    assert (run.state, run.removed) == ("done", {})
    assert run.why == ["2,000 MB of memory are used, of 1,024 MB (max_memory_mb)"]
    assert enforce_constraints(NOW + timedelta(seconds=20)) is None


def test_what_grows_too_old_while_it_works_is_the_next_run_s() -> None:
    limit({}, {"operations": {"days": 1}})
    for minutes in range(20):
        fill(5, timedelta(days=1, minutes=1) - timedelta(minutes=minutes))
    minutes = iter(range(0, 10**6, 60))
    run = request_cleanup(actor="ada", reason="a test", now=NOW)
    work_on(run, NOW, work_s=10**5, clock=lambda: next(minutes), pause=lambda _: None)
    assert (run.state, run.removed) == ("done", {"operations": 5})
