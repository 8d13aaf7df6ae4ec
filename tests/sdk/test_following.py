"""How this process's breakers follow the fleet's: the rules, then the stream itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from threading import Event
from time import monotonic
from typing import Any

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.fleet_news import BreakerNews, Layers
from featurememory.sdk.http import ServerAddress
from featurememory.sdk.operation import GuardedOperation
from featurememory.sdk.stream import Follower, ServerEvent, events
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer, event


def shown(state: str, *, epoch: int, computed: str | None = None, **more: Any) -> dict[str, Any]:
    """A breaker as a snapshot shows it."""
    return {
        "name": "a", "operation_type": "a", "model": "", "state": state, "computed_state": computed or state,
        "overlay": None, "epoch": epoch, "version": epoch, "retry_after_ms": None,
    } | more  # fmt: skip


def moved(state: str, *, epoch: int, computed: str | None = None, **more: Any) -> dict[str, Any]:
    """A transition's data."""
    return {
        "sequence": epoch, "breaker": "a", "from": "closed", "to": state, "state": state,
        "computed_state": computed or state, "cause": "", "actor": "", "reason": "", "epoch": epoch,
        "version": epoch, "at": "2026-11-23T15:40:51Z", "retry_after_ms": None,
    } | more  # fmt: skip


class Here:
    """One breaker of this process, and what the fleet tells it."""

    def __init__(self) -> None:
        self.breakers = Breakers(BreakerConfig(max_failures=1), 100)
        self.breaker = self.breakers["a"]

    def snapshot(self, *args: Any, **kwargs: Any) -> str:
        self.breakers.hear_all([BreakerNews.of_snapshot(shown(*args, **kwargs), monotonic())])
        return self.state

    def transition(self, *args: Any, **kwargs: Any) -> str:
        self.breakers.hear(BreakerNews.of_transition(moved(*args, **kwargs), monotonic()))
        return self.state

    def fail(self) -> None:
        with pytest.raises(ZeroDivisionError):
            self.breaker.call(lambda: 1 / 0)
        assert self.state == "open"

    @property
    def state(self) -> str:
        return self.breaker.status().state


@pytest.fixture
def here() -> Here:
    return Here()


def test_what_an_operator_forces_holds_at_once_and_until_released(here: Here) -> None:
    assert here.transition("forced_open", epoch=1, computed="closed") == "forced_open"
    assert here.transition("disabled", epoch=2, computed="closed") == "disabled"
    assert here.transition("closed", epoch=3, cause="released") == "closed"


def test_a_reset_closes_at_once_and_lifts_everything(here: Here) -> None:
    here.fail()
    here.transition("forced_open", epoch=1, computed="open")
    assert here.transition("closed", epoch=2, cause="reset") == "closed"
    assert here.breaker.status().calls == 0
    assert here.breaker.call(lambda: 42) == 42


def test_it_opens_and_closes_with_the_fleet(here: Here) -> None:
    assert here.transition("open", epoch=1, retry_after_ms=60_000) == "open"
    status = here.breaker.status()
    assert status.retry_after_ms is not None
    assert 50_000 < status.retry_after_ms <= 60_000
    assert here.transition("half_open", epoch=2) == "half_open"
    assert here.transition("closed", epoch=3) == "closed"


def test_the_first_thing_heard_does_not_take_this_process_s_protection_away(here: Here) -> None:
    here.fail()
    assert here.snapshot("closed", epoch=0) == "open"
    assert here.snapshot("closed", epoch=0) == "open"
    assert here.snapshot("closed", epoch=1) == "closed"


def test_after_an_interruption_the_newer_epoch_counts(here: Here) -> None:
    here.snapshot("closed", epoch=4)
    assert here.snapshot("open", epoch=7, retry_after_ms=1_000) == "open"
    assert here.snapshot("closed", epoch=9) == "closed"


def test_a_server_that_began_anew_is_believed_when_it_says_open_only(here: Here) -> None:
    here.snapshot("closed", epoch=40)
    here.fail()
    assert here.snapshot("closed", epoch=1) == "open"
    assert here.snapshot("open", epoch=2, retry_after_ms=1_000) == "open"
    assert here.snapshot("closed", epoch=3) == "closed"


def test_transitions_of_before_are_passed_over(here: Here) -> None:
    here.transition("closed", epoch=5, cause="reset")
    assert here.transition("open", epoch=4, retry_after_ms=1_000) == "closed"
    assert here.transition("forced_open", epoch=5, computed="closed") == "closed"


def test_calls_admitted_before_a_reset_do_not_count_after_it(here: Here) -> None:
    permit = here.breaker.admit()
    here.transition("closed", epoch=1, cause="reset")
    here.breaker.record(permit, "failure")  # type: ignore[arg-type]
    assert here.state == "closed"


def test_a_breaker_made_later_knows_what_was_said_before(here: Here) -> None:
    news = [BreakerNews.of_snapshot(shown("forced_open", epoch=3, computed="closed", name="b"), monotonic())]
    here.breakers.hear_all(news, layers(breaker__c={"max_failures": 2}))
    assert here.breakers["b"].status().state == "forced_open"
    for _ in range(2):
        assert here.breakers["c"].status().state == "closed"
        with pytest.raises(ZeroDivisionError):
            here.breakers["c"].call(lambda: 1 / 0)
    assert here.breakers["c"].status().state == "open"


def layers(**values: Any) -> Layers:
    """Settings by scope and, behind two underscores, name."""
    parts = [(*key.partition("__"), each) for key, each in values.items()]
    return Layers.of_snapshot(
        {"scope": scope, "name": name, "values": each} for scope, _, name, each in parts
    )


def test_a_new_configuration_keeps_the_window_and_an_unknown_setting_changes_nothing(here: Here) -> None:
    here.breaker.call(int)
    here.breakers.hear_configuration("breaker", "a", {"max_failures": 2, "window_size": 30})
    assert here.breaker.status().calls == 1
    with pytest.raises(ZeroDivisionError):
        here.breaker.call(lambda: 1 / 0)
    assert here.state == "closed"
    here.breakers.hear_configuration("breaker", "a", {"quantum": True})
    assert here.state == "closed"
    here.breakers.hear_configuration("breaker", "a", {})
    here.breaker.call(int)
    here.fail()


def test_the_more_particular_settings_go_over_the_others_and_all_over_the_processs_own(here: Here) -> None:
    said = layers(default={"max_failures": 7, "jitter": 0}, operation_type__t={"max_failures": 6})
    here.breakers.hear_all([], said)
    assert here.breakers["a"].config.max_failures == 7
    assert here.breakers.of("t:m", "t", 0.0).config.max_failures == 6
    here.breakers.hear_configuration("breaker", "t:m", {"max_failures": 5})
    config = here.breakers["t:m"].config
    assert (config.max_failures, config.jitter) == (5, 0)
    here.breakers.hear_configuration("default", "", {})
    assert here.breakers["a"].config == BreakerConfig(max_failures=1)


def test_what_of_the_processs_own_does_not_fit_the_fleets_settings_is_left_out() -> None:
    breakers = Breakers(BreakerConfig(reset_timeout_ms=50_000), 10)
    breakers.hear_configuration("default", "", {"max_reset_timeout_ms": 2_000})
    assert breakers["a"].config == BreakerConfig(max_reset_timeout_ms=2_000)


def test_events_are_read_as_the_standard_says() -> None:
    lines = [
        b": hello",
        b"",
        b"event: a",
        b"data: 1",
        b"data:2",
        b"id: 7",
        b"",
        b"event: b",
        b"",
        b"data: 3",
        b"",
    ]
    assert list(events(lines)) == [ServerEvent("a", "1\n2", "7"), ServerEvent("message", "3", "")]


def test_a_breaker_made_while_a_snapshot_arrives_knows_what_was_said_before(here: Here) -> None:
    def everything() -> Iterator[BreakerNews]:
        assert here.breakers["b"].status().state == "forced_open"
        yield BreakerNews.of_snapshot(shown("closed", epoch=3, computed="closed", name="c"), monotonic())

    here.transition("forced_open", epoch=1, computed="closed", breaker="b")
    here.breakers.hear_all(everything())


@pytest.mark.parametrize("values", [{"window_size": []}, {"max_failures": None}, {"health_thresholds": 7}])
def test_a_configuration_that_makes_no_sense_fails_no_call(values: Any, here: Here) -> None:
    here.breakers.hear_configuration("default", "", values)
    assert here.breakers["later"].call(lambda: 42) == 42


@pytest.fixture
def following(make_memory: MakeMemory, peer: Peer) -> Iterator[FeatureMemory]:
    peer.opening = lambda _: event("snapshot", {"sequence": 4, "breakers": [shown("closed", epoch=4)]}, 4)
    memory = make_memory(follow_breakers=True)
    with memory.operation("a"):
        pass
    peer.wait_until(lambda: peer.streams)
    return memory


def wait_for_state(memory: FeatureMemory, peer: Peer, state: str) -> None:
    """Each delivered operation wakes the wait: the state is looked at again."""
    deadline = monotonic() + 10
    while memory.breakers()["a"].state != state:
        assert monotonic() < deadline, f"never became {state}"
        with memory.operation("something else"):
            pass
        assert memory.flush(10)


def test_an_operators_word_reaches_a_running_process(following: FeatureMemory, peer: Peer) -> None:
    peer.tell(event("transition", moved("forced_open", epoch=5, computed="closed"), 5))
    wait_for_state(following, peer, "forced_open")
    with pytest.raises(CircuitBreakerError, match="forced_open"), following.operation("a"):
        pass
    peer.tell(event("heartbeat", {"sequence": 5}))
    peer.tell(event("transition", moved("closed", epoch=6, cause="reset"), 6))
    wait_for_state(following, peer, "closed")
    assert following.following


def test_a_broken_stream_is_taken_up_where_it_ended(following: FeatureMemory, peer: Peer) -> None:
    peer.tell(event("transition", moved("closed", epoch=5, cause="reset"), 5))
    peer.opening = lambda seen: event(
        "transition", moved("disabled", epoch=6, computed="closed"), int(seen) + 1
    )
    peer.tell(None)
    wait_for_state(following, peer, "disabled")
    with peer.changed:  # it is written down once its opening is sent
        assert peer.changed.wait_for(lambda: len(peer.stream_requests) > 1, 10)
    assert [request.get("last-event-id") for request in peer.stream_requests[:2]] == [None, "5"]


def test_nonsense_on_the_stream_makes_it_begin_anew(following: FeatureMemory, peer: Peer) -> None:
    peer.tell(b"event: transition\nid: 9\ndata: {nonsense\n\n")
    peer.wait_until(lambda: len(peer.stream_requests) >= 2)
    assert "last-event-id" not in peer.stream_requests[1]
    assert following.breakers()["a"].state == "closed"


def test_a_silent_stream_is_taken_for_broken(peer: Peer) -> None:
    address = ServerAddress.of(peer.url)
    follower = Follower(address, "fm_test", Breakers(BreakerConfig(), 10), silence_s=0.1)
    follower.start()
    peer.wait_until(lambda: len(peer.stream_requests) >= 3)
    follower.close()


def forced_open(peer: Peer) -> None:
    """An operator did so before anybody asks."""
    breakers = [shown("forced_open", epoch=4, computed="closed")]
    peer.opening = lambda _: event("snapshot", {"sequence": 4, "breakers": breakers}, 4)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"


def test_a_process_that_starts_knows_before_its_first_call(make_memory: MakeMemory, peer: Peer) -> None:
    forced_open(peer)
    memory = make_memory(follow_breakers=True)
    peer.wait_until(lambda: peer.streams)
    wait_for(lambda: memory.breaker("a").state == "forced_open")
    ran: list[int] = []
    with pytest.raises(CircuitBreakerError):
        memory.handle_operation(lambda: ran.append(1), OperationContext("a"))
    assert ran == []


@pytest.mark.parametrize("form", ["operation", "breaker alone", "breaker held", "state"])
def test_following_begins_with_the_first_call_not_with_its_end(form: str, peer: Peer) -> None:
    breakers = Breakers(BreakerConfig(), 10)
    follower = Follower(ServerAddress.of(peer.url), "fm_test", breakers, grace_s=3_600)
    breakers.on_use = follower.start_now
    breaker = breakers["a"]
    follower.start()
    assert peer.stream_requests == []

    def first() -> None:
        peer.wait_until(lambda: peer.streams)

    if form == "operation":
        with GuardedOperation(breakers, lambda _: None, OperationContext("a")):
            first()
    elif form == "breaker alone":
        breakers["b"].call(first)
    elif form == "breaker held":
        breaker.call(first)
    else:
        assert breaker.state == "closed"
        first()
    follower.close()


def test_a_follower_that_waits_for_its_grace_ends_when_it_is_closed(peer: Peer) -> None:
    follower = Follower(ServerAddress.of(peer.url), "fm_test", Breakers(BreakerConfig(), 10), grace_s=3_600)
    follower.start()
    wait_for(lambda: followers())
    follower.close()
    wait_for(lambda: not followers())
    follower.start()
    assert follower.start_now()
    assert not followers()
    assert peer.stream_requests == []


def followers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "featurememory-breakers"]


def test_a_forked_worker_knows_what_its_parent_knew_and_follows_by_itself(
    make_memory: MakeMemory, peer: Peer
) -> None:
    forced_open(peer)
    memory = make_memory(follow_breakers=True)
    forced, other = memory.breaker("a"), memory.breaker("b")
    peer.wait_until(lambda: peer.streams)
    wait_for(lambda: forced.state == "forced_open")
    child = os.fork()
    if child == 0:
        try:
            assert not memory.following
            with pytest.raises(CircuitBreakerError):
                memory.breaker("a").call(lambda: None)
            other.call(lambda: wait_for(lambda: memory.following))
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(peer.stream_requests) == 2
    assert memory.following


FORKING = """
import os
from featurememory import FeatureMemory
memory = FeatureMemory({url!r}, "fm_test", flush_interval_s=0.01)
with memory.operation("a"):
    pass
while not memory.following or not memory.flush(10):
    pass
child = os.fork()
if not child:
    files = ["/proc/self/fd/" + each for each in os.listdir("/proc/self/fd")]
    os._exit(sum("socket" in os.readlink(each) for each in files if os.path.exists(each) or os.path.islink(each)))
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_worker_keeps_no_connection_of_its_parent_open(peer: Peer) -> None:
    assert subprocess.run([sys.executable, "-c", FORKING.format(url=peer.url)], timeout=60).returncode == 0


def test_a_follower_closed_while_it_connects_does_not_go_on(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, closed, connect = Event(), Event(), socket.create_connection

    def slowly(*args: Any) -> socket.socket:
        connecting.set()
        assert closed.wait(10)
        return connect(*args)

    monkeypatch.setattr(socket, "create_connection", slowly)
    breakers = Breakers(BreakerConfig(), 10)
    follower = Follower(ServerAddress.of(peer.url), "fm_test", breakers)
    follower.start_now()
    assert connecting.wait(10)
    follower.close()
    closed.set()
    wait_for(lambda: not followers())
    assert not follower.following


def test_a_closed_follower_takes_no_event_in_any_more(peer: Peer) -> None:
    class Closing(Breakers):
        def hear_all(self, *everything: Any) -> None:
            super().hear_all(*everything)
            follower.close()

    closing = Closing(BreakerConfig(), 10)
    follower = Follower(ServerAddress.of(peer.url), "fm_test", closing)
    moved_too = event("transition", moved("forced_open", epoch=5, computed="closed"), 5)
    peer.opening = lambda _: event("snapshot", {"sequence": 4, "breakers": []}, 4) + moved_too
    follower.start_now()
    wait_for(lambda: peer.streams and not followers())
    assert closing["a"].state == "closed"
