"""Whoever holds a key that is revoked is turned away, from a stream that is open too."""

from __future__ import annotations

import time
from uuid import uuid4

from tests.live.events import Stream
from tests.servers import RunningServer

ENDS_WITHIN_S = 20.0
"""Several heartbeats, each of which asks for the key again."""


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


def ends(stream: Stream) -> bool:
    """Whether the server ends the stream within its time."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            stream.next_event("heartbeat")
        except StopIteration:
            return True
    return False


def test_revoking_a_key_ends_its_stream_and_no_other(shared_server: RunningServer) -> None:
    name, key = make_key(shared_server)
    stream, other = Stream(shared_server, key), Stream(shared_server, make_key(shared_server)[1])
    stream.next_event("snapshot")
    other.next_event("snapshot")
    revoke(shared_server, name)
    assert ends(stream)
    assert other.next_event("heartbeat")
    assert Stream(shared_server, key).answer.status == 401
