"""Writers of one SQLite database take turns: who has just written comes after who waits."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from threading import Thread
from time import monotonic

import pytest
from django.db import connection, transaction
from django.utils import timezone

from featurememory.models import Source

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]


def some_source(instance: str) -> None:
    now = timezone.now()
    Source.objects.create(instance=instance, first_seen=now, last_seen=now)


def in_a_transaction(instance: str) -> None:
    with transaction.atomic():
        some_source(instance)


@pytest.mark.parametrize("write", [some_source, in_a_transaction])
def test_a_writer_that_goes_on_at_once_lets_the_one_that_waits_go_first(write: Callable[[str], None]) -> None:
    order: list[str] = []

    def other() -> None:
        try:
            write("other")
            order.append("other")
        finally:
            connection.close()

    waiting = Thread(target=other)
    with transaction.atomic():
        some_source("first")
        waiting.start()
        wait_for_somebody_at_the_gate()
    with transaction.atomic():
        order.append("again")
    waiting.join(10)
    assert order == ["other", "again"]


def test_one_that_gives_up_waiting_leaves_the_gate_open() -> None:
    failures: Queue[str] = Queue()

    def impatient() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout=1")
            in_a_transaction("impatient")
        except Exception as failure:
            failures.put(str(failure))
        finally:
            connection.close()

    with transaction.atomic():
        some_source("first")
        thread = Thread(target=impatient)
        thread.start()
        assert "locked" in failures.get(timeout=10)
        thread.join(10)
    in_a_transaction("second")
    assert set(Source.objects.values_list("instance", flat=True)) == {"first", "second"}


def test_who_only_reads_does_not_wait() -> None:
    counts: Queue[int] = Queue()

    def read() -> None:
        counts.put(Source.objects.count())
        connection.close()

    with transaction.atomic():
        some_source("first")
        descriptor = os.open(gate(), os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        Thread(target=read).start()
        assert counts.get(timeout=10) == 0
        os.close(descriptor)


def gate() -> Path:
    return Path(f"{connection.settings_dict['NAME']}-gate")


def wait_for_somebody_at_the_gate() -> None:
    deadline = monotonic() + 10
    descriptor = os.open(gate(), os.O_RDWR)
    try:
        while monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        raise AssertionError("nobody waits at the gate")
    finally:
        os.close(descriptor)


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_as_many_pages_are_given_back_as_were_asked_for() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("VACUUM")
        cursor.execute("CREATE TABLE heap (id INTEGER PRIMARY KEY, text TEXT)")
        cursor.execute(
            "INSERT INTO heap (text) WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)"
            " SELECT hex(zeroblob(1000)) FROM n"
        )
        cursor.execute("DELETE FROM heap")
        cursor.execute("PRAGMA freelist_count")
        (free,) = cursor.fetchone()
        connection.connection.give_back(700)
        cursor.execute("PRAGMA freelist_count")
        assert cursor.fetchone() == (free - 700,)
        cursor.execute("DROP TABLE heap")
