"""Where a process's own breaker and the fleet's meet: who is asked, whose word holds, and that nothing is left over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Permit, Refusal
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.fleet_news import BreakerNews
from featurememory.sdk.permits import Grant
from featurememory.sdk.pressure import HostPressure

PROBE = Grant(True, "half_open", None, "6.1")
FULL = Grant(False, "half_open", None, "")
FOR_EVERYBODY = Grant(True, "half_open", None, "4")
"""The answer of a fleet's breaker that is closed."""


def news(state: str, epoch: int, computed: str = "", **more: Any) -> BreakerNews:
    fields = {
        "name": "a", "state": state, "computed_state": computed or state, "cause": "", "epoch": epoch,
        "version": epoch, "may_probe_at": None, "overlay_until": None, "is_snapshot": False,
    }  # fmt: skip
    return BreakerNews(**(fields | more))


class Here:
    """One process's breaker that opens at the first failure, its clock, and a fleet that answers what a test says."""

    def __init__(self, ask: Callable[[], Grant | None] = lambda: PROBE, **settings: Any) -> None:
        self.now = 100.0
        self.asked = 0
        self.answer = ask
        config = BreakerConfig.from_mapping(
            {"max_failures": 1, "jitter": 0, "half_open_permits": 1} | settings
        )
        self.breakers = Breakers(config, 10, clock=lambda: self.now)
        self.breaker = self.breakers["a"]
        self.breakers.fleet = self

    def ask(self, breaker: str) -> Grant | None:
        self.asked += 1
        return self.answer()

    def call(self, kind: Kind = "success") -> Permit:
        permit = self.breaker.admit()
        assert isinstance(permit, Permit)
        self.breaker.record(permit, kind)
        return permit

    def open(self) -> None:
        self.call("failure")
        assert self.state == "open"
        self.now += 1

    @property
    def state(self) -> str:
        return self.breaker.status().state


def test_a_process_that_tripped_alone_closes_by_its_own_probes_while_the_fleet_stays_closed() -> None:
    here = Here(lambda: FOR_EVERYBODY)
    here.breakers.hear(news("closed", 4, is_snapshot=True))
    here.open()
    assert here.call().token == "", "what it reports carries the epoch, as any call's"
    assert here.state == "closed"


def test_a_process_that_tripped_alone_lets_no_more_probes_go_than_permitted() -> None:
    here = Here(lambda: FOR_EVERYBODY, half_open_permits=2)
    here.open()
    answers = [here.breaker.admit() for _ in range(5)]
    assert [isinstance(each, Permit) for each in answers] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        (news("forced_open", 7, "half_open"), "forced_open"),
        (news("open", 7, may_probe_at=200.0), "open"),
    ],
)
def test_what_was_heard_while_the_fleet_was_asked_goes_over_its_answer(
    heard: BreakerNews, state: str
) -> None:
    here = Here()
    here.open()

    def ask() -> Grant:
        here.breakers.hear(news("half_open", 6))
        here.breakers.hear(heard)
        return PROBE

    here.answer = ask
    refused = here.breaker.admit()
    assert isinstance(refused, Refusal)
    assert refused.state == state


def test_a_breaker_that_closed_while_the_fleet_was_asked_lets_the_call_go_as_any_other() -> None:
    here = Here()
    here.breakers.hear(news("closed", 4))
    here.open()

    def ask() -> Grant:
        here.breakers.hear(news("closed", 7, cause="reset"))
        return FULL

    here.answer = ask
    assert here.call().token == ""
    assert here.breaker.status().calls == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_caller_interrupted_while_it_asks_leaves_nobody_waiting(error: type[BaseException]) -> None:
    here = Here()
    here.open()

    def ask() -> Grant:
        raise error

    here.answer = ask
    with pytest.raises(error):
        here.breaker.admit()
    here.answer = lambda: PROBE
    assert here.call().token == "6.1"


def cancelled_while_it_asks(here: Here) -> None:
    """A task that asks is cancelled; the answer comes afterwards."""
    may_answer = threading.Event()
    answer = here.answer

    def ask() -> Grant | None:
        assert may_answer.wait(10)
        return answer()

    async def cancel() -> None:
        asking = asyncio.ensure_future(here.breaker.admit_async())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        may_answer.set()

    here.answer = ask
    asyncio.run(cancel())
    here.answer = answer


def test_a_permit_granted_to_a_task_that_was_cancelled_meanwhile_is_the_next_ones() -> None:
    here = Here()
    here.open()
    cancelled_while_it_asks(here)
    here.breakers.hear(news("half_open", 6))
    here.answer = lambda: FULL
    assert here.call().token == "6.1"
    assert here.asked == 1
    assert isinstance(here.breaker.admit(), Refusal), "it is good for one call"


def test_a_permit_that_nobody_came_for_is_void_with_the_next_news_and_after_its_time() -> None:
    for late in (False, True):
        here = Here(half_open_timeout_ms=5_000)
        here.open()
        cancelled_while_it_asks(here)
        here.answer = lambda: FULL
        if late:
            here.now += 5
        else:
            here.breakers.hear(news("half_open", 8))
        assert isinstance(here.breaker.admit(), Refusal)
        assert here.asked == 2


def test_a_reset_that_was_missed_and_shows_only_in_a_snapshot_empties_the_window_too() -> None:
    here = Here(max_failures=3)
    here.breakers.hear_all([news("closed", 4, is_snapshot=True)])
    for _ in range(2):
        here.call("failure")
    here.breakers.hear_all([news("closed", 4, is_snapshot=True)])
    assert here.breaker.status().calls == 2, "nothing happened in between"
    late = here.breaker.admit()
    here.breakers.hear_all([news("closed", 5, is_snapshot=True)])
    assert isinstance(late, Permit)
    here.breaker.record(late, "failure")
    assert (here.state, here.breaker.status().calls) == ("closed", 0)


def test_a_server_that_has_forgotten_a_breaker_is_heard_again_from_its_first_word() -> None:
    here = Here()
    here.breakers.hear(news("forced_open", 40, "closed"))
    here.breakers.hear_all([])
    assert here.state == "closed", "nobody could release it any more"
    here.breakers.hear(news("forced_open", 1, "closed"))
    assert here.state == "forced_open"


def test_a_server_that_has_forgotten_a_breaker_takes_no_protection_away() -> None:
    here = Here()
    here.breakers.hear(news("closed", 40))
    here.open()
    here.breakers.hear_all([])
    here.breakers.hear_all([news("closed", 0, is_snapshot=True)])
    assert here.state == "open"
    assert here.breaker.fleet_epoch == 0


def test_a_new_configuration_lifts_no_pressure() -> None:
    pressure = HostPressure(lambda: None, lambda: 97.0)
    breakers = Breakers(BreakerConfig(), 10, clock=lambda: 100.0, pressure=pressure)
    breaker = breakers["a"]
    breakers.look()
    assert isinstance(breaker.admit(), Refusal)
    breakers.hear_configuration("default", "", {"max_failures": 7})
    assert isinstance(breaker.admit(), Refusal)
    breakers.hear_configuration("default", "", {"health_thresholds": {"memory": None}})
    assert isinstance(breaker.admit(), Permit)
