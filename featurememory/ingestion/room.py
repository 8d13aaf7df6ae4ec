"""How many bytes of requests' bodies a process has in hand."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MAX_BYTES = 64 * 2**20
_LARGE = 2**20
"""From here on the allocator is told to hand back what a body took; it would keep it, in pieces, for the next."""


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
            if room.taken >= _LARGE:
                trim_memory()

    def take(self, room: Room, size: int) -> None:
        with self._lock:
            if self.taken + size > self._limit and self.taken > room.taken:
                raise NoRoom
            self.taken += size
            room.taken += size


def trim_memory() -> None:
    """Has the allocator hand back what it keeps for later."""
    if _trim is not None:
        _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""glibc's; other C libraries hand back by themselves."""
BODIES = Bodies()
