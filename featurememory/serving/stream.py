"""`GET /api/v1/breakers/stream`: every transition as a server-sent event (WHATWG HTML, "Server-sent events").

`id` is the event's sequence; a client that comes back with Last-Event-ID gets what it missed, or, where that
is too much or unknown, a new `snapshot`. A `heartbeat` carries the newest sequence, so that silence is known from
loss; at each the key is asked for again: a revoked one ends the stream. Where a proxy holds streams up, the client
asks again and again with `?follow=false`, which ends after what it has to hear.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, NamedTuple

import orjson
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from featurememory.api.problems import ProblemError
from featurememory.live.events import view_breaker, view_configuration
from featurememory.live.hub import MAX_REPLAY, Hub, LiveEvent, read_events_after
from featurememory.models import Breaker, BreakerConfiguration, BreakerEvent
from featurememory.sequence import last_sequence_number
from featurememory.serving.database import ask_database

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
RETRY_MS = 1_000
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Opening(NamedTuple):
    """The first bytes of a stream, and the sequence they bring the client to."""

    body: bytes
    sequence: int


async def read_opening(last_event_id: str) -> Opening:
    """What a client that was last seen at `last_event_id` must hear first."""
    return await ask_database(partial(_opening, last_event_id))


async def serve_stream(
    hub: Hub,
    news: asyncio.Queue[LiveEvent | None],
    opening: Opening,
    check: Callable[[], Awaitable[None]],
    receive: Receive,
    send: Send,
) -> None:
    """Serves one stream until its client leaves, the hub ends it, or `check` raises a ProblemError: the key was
    revoked."""
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(_chunk(opening.body))
    gone = asyncio.ensure_future(_disconnected(receive))
    telling = asyncio.ensure_future(_tell(hub, news, opening.sequence, check, send))
    try:
        await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        telling.cancel()
    if not gone.done():
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _tell(
    hub: Hub,
    news: asyncio.Queue[LiveEvent | None],
    seen: int,
    check: Callable[[], Awaitable[None]],
    send: Send,
) -> None:
    now = asyncio.get_running_loop().time
    beat_at = now() + HEARTBEAT_S
    while True:
        if now() >= beat_at:
            if not await _passes(check):
                return
            beat_at = now() + HEARTBEAT_S
            if news.empty():
                await send(_chunk(_heartbeat(max(hub.sequence, seen))))
        try:
            async with asyncio.timeout_at(beat_at):
                event = await news.get()
        except TimeoutError:
            continue
        if event is None:
            return
        if event.sequence > seen:
            seen = event.sequence
            await send(_chunk(_event(event.kind, event.data, event.sequence)))


async def _passes(check: Callable[[], Awaitable[None]]) -> bool:
    """False when the key may no longer read. While the database does not answer the stream goes on."""
    try:
        await check()
    except ProblemError:
        return False
    except (OperationalError, InterfaceError) as failure:
        logger.warning("whether a stream's key is still good cannot be asked: %s", failure)
    return True


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _opening(last_event_id: str) -> Opening:
    missed = _missed(last_event_id)
    if missed is None:
        return _snapshot()
    sequence = missed[-1].sequence if missed else int(last_event_id)
    parts = [_event(event.kind, event.data, event.sequence) for event in missed] or [_heartbeat(sequence)]
    return Opening(b"retry: %d\n\n" % RETRY_MS + b"".join(parts), sequence)


def _missed(last_event_id: str) -> list[LiveEvent] | None:
    """The events after `last_event_id`; None where only a snapshot can tell the client how things stand."""
    if not last_event_id.isascii() or not last_event_id.isdigit():
        return None
    seen = int(last_event_id)
    newest = last_sequence_number()
    if seen > newest or newest - seen > MAX_REPLAY:
        return None
    if seen < newest and not BreakerEvent.objects.filter(sequence__lte=seen + 1).exists():
        return None  # the oldest events are dropped first
    return read_events_after(seen)


def _snapshot() -> Opening:
    sequence = last_sequence_number()
    now = timezone.now()
    breakers = [
        view_breaker(breaker, now).model_dump(mode="json") for breaker in Breaker.objects.order_by("name")
    ]
    layers = [
        view_configuration(row).model_dump(mode="json")
        for row in BreakerConfiguration.objects.order_by("sequence")
    ]
    data = orjson.dumps({"sequence": sequence, "breakers": breakers, "configurations": layers})
    return Opening(b"retry: %d\n\n" % RETRY_MS + _event(b"snapshot", data, sequence), sequence)


def _heartbeat(sequence: int) -> bytes:
    return _event(b"heartbeat", b'{"sequence":%d}' % sequence)


def _event(kind: bytes, data: bytes, sequence: int | None = None) -> bytes:
    identity = b"" if sequence is None else b"id: %d\n" % sequence
    return identity + b"event: %s\ndata: %s\n\n" % (kind, data)


def _chunk(body: bytes) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
