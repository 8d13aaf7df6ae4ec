"""When a job is due, when it is overdue, and when a failed one is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.scheduling.due import (
    LAST_RETRY,
    LONGEST_RUN,
    MOST_GRACE,
    MOST_RETRIES,
    JobSeen,
    Stage,
    look_ahead,
    retry_after,
    spell,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
EVERY = st.timedeltas(min_value=SECOND, max_value=24 * HOUR)
SPANS = st.timedeltas(min_value=timedelta(), max_value=48 * HOUR)


def job(**changes: Any) -> JobSeen:
    given = {"name": "settle_breakers", "every": 5 * SECOND, "known_since": NOW - HOUR} | changes
    return JobSeen(**given)


def test_a_job_that_ran_waits_for_its_time() -> None:
    ahead = look_ahead(job(started_at=NOW - SECOND, ended_at=NOW), NOW)
    assert (ahead.stage, ahead.due_at) == (Stage.WAITING, NOW + 4 * SECOND)


@pytest.mark.parametrize(
    ("every", "late", "stage"),
    [
        (5 * SECOND, 30 * SECOND, Stage.WAITING),
        (5 * SECOND, 31 * SECOND, Stage.OVERDUE),
        (HOUR, MOST_GRACE, Stage.WAITING),
        (HOUR, MOST_GRACE + SECOND, Stage.OVERDUE),
    ],
)
def test_a_busy_worker_is_given_some_time(every: timedelta, late: timedelta, stage: Stage) -> None:
    assert look_ahead(job(every=every, started_at=NOW - every - late), NOW).stage is stage


def test_one_that_never_ran_is_due_since_the_schedule_has_it() -> None:
    assert look_ahead(job(known_since=NOW), NOW).stage is Stage.WAITING
    ahead = look_ahead(job(known_since=NOW - 65 * SECOND), NOW)
    assert (ahead.stage, ahead.words) == (Stage.OVERDUE, "Overdue for 60 s: it never began.")


def test_one_that_runs_is_not_overdue_until_it_hangs() -> None:
    def running(lasts: timedelta) -> Stage:
        return look_ahead(job(started_at=NOW - lasts, leased_until=NOW + SECOND), NOW).stage

    assert running(HOUR / 10) is Stage.RUNNING
    assert running(LONGEST_RUN + SECOND) is Stage.OVERDUE


def test_a_run_that_was_cut_short_is_said_to_be() -> None:
    ahead = look_ahead(job(started_at=NOW - 31 * SECOND, leased_until=NOW - SECOND), NOW)
    assert (ahead.stage, ahead.words) == (
        Stage.WAITING,
        "Its last run was cut short; the next makes up for it.",
    )


def test_a_failed_one_is_due_when_it_is_tried_again() -> None:
    failed = job(every=HOUR, started_at=NOW - SECOND, failures_in_a_row=1, retry_at=NOW + 30 * SECOND)
    assert look_ahead(failed, NOW).due_at == NOW + 30 * SECOND
    long_past = job(every=HOUR, started_at=NOW, retry_at=NOW - SECOND)
    assert look_ahead(long_past, NOW).due_at == NOW + HOUR


@given(EVERY, SPANS)
def test_it_becomes_overdue_once_and_stays_so_until_it_runs(every: timedelta, later: timedelta) -> None:
    late = job(every=every, started_at=NOW)
    first, then = look_ahead(late, NOW + later).stage, look_ahead(late, NOW + later + SECOND).stage
    assert (first, then) != (Stage.OVERDUE, Stage.WAITING)
    assert look_ahead(late, NOW + every + MOST_GRACE + SECOND).stage is Stage.OVERDUE


def test_a_job_that_runs_often_has_its_next_run_for_a_retry() -> None:
    assert retry_after(1, timedelta(minutes=1), 0.5) is None


@given(st.integers(1, MOST_RETRIES), st.floats(0, 1, exclude_max=True))
def test_a_rare_one_is_tried_again_after_ever_longer_and_never_too_long(failures: int, draw: float) -> None:
    wait = retry_after(failures, HOUR, draw)
    assert wait is not None
    assert timedelta(seconds=15) <= wait <= LAST_RETRY
    longer = retry_after(failures + 1, HOUR, draw)
    assert longer is None or longer >= wait


def test_after_some_retries_it_waits_for_its_time() -> None:
    assert retry_after(MOST_RETRIES, HOUR, 0.0) is not None
    assert retry_after(MOST_RETRIES + 1, HOUR, 0.0) is None


@pytest.mark.parametrize(
    ("span", "words"),
    [(42 * SECOND, "42 s"), (timedelta(minutes=7), "7 min"), (3 * HOUR, "3 h")],
)
def test_spans_are_told_in_the_unit_that_fits(span: timedelta, words: str) -> None:
    assert spell(span) == words
