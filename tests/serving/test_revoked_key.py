"""Whoever holds a key that is revoked is turned away, from a stream that is open too."""

from __future__ import annotations

from uuid import uuid4

from tests.live.events import Stream
from tests.servers import RunningServer

BEATS = 2
"""More heartbeats than a revoked key may still see."""


def make_key(server: RunningServer) -> tuple[str, str]:
    name = uuid4().hex
    return name, server.manage("createapikey", name, "--scope", "read")


def revoke(server: RunningServer, name: str) -> None:
    server.manage("shell", "-v", "0", "-c", REVOKE.format(name=name))


REVOKE = """
from django.utils import timezone
from featurememory.models import ApiKey
assert ApiKey.objects.filter(name="{name}").update(revoked_at=timezone.now()) == 1
"""


def heartbeats_until_the_end(stream: Stream) -> int:
    """How many heartbeats come before the server ends the stream, counted up to BEATS."""
    for number in range(BEATS):
        try:
            stream.next_event("heartbeat")
        except StopIteration:
            return number
    return BEATS


def test_revoking_a_key_ends_its_stream_and_no_other(shared_server: RunningServer) -> None:
    name, key = make_key(shared_server)
    stream, other = Stream(shared_server, key), Stream(shared_server, make_key(shared_server)[1])
    stream.next_event("snapshot")
    other.next_event("snapshot")
    revoke(shared_server, name)
    assert heartbeats_until_the_end(stream) < BEATS
    assert heartbeats_until_the_end(other) == BEATS
    assert Stream(shared_server, key).answer.status == 401
