"""How many bytes of requests' bodies a process has in hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MAX_BYTES = 64 * 2**20


class NoRoom(Exception):
    """Too many large bodies at a time; come back later."""

    retry_after_s = 1


class Room:
    """What one request takes of the whole, from its body's first byte until it is answered."""

    def __init__(self, whole: Bodies) -> None:
        self._whole = whole
        self.taken = 0

    def take(self, size: int) -> None:
        """Takes `size` bytes more; NoRoom when others leave too little."""
        self._whole.take(self, size)


class Bodies:
    """All bodies together, as sent and unzipped; thread-safe. A request that is alone gets what it needs."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def room(self) -> Iterator[Room]:
        room = Room(self)
        try:
            yield room
        finally:
            with self._lock:
                self.taken -= room.taken

    def take(self, room: Room, size: int) -> None:
        with self._lock:
            if self.taken + size > self._limit and self.taken > room.taken:
                raise NoRoom
            self.taken += size
            room.taken += size


BODIES = Bodies()
