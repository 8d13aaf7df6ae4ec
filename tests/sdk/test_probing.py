"""While the server is there, probes are the fleet's: this process asks for each, and tells what it did by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Permit, Refusal
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.permits import Grant
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer, answer, event
from tests.sdk.test_following import moved, shown

A = OperationContext("a")
GRANTED = Grant(True, "half_open", None, "7.1")
FULL = Grant(False, "half_open", None, "")
NOT_YET = Grant(False, "open", 400.0, "")


class FleetOf:
    """Answers in turn; the last answer stays."""

    def __init__(self, *answers: Grant | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    def ask(self, breaker: str) -> Grant | None:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Here:
    """A breaker that has opened, and a clock of our own."""

    def __init__(self, *answers: Grant | None) -> None:
        self.now = 100.0
        self.fleet = FleetOf(*answers)
        config = BreakerConfig(max_failures=1, jitter=0, half_open_permits=2)
        self.breakers = Breakers(config, 10, clock=lambda: self.now)
        self.breaker = self.breakers["a"]
        admitted = self.breaker.admit()
        assert isinstance(admitted, Permit)
        self.breaker.record(admitted, "failure")
        self.breakers.fleet = self.fleet


def test_nobody_is_asked_before_the_time_out_is_over() -> None:
    here = Here(GRANTED)
    assert isinstance(here.breaker.admit(), Refusal)
    assert here.fleet.asked == 0


def test_a_probe_goes_with_the_permit_that_the_fleet_gave_and_moves_nothing_here() -> None:
    here = Here(GRANTED)
    here.now += 1
    permit = here.breaker.admit()
    assert isinstance(permit, Permit)
    assert permit.token == "7.1"
    here.breaker.record(permit, "failure")
    assert here.breaker.state == "open"


def test_where_the_fleet_has_no_permit_left_it_is_not_asked_again_at_once() -> None:
    here = Here(FULL)
    here.now += 1
    for _ in range(50):
        refused = here.breaker.admit()
        assert isinstance(refused, Refusal)
        assert refused.state in ("open", "half_open")
    assert here.fleet.asked == 1
    here.now += 0.2
    here.breaker.admit()
    assert here.fleet.asked == 2


def test_the_fleets_own_time_out_is_waited_for() -> None:
    here = Here(NOT_YET, GRANTED)
    here.now += 1
    refused = here.breaker.admit()
    assert isinstance(refused, Refusal)
    assert (refused.state, refused.retry_after_ms) == ("open", 400)
    here.now += 0.39
    assert isinstance(here.breaker.admit(), Refusal)
    here.now += 0.02
    assert isinstance(here.breaker.admit(), Permit)
    assert here.fleet.asked == 2


def test_without_an_answer_this_process_counts_its_own_probes() -> None:
    here = Here(None)
    here.now += 1
    probes = [here.breaker.admit() for _ in range(3)]
    assert [isinstance(each, Permit) for each in probes] == [True, True, False]
    for probe in probes[:2]:
        assert isinstance(probe, Permit)
        assert probe.token == ""
        here.breaker.record(probe, "success")
    assert here.breaker.state == "closed"


def test_while_one_thread_asks_the_others_are_refused_at_once() -> None:
    here = Here(GRANTED)
    asked, may_answer = threading.Event(), threading.Event()

    def slow(breaker: str) -> Grant:
        asked.set()
        assert may_answer.wait(10)
        return GRANTED

    here.fleet.ask = slow  # type: ignore[method-assign]
    here.now += 1
    got: list[Permit | Refusal] = []
    first = threading.Thread(target=lambda: got.append(here.breaker.admit()))
    first.start()
    assert asked.wait(10)
    assert [isinstance(here.breaker.admit(), Refusal) for _ in range(20)] == [True] * 20
    may_answer.set()
    first.join(10)
    assert isinstance(got[0], Permit)


def test_an_event_loop_goes_on_while_the_fleet_is_asked() -> None:
    here = Here(GRANTED)
    may_answer = threading.Event()

    def slow(breaker: str) -> Grant:
        assert may_answer.wait(10)
        return GRANTED

    here.fleet.ask = slow  # type: ignore[method-assign]
    here.now += 1

    async def both() -> Permit | Refusal:
        asking = asyncio.ensure_future(here.breaker.admit_async())
        await asyncio.sleep(0)
        assert not asking.done()
        may_answer.set()
        return await asking

    assert isinstance(asyncio.run(both()), Permit)


def test_a_caller_that_is_cancelled_while_it_asks_leaves_nobody_waiting() -> None:
    here = Here(FULL, GRANTED)
    may_answer = threading.Event()
    ask = here.fleet.ask

    def slow(breaker: str) -> Grant | None:
        assert may_answer.wait(10)
        return ask(breaker)

    here.fleet.ask = slow  # type: ignore[method-assign]
    here.now += 1

    async def cancelled() -> None:
        asking = asyncio.ensure_future(here.breaker.admit_async())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        may_answer.set()

    asyncio.run(cancelled())
    assert isinstance(here.breaker.admit(), Permit)


def test_listeners_hear_of_every_transition_and_one_that_fails_harms_nobody() -> None:
    here = Here(None)
    heard: list[tuple[str, str]] = []
    here.breakers.listen(lambda name, transition: 1 / 0)
    here.breakers.listen(lambda name, transition: heard.append((name, transition.cause)))
    here.now += 1
    for _ in range(2):
        probe = here.breaker.admit()
        assert isinstance(probe, Permit)
        here.breaker.record(probe, "success")
    assert heard == [("a", "reset_timeout"), ("a", "probes_succeeded")]


# Over the wire


@pytest.fixture
def following(make_memory: MakeMemory, peer: Peer) -> FeatureMemory:
    """A memory that has heard of the fleet's breaker `a` in epoch 4."""
    peer.opening = lambda _: event("snapshot", {"sequence": 4, "breakers": [shown("closed", epoch=4)]}, 4)
    memory = make_memory(follow_breakers=True, breaker={"max_failures": 2, "jitter": 0}, flush_interval_s=60)
    memory.breaker("a")
    wait_for(peer, lambda: memory.following and peer.streams)
    return memory


def wait_for(peer: Peer, condition: Callable[[], object]) -> None:
    with peer.changed:
        for _ in range(2_000):
            if condition():
                return
            peer.changed.wait(0.005)
    raise AssertionError("it did not happen in time")


def fail(memory: FeatureMemory, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ZeroDivisionError):
            memory.handle_operation(lambda: 1 / 0, A)


def said(peer: Peer, path: str) -> list[dict[str, Any]]:
    return [body for each, body in peer.said if each == path]


def test_operations_say_in_which_epoch_they_began(following: FeatureMemory, peer: Peer) -> None:
    wait_for(
        peer, lambda: following.handle_operation(int, A) == 0 and following._breakers["a"].fleet_epoch == 4
    )
    assert following.handle_operation(int, A) == 0
    assert following.flush()
    assert list(peer.operations.values())[-1]["permit"] == "4"


def test_a_trip_is_told_at_once_with_the_operations_that_caused_it(
    following: FeatureMemory, peer: Peer
) -> None:
    wait_for(peer, lambda: following._breakers["a"].fleet_epoch == 4)
    fail(following, 2)
    wait_for(peer, lambda: said(peer, "/breakers/a/trip") and said(peer, "/breaker-followers/transitions"))
    (trip,) = said(peer, "/breakers/a/trip")
    assert trip["message"] == "2 failures in a row reached max_failures = 2"
    assert trip["permit"] == "4"
    (told,) = said(peer, "/breaker-followers/transitions")
    (transition,) = told["transitions"]
    assert (transition["number"], transition["to_state"], transition["cause"]) == (1, "open", "max_failures")
    wait_for(peer, lambda: len(peer.operations) == 2)
    instances = {each["instance"] for each in peer.operations.values()} | {trip["instance"], told["instance"]}
    assert len(instances) == 1


def test_a_trip_of_a_breaker_the_server_does_not_know_yet_is_told_again(
    following: FeatureMemory, peer: Peer
) -> None:
    peer.answers["/breakers/a/trip"] = answer(404, {"title": "unknown"})
    fail(following, 2)
    wait_for(peer, lambda: len(said(peer, "/breakers/a/trip")) >= 2)
    peer.answers["/breakers/a/trip"] = answer(200, {})
    told = len(said(peer, "/breakers/a/trip"))
    wait_for(peer, lambda: len(said(peer, "/breakers/a/trip")) > told)


def test_what_happened_while_the_server_was_away_is_told_when_it_is_back(
    following: FeatureMemory, peer: Peer
) -> None:
    away = answer(503, {"title": "away"})
    peer.answers |= {
        "/breakers/a/trip": away,
        "/breaker-followers/transitions": away,
        "/breakers/a/permits": away,
    }
    fail(following, 2)
    following._breakers["a"]._clock = lambda: 1e9  # the time-out is over
    for _ in range(3):
        assert following.handle_operation(int, A) == 0
    assert following.breakers()["a"].state == "closed"
    peer.answers.clear()
    wait_for(
        peer,
        lambda: [
            each
            for each in said(peer, "/breaker-followers/transitions")[-1:]
            if len(each["transitions"]) == 3
        ],
    )
    newest = said(peer, "/breaker-followers/transitions")[-1]["transitions"]
    assert [each["to_state"] for each in newest] == ["open", "half_open", "closed"]


def test_an_operators_act_is_acknowledged_and_nothing_else(following: FeatureMemory, peer: Peer) -> None:
    path = "/breaker-followers/acknowledgements"
    peer.tell(event("transition", moved("open", epoch=5, retry_after_ms=60_000), 5))
    peer.tell(event("transition", moved("forced_open", epoch=6, computed="open", actor="olga"), 6))
    wait_for(peer, lambda: said(peer, path))
    assert [each["sequence"] for each in said(peer, path)] == [6]
    assert following.breakers()["a"].state == "forced_open"
    peer.tell(
        event(
            "configuration", {"scope": "default", "name": "", "values": {"max_failures": 9}, "sequence": 7}, 7
        )
    )
    wait_for(peer, lambda: len(said(peer, path)) == 2)
    assert following.breaker("a").config.max_failures == 9


def test_an_operator_s_end_holds_here_too(following: FeatureMemory, peer: Peer) -> None:
    peer.tell(
        event("transition", moved("forced_open", epoch=5, computed="closed", overlay_remaining_ms=60_000), 5)
    )
    wait_for(peer, lambda: following.breakers()["a"].state == "forced_open")
    until = following.breakers()["a"].overlay_until
    assert until is not None
    following._breakers["a"]._clock = lambda: until
    assert following.handle_operation(int, A) == 0


def test_only_measuring_lets_everything_through_here_too(following: FeatureMemory, peer: Peer) -> None:
    peer.tell(event("transition", moved("metrics_only", epoch=5, computed="closed"), 5))
    wait_for(peer, lambda: following.breakers()["a"].state == "metrics_only")
    fail(following, 9)
    assert following.breakers()["a"].computed_state == "open"


def test_a_probe_by_the_fleets_permit_is_reported_with_it_at_once(
    following: FeatureMemory, peer: Peer
) -> None:
    granted = {"allowed": True, "state": "half_open", "retry_after_ms": None, "permit": "6.1"}
    peer.answers["/breakers/a/permits"] = answer(200, granted)
    peer.tell(event("transition", moved("open", epoch=5, retry_after_ms=0), 5))
    wait_for(peer, lambda: following.breakers()["a"].state == "open")
    assert following.handle_operation(int, A) == 0
    wait_for(peer, lambda: [each for each in peer.operations.values() if each.get("permit") == "6.1"])


def test_a_probe_in_an_event_loop_is_reported_too(following: FeatureMemory, peer: Peer) -> None:
    granted = {"allowed": True, "state": "half_open", "retry_after_ms": None, "permit": "6.2"}
    peer.answers["/breakers/a/permits"] = answer(200, granted)
    peer.tell(event("transition", moved("open", epoch=5, retry_after_ms=0), 5))
    wait_for(peer, lambda: following.breakers()["a"].state == "open")

    async def work() -> int:
        return 42

    assert asyncio.run(following.handle_operation(work, A)) == 42
    wait_for(peer, lambda: [each for each in peer.operations.values() if each.get("permit") == "6.2"])


def test_a_server_that_gives_no_permit_refuses(following: FeatureMemory, peer: Peer) -> None:
    refused = {"allowed": False, "state": "half_open", "retry_after_ms": None, "permit": ""}
    peer.answers["/breakers/a/permits"] = answer(200, refused)
    peer.tell(event("transition", moved("open", epoch=5, retry_after_ms=0), 5))
    wait_for(peer, lambda: following.breakers()["a"].state == "open")
    with pytest.raises(CircuitBreakerError, match="half_open"):
        following.handle_operation(int, A)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{nonsense", b"null"])
def test_an_answer_that_makes_no_sense_is_none(following: FeatureMemory, peer: Peer, body: bytes) -> None:
    peer.answers["/breakers/a/permits"] = (200, {}, body)
    peer.tell(event("transition", moved("open", epoch=5, retry_after_ms=0), 5))
    wait_for(peer, lambda: following.breakers()["a"].state == "open")
    assert following.handle_operation(int, A) == 0, "this process counts its own probes"


def test_the_stats_say_whose_word_breakers_heed(following: FeatureMemory, make_memory: MakeMemory) -> None:
    assert following.stats().breakers == "fleet"
    assert make_memory().stats().breakers == "local"
