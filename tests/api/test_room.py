"""All bodies in hand together stay within a limit; whoever is too much is sent away, nobody is starved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.ingestion.room import Bodies, NoRoom


def test_room_is_taken_up_to_the_limit_and_not_a_byte_beyond() -> None:
    bodies = Bodies(100)
    with bodies.room() as first, bodies.room() as second:
        first.take(60)
        second.take(40)
        for room in (first, second):
            with pytest.raises(NoRoom):
                room.take(1)
    assert bodies.taken == 0


def test_a_request_that_is_alone_gets_more_than_the_limit() -> None:
    bodies = Bodies(100)
    with bodies.room() as room:
        room.take(60)
        room.take(900)
        with bodies.room() as other, pytest.raises(NoRoom):
            other.take(1)


def test_what_a_failed_request_had_is_free_again() -> None:
    bodies = Bodies(100)

    def fail() -> None:
        with bodies.room() as room:
            room.take(100)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with bodies.room() as first, bodies.room() as second:
        first.take(50)
        second.take(50)


@given(st.lists(st.integers(0, 60), max_size=20))
def test_whatever_is_asked_for_several_together_never_have_more_than_the_limit(sizes: list[int]) -> None:
    bodies = Bodies(100)
    with bodies.room() as first, bodies.room() as second:
        for size, room in zip(sizes, [first, second] * 10, strict=False):
            try:
                room.take(size)
            except NoRoom:
                assert bodies.taken + size > 100
            assert bodies.taken == first.taken + second.taken
            assert bodies.taken <= 100 or 0 in (first.taken, second.taken)
