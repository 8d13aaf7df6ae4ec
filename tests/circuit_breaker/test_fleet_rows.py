"""The fleet's rows: a bounded number of them, and none is lost while it is being used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from featurememory.circuit_breaker.fleet import OLD_NEWS_S, BreakerResults, Fleet, Result
from featurememory.models import Breaker, BreakerEvent

pytestmark = pytest.mark.django_db(transaction=True)


def results(**failures: int) -> dict[str, BreakerResults]:
    """So many failures for each named breaker; 0 is one success."""
    now = timezone.now().timestamp()
    return {
        name: BreakerResults(
            "t", name, [Result(now, now, "failure" if count else "success", 0.0)] * max(count, 1)
        )
        for name, count in failures.items()
    }


def tell(fleet: Fleet, **failures: int) -> None:
    with transaction.atomic():
        fleet.observe(results(**failures), timezone.now().timestamp())


def names() -> set[str]:
    return set(Breaker.objects.values_list("name", flat=True))


def test_the_one_idle_longest_makes_room_for_a_new_one() -> None:
    fleet = Fleet(2)
    for name in ("a", "b", "a", "c"):
        tell(fleet, **{name: 0})
    assert names() == {"a", "c"}


def test_a_breaker_told_of_in_the_same_transaction_never_makes_room() -> None:
    fleet = Fleet(1)
    tell(fleet, a=0)
    tell(fleet, a=6, b=0)
    assert names() == {"a"}
    assert Breaker.objects.get().state == "open"
    assert BreakerEvent.objects.get().breaker.name == "a"


def test_an_open_one_stays_and_the_new_one_has_to_do_without() -> None:
    fleet = Fleet(1)
    tell(fleet, a=5)
    tell(fleet, b=5)
    assert names() == {"a"}


def test_a_breaker_that_comes_back_continues_above_every_version_it_had() -> None:
    fleet = Fleet(1)
    tell(fleet, a=5)
    opened = Breaker.objects.get()
    Breaker.objects.update(state="closed")
    tell(fleet, b=0)
    assert names() == {"b"}
    tell(fleet, a=0)
    again = Breaker.objects.get()
    assert (again.name, again.state) == ("a", "closed")
    assert again.version >= opened.version
    tell(fleet, a=5)
    assert Breaker.objects.get().version > opened.version


def test_one_dropped_by_another_process_is_made_again() -> None:
    fleet = Fleet(10)
    tell(fleet, a=4, b=0)
    Breaker.objects.filter(name="a").delete()
    tell(fleet, a=5, b=0)
    assert Breaker.objects.get(name="a").state == "open"


def test_two_processes_that_meet_the_same_strangers_neither_wait_for_ever_nor_lose_a_result() -> None:
    wrong: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            wrong.append(failure)
        finally:
            connection.close()

    def rounds() -> None:
        fleet = Fleet(1_000)
        for number in range(20):
            tell(fleet, **{f"n{number}-{each}": 2 for each in range(5)})

    threads = [threading.Thread(target=run, args=(rounds,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert Breaker.objects.count() == 100
    assert set(Breaker.objects.values_list("state", flat=True)) == {"open"}


def failed(ago_s: float, *, is_guarded: bool) -> Result:
    at = timezone.now().timestamp() - ago_s
    return Result(at, at, "failure", 0.0, is_guarded=is_guarded)


def tell_of_five(fleet: Fleet, **how: Any) -> Breaker:
    with transaction.atomic():
        told = {"a": BreakerResults("t", "a", [failed(**how)] * 5)}
        fleet.observe(told, timezone.now().timestamp())
    return Breaker.objects.get()


def test_what_a_guarded_process_reports_late_counts_and_opens_nothing_any_more() -> None:
    """Its own breaker has opened then, and would have said so if it still were."""
    fleet = Fleet(10)
    tell_of_five(fleet, ago_s=OLD_NEWS_S + 1, is_guarded=True)
    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.calls["failure"]) == ("closed", 5)
    tell(fleet, a=1)
    assert BreakerEvent.objects.get().message == "6 failures in a row reached max_failures = 5"


@pytest.mark.parametrize("how", [{"ago_s": 1.0, "is_guarded": True}, {"ago_s": 3_600.0, "is_guarded": False}])
def test_what_is_new_or_seen_by_no_other_breaker_opens_it(how: dict[str, Any]) -> None:
    assert tell_of_five(Fleet(10), **how).state == "open"
