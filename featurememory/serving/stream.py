"""`GET /api/v1/breakers/stream`: every transition as a server-sent event (WHATWG HTML, "Server-sent events").

`id` is the event's sequence; a client that comes back with Last-Event-ID gets what it missed, or, where that
is too much or unknown, a new `snapshot`. A `heartbeat` carries the newest sequence, so that silence is known from
loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from featurememory.live.events import view_breaker
from featurememory.live.hub import MAX_REPLAY, Hub, LiveEvent, read_events_after
from featurememory.models import Breaker, BreakerEvent
from featurememory.sequence import last_sequence_number

HEARTBEAT_S = 5.0
RETRY_MS = 1_000

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def breaker_stream(hub: Hub, last_event_id: str, receive: Receive, send: Send) -> None:
    """Serves one stream until its client leaves or the hub ends it."""
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    async with hub.subscribe() as news:
        opening, seen = await asyncio.get_running_loop().run_in_executor(None, _opening, last_event_id)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_chunk(opening))
        gone = asyncio.ensure_future(_disconnected(receive))
        telling = asyncio.ensure_future(_tell(hub, news, seen, send))
        try:
            await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            telling.cancel()
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _tell(hub: Hub, news: asyncio.Queue[LiveEvent | None], seen: int, send: Send) -> None:
    while True:
        try:
            event = await asyncio.wait_for(news.get(), HEARTBEAT_S)
        except TimeoutError:
            data = b'{"sequence":%d}' % max(hub.sequence, seen)
            await send(_chunk(_event(b"heartbeat", data)))
            continue
        if event is None:
            return
        if event.sequence > seen:
            seen = event.sequence
            await send(_chunk(_event(b"transition", event.data, event.sequence)))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _opening(last_event_id: str) -> tuple[bytes, int]:
    """The first bytes of a stream, and the sequence they bring the client to."""
    try:
        missed = _missed(last_event_id)
        if missed is None:
            return _snapshot()
        begin = b"retry: %d\n\n" % RETRY_MS
        parts = [_event(b"transition", event.data, event.sequence) for event in missed]
        return begin + b"".join(parts), missed[-1].sequence if missed else int(last_event_id)
    finally:
        connection.close()


def _missed(last_event_id: str) -> list[LiveEvent] | None:
    """The events after `last_event_id`; None where only a snapshot can tell the client how things stand."""
    if not last_event_id.isascii() or not last_event_id.isdigit():
        return None
    seen = int(last_event_id)
    newest = last_sequence_number()
    if seen > newest or newest - seen > MAX_REPLAY:
        return None
    if seen < newest and not BreakerEvent.objects.filter(sequence=seen + 1).exists():
        return None
    return read_events_after(seen)


def _snapshot() -> tuple[bytes, int]:
    sequence = last_sequence_number()
    now = timezone.now()
    breakers = [
        view_breaker(breaker, now).model_dump(mode="json") for breaker in Breaker.objects.order_by("name")
    ]
    data = orjson.dumps({"sequence": sequence, "breakers": breakers})
    return b"retry: %d\n\n" % RETRY_MS + _event(b"snapshot", data, sequence), sequence


def _event(kind: bytes, data: bytes, sequence: int | None = None) -> bytes:
    identity = b"" if sequence is None else b"id: %d\n" % sequence
    return identity + b"event: %s\ndata: %s\n\n" % (kind, data)


def _chunk(body: bytes) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
