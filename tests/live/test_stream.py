"""The stream of breakers' transitions, over a real connection to a real server."""

from __future__ import annotations

from tests.live.breakers import act, open_breaker
from tests.live.events import Stream
from tests.servers import RunningServer, wait_until

ALL = ("ingest", "read", "control")


def test_a_stream_begins_with_a_snapshot_and_tells_each_transition(shared_server: RunningServer) -> None:
    key = shared_server.create_key(*ALL)
    name = open_breaker(shared_server, key, "stream-1")
    stream = Stream(shared_server, key)
    assert stream.answer.status == 200
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    snapshot = stream.next_event()
    assert snapshot.kind == "snapshot"
    assert (name, "open") in [(each["name"], each["state"]) for each in snapshot.data["breakers"]]

    act(shared_server, key, name, "reset", "the disk is back")
    transition = stream.next_event("transition")
    assert transition.data["breaker"] == name
    assert (transition.data["from"], transition.data["to"]) == ("open", "closed")
    assert (transition.data["cause"], transition.data["reason"]) == ("reset", "the disk is back")
    assert int(transition.id) == transition.data["sequence"] == snapshot.data["sequence"] + 1
    stream.close()


def test_a_stream_that_comes_back_gets_exactly_what_it_missed(shared_server: RunningServer) -> None:
    key = shared_server.create_key(*ALL)
    name = open_breaker(shared_server, key, "stream-2")
    stream = Stream(shared_server, key)
    seen = stream.next_event("snapshot").id
    stream.close()
    for action in ("force-open", "release", "reset"):
        act(shared_server, key, name, action)

    again = Stream(shared_server, key, seen)
    missed = [again.next_event() for _ in range(3)]
    assert [event.kind for event in missed] == ["transition"] * 3
    assert [event.data["cause"] for event in missed] == ["forced_open", "released", "reset"]
    again.close()


def test_an_unknown_place_in_the_stream_is_answered_with_a_snapshot(shared_server: RunningServer) -> None:
    key = shared_server.create_key(*ALL)
    open_breaker(shared_server, key, "stream-3")
    for unknown in ("999999", "nonsense", "-1"):
        stream = Stream(shared_server, key, unknown)
        assert stream.next_event().kind == "snapshot"
        stream.close()


def test_silence_is_filled_with_heartbeats(shared_server: RunningServer) -> None:
    stream = Stream(shared_server, shared_server.create_key(*ALL))
    snapshot = stream.next_event("snapshot")
    assert stream.next_event("heartbeat").data == {"sequence": snapshot.data["sequence"]}
    stream.close()


def test_the_server_ends_its_streams_when_it_stops(server: RunningServer) -> None:
    stream = Stream(server, server.create_key(*ALL))
    stream.next_event("snapshot")
    assert server.stop() == 0
    assert stream.rest() == []


def test_a_stream_needs_a_key_that_may_read(shared_server: RunningServer) -> None:
    assert Stream(shared_server, "fm_wrong").answer.status == 401
    assert Stream(shared_server, shared_server.create_key("ingest")).answer.status == 403


def test_a_stream_that_leaves_is_forgotten(shared_server: RunningServer) -> None:
    key = shared_server.create_key(*ALL)
    stream = Stream(shared_server, key)
    stream.next_event("snapshot")
    stream.close()

    def no_stream_is_open() -> bool:
        _, _, text = shared_server.request("GET", "/metrics", key=key)
        return 'featurememory_live_streams{process="' in text and all(
            line.endswith(" 0.0")
            for line in text.splitlines()
            if line.startswith("featurememory_live_streams{")
        )

    wait_until(no_stream_is_open, "the end of the stream")
