"""A body is read within its limits, and nobody holds room for long who does not send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from featurememory.api.problems import ProblemError
from featurememory.ingestion.bodies import BodyTooLarge
from featurememory.ingestion.room import Bodies, NoRoom, Room
from featurememory.serving.body import Disconnected, read_body

LIMIT = 1_000


@pytest.fixture
def bodies(settings: Any) -> Bodies:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, max_body_bytes=LIMIT)
    return Bodies(2 * LIMIT)


@pytest.fixture
def room(bodies: Bodies) -> Iterator[Room]:
    with bodies.room() as taken:
        yield taken


def read(room: Room, *chunks: bytes, announced: str = "", ends: bool = True, within_s: float = 30) -> bytes:
    """What is read of a client that sends `chunks` and then ends its body, or falls silent."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        messages.append({"type": "http.request", "more_body": False})

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Future()

    return asyncio.run(read_body(announced, receive, room, within_s=within_s))


def test_a_body_comes_in_one_piece_or_in_many(room: Room) -> None:
    assert read(room, b"whole") == read(room, b"w", b"ho", b"le") == b"whole"
    assert read(room) == b""


@pytest.mark.parametrize("announced", ["", str(LIMIT)])
def test_the_limit_is_exact(room: Room, announced: str) -> None:
    assert read(room, b"x" * LIMIT, announced=announced) == b"x" * LIMIT
    with pytest.raises(BodyTooLarge):
        read(room, b"x" * LIMIT, b"x", announced=announced)


def test_a_body_that_announces_too_much_is_not_read(room: Room) -> None:
    with pytest.raises(BodyTooLarge):
        read(room, announced=str(LIMIT + 1), ends=False)


def test_what_is_announced_is_room_taken_before_the_first_byte(bodies: Bodies, room: Room) -> None:
    with bodies.room() as other:
        other.take(LIMIT + 1)
        with pytest.raises(NoRoom):
            read(room, announced=str(LIMIT), ends=False)


def test_without_an_announcement_room_is_taken_as_it_comes(bodies: Bodies, room: Room) -> None:
    with bodies.room() as other:
        other.take(2 * LIMIT - 10)
        assert read(room, b"x" * 5, b"x" * 5) == b"x" * 10
        with pytest.raises(NoRoom):
            read(room, b"x" * 11, ends=False)


def test_a_sender_that_falls_silent_is_given_up(room: Room) -> None:
    with pytest.raises(ProblemError) as given_up:
        read(room, b"half", ends=False, within_s=0.01)
    assert given_up.value.status == 408


def test_a_sender_that_leaves_is_not_answered(room: Room) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(Disconnected):
        asyncio.run(read_body("", receive, room))
