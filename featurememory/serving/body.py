"""A request's body, read from its client within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

from featurememory.api.problems import ProblemError
from featurememory.ingestion.bodies import BodyTooLarge
from featurememory.ingestion.room import Room

READ_WITHIN_S = 60.0
"""A sender that stalls must not keep its room for ever."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Disconnected(Exception):
    """The client went away in the middle of its request."""


async def read_body(
    content_length: str, receive: Receive, room: Room, *, within_s: float = READ_WITHIN_S
) -> bytes:
    """The whole body as sent. One byte beyond the limit ends the reading; room is taken before it is needed."""
    try:
        async with asyncio.timeout(within_s):
            return await _read(int(content_length or 0), receive, room)
    except TimeoutError:
        detail = f"The body was not here within {within_s:.0f} s; nothing was kept. Send it again."
        raise ProblemError(408, "too_slow", "The body came too slowly", detail) from None


async def _read(announced: int, receive: Receive, room: Room) -> bytes:
    limit: int = settings.CONFIGURATION.max_body_bytes
    if announced > limit:
        raise BodyTooLarge(limit)
    room.take(announced)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit)
        if size > room.taken:
            room.take(size - room.taken)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
