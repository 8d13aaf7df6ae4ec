"""From the buffer to the server: once each, in batches, whatever the server does."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from featurememory import FeatureMemory, OperationContext
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Answer, Peer, always, answer, running_peer

CONTEXT = OperationContext("analysis", parameters={"steps": 50})


def record(memory: FeatureMemory, count: int = 1) -> None:
    for _ in range(count):
        memory.handle_operation(lambda: None, CONTEXT)


def test_operations_arrive_in_batches_with_their_source(make_memory: MakeMemory, peer: Peer) -> None:
    memory = make_memory(batch_size=100)
    record(memory, 1_000)
    assert memory.flush(10)
    assert len(peer.operations) == 1_000
    assert max(len(request.operations) for request in peer.requests) <= 100
    request = peer.requests[-1]
    assert request.headers["authorization"] == "Bearer fm_test"
    assert request.source["sdk"].startswith("python/")
    assert {each["instance"] for each in request.operations} == {request.source["instance"]}
    stats = memory.stats()
    assert (stats.accepted, stats.sent, stats.buffered, stats.dropped, stats.connected) == (
        1_000,
        1_000,
        0,
        0,
        True,
    )


def test_large_batches_are_packed_and_small_ones_are_not(make_memory: MakeMemory, peer: Peer) -> None:
    memory = make_memory(flush_interval_s=60)
    record(memory)
    assert memory.flush(10)
    record(memory, 200)
    assert memory.flush(10)
    assert [request.headers.get("content-encoding") for request in peer.requests] == [None, "gzip"]


def test_a_batch_goes_when_it_is_full_without_waiting(make_memory: MakeMemory, peer: Peer) -> None:
    memory = make_memory(flush_interval_s=3_600, batch_size=10)
    record(memory, 10)
    peer.wait_until(lambda: len(peer.operations) == 10)


def test_a_connection_the_server_closed_meanwhile_is_opened_anew(memory: FeatureMemory, peer: Peer) -> None:
    record(memory)
    assert memory.flush(10)
    peer.next_behaviours.append(
        lambda operations: with_header(peer.accept(operations), "Connection", "close")
    )
    record(memory)
    assert memory.flush(10)
    record(memory)
    assert memory.flush(10)
    assert len(peer.operations) == 3
    assert memory.stats().last_error == ""


def with_header(answered: Answer, name: str, value: str) -> Answer:
    status, headers, body = answered
    return status, headers | {name: value}, body


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_gets_them_later(status: int, memory: FeatureMemory, peer: Peer) -> None:
    peer.next_behaviours.append(always(status))
    record(memory)
    assert memory.flush(10)
    assert len(peer.operations) == 1
    assert str(status) in memory.stats().last_error


def test_retry_after_is_honoured(memory: FeatureMemory, peer: Peer) -> None:
    peer.next_behaviours.append(always(503, Retry_After="1"))
    record(memory)
    assert memory.flush(10)
    first, second = peer.requests
    assert second.at - first.at >= 1


def test_what_the_server_refuses_for_good_is_counted_and_the_rest_goes_on(
    memory: FeatureMemory, peer: Peer
) -> None:
    def refuse_first(operations: list[dict[str, Any]]) -> Answer:
        peer.accept(operations[1:])
        wrong = {
            "index": 0,
            "id": operations[0]["id"],
            "errors": [{"field": "model", "code": "x", "message": "no"}],
        }
        return answer(200, {"accepted": len(operations) - 1, "duplicates": 0, "rejected": [wrong]})

    peer.next_behaviours.append(refuse_first)
    record(memory, 3)
    assert memory.flush(10)
    stats = memory.stats()
    assert (stats.accepted, stats.rejected, stats.dropped) == (2, 1, 0)
    assert "model" in stats.last_error


def test_a_batch_refused_whole_is_taken_apart_until_the_bad_one_is_found(
    make_memory: MakeMemory, peer: Peer
) -> None:
    def behave(operations: list[dict[str, Any]]) -> Answer:
        if any(each["operation_type"] == "bad" for each in operations):
            return answer(413, {"title": "too large"})
        return peer.accept(operations)

    peer.next_behaviours.extend([behave] * 100)
    memory = make_memory(flush_interval_s=3_600)
    record(memory, 20)
    memory.handle_operation(lambda: None, OperationContext("bad"))
    record(memory, 20)
    assert memory.flush(10)
    assert (len(peer.operations), memory.stats().rejected) == (40, 1)


def test_an_answer_lost_on_its_way_is_no_operation_counted_twice(make_memory: MakeMemory, peer: Peer) -> None:
    memory = make_memory(request_timeout_s=0.2)
    let_go = Event()

    def accept_but_stay_silent(operations: list[dict[str, Any]]) -> Answer:
        accepted = peer.accept(operations)
        let_go.wait(10)
        return accepted

    peer.next_behaviours.append(accept_but_stay_silent)
    record(memory, 5)
    assert memory.flush(10)
    let_go.set()
    assert len(peer.operations) == 5
    assert memory.stats().duplicates == 5


@pytest.mark.parametrize(
    "behave",
    [
        lambda _: (200, {}, b"<html>not ours</html>"),
        lambda _: (200, {}, b"[]"),
        lambda _: (200, {}, b'{"rejected": 7}'),
        lambda _: (200, {}, b'{"accepted": null, "duplicates": null, "rejected": [], "x": "\xff"}'),
        lambda _: (200, {}, b'{"duplicates": "many", "rejected": []}'),
    ],
)
def test_an_answer_that_makes_no_sense_loses_nothing(
    behave: Callable[[Any], Answer], memory: FeatureMemory, peer: Peer
) -> None:
    peer.next_behaviours.append(behave)
    record(memory)
    assert memory.flush(10)
    assert len(peer.operations) == 1


def test_a_wrong_key_keeps_operations_and_warns_once(
    make_memory: MakeMemory, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    memory = make_memory()
    peer.next_behaviours.extend([always(401)] * 3)
    with caplog.at_level(logging.WARNING, logger="featurememory"):
        for _ in range(2):
            record(memory)
            assert not memory.flush(0.3)
        assert memory.stats().buffered == 2
        assert not memory.stats().connected
        peer.next_behaviours.clear()
        assert memory.flush(10)
    assert len(peer.operations) == 2
    assert len([each for each in caplog.records if "401" in each.message]) <= 1


def test_a_server_that_is_gone_gets_everything_when_it_is_back(make_memory: MakeMemory) -> None:
    with running_peer() as first:
        port = first.port
    memory = make_memory(url=f"http://127.0.0.1:{port}")
    record(memory, 50)
    assert not memory.flush(0.2)
    assert memory.stats().buffered == 50
    with running_peer(port) as second:
        assert memory.flush(10)
        assert len(second.operations) == 50


def test_of_too_many_waiting_the_oldest_go_and_are_counted(make_memory: MakeMemory) -> None:
    with running_peer() as gone:
        port = gone.port
    memory = make_memory(url=f"http://127.0.0.1:{port}", buffer_size=100, batch_size=10)
    for number in range(250):
        with memory.operation("analysis", attributes={"number": number}):
            pass
    stats = memory.stats()
    assert stats.buffered + stats.dropped == 250
    assert 80 < stats.buffered <= 100
    with running_peer(port) as back:
        memory.flush(10)
        kept = sorted(each["attributes"]["number"] for each in back.operations.values())
        assert kept[-80:] == list(range(170, 250))
        assert back.requests[-1].source["dropped"] == stats.dropped


def test_a_server_that_never_answers_delays_nobody(make_memory: MakeMemory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        memory = make_memory(url=f"http://127.0.0.1:{deaf.getsockname()[1]}", request_timeout_s=0.05)
        record(memory, 1_000)
        assert not memory.flush(0.3)
        assert memory.stats().buffered == 1_000
        assert "timed out" in memory.stats().last_error


def test_close_delivers_and_what_comes_later_is_counted_as_dropped(memory: FeatureMemory, peer: Peer) -> None:
    record(memory, 10)
    assert memory.close(10)
    record(memory, 3)
    assert len(peer.operations) == 10
    assert memory.stats().dropped == 3


def test_a_memory_nobody_holds_any_more_still_delivers(make_memory: MakeMemory, peer: Peer) -> None:
    memory = FeatureMemory(peer.url, follow_breakers=False, flush_interval_s=3_600)
    record(memory, 3)
    del memory
    peer.wait_until(lambda: len(peer.operations) == 3)


def test_without_url_nothing_is_sent(make_memory: MakeMemory) -> None:
    memory = make_memory(url="")
    record(memory)
    assert memory.flush(0)
    assert memory.stats().buffered == 0


def test_a_batch_that_does_not_fit_into_memory_is_counted_and_the_next_goes(
    memory: FeatureMemory, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("zlib.compress", no_memory)
        record(memory, 3)
        assert not memory.flush(10)
    assert "MemoryError" in memory.stats().last_error
    record(memory, 2)
    assert memory.flush(10)
    assert (memory.stats().dropped, memory.stats().buffered, len(peer.operations)) == (3, 0, 2)


def test_a_flush_may_wait_as_long_as_it_likes(memory: FeatureMemory) -> None:
    record(memory)
    assert memory.flush(float("inf"))
