"""Reading the server-sent events of a running server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.servers import RunningServer


class Event(NamedTuple):
    kind: str
    id: str
    data: Any


class Stream:
    """One open stream; `next_event` waits for the next event of a kind."""

    def __init__(self, server: RunningServer, key: str, last_event_id: str = "", query: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
        headers = {"Authorization": f"Bearer {key}"} | (
            {"Last-Event-ID": last_event_id} if last_event_id else {}
        )
        self._connection.request("GET", f"/api/v1/breakers/stream{query}", headers=headers)
        self.answer = self._connection.getresponse()
        self._events = self._read()

    def _read(self) -> Iterator[Event]:
        kind = identity = data = ""
        for raw in self.answer:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                identity = value
            elif name == "data":
                data = value
            elif not name and kind:
                yield Event(kind, identity, json.loads(data))
                kind = identity = data = ""

    def next_event(self, kind: str | None = None) -> Event:
        return next(event for event in self._events if kind in (None, event.kind))

    def rest(self) -> list[Event]:
        """What comes until the server ends the stream."""
        return list(self._events)

    def close(self) -> None:
        self._connection.close()
