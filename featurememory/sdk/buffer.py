"""Where finished operations wait to be sent: bounded, so that an absent server costs the host no memory."""

from __future__ import annotations

from collections import deque
from threading import Condition, RLock
from time import monotonic

from featurememory.sdk.encoding import Finished


class Buffer:
    """Holds at most `size` operations, those being sent included. When it is full the oldest goes, and is
    counted: after an outage the newest say more.

    The lock is re-entrant, since signal handlers and finalizers of the host may come back in.
    """

    def __init__(self, size: int, batch_size: int) -> None:
        self._size = size
        self._batch_size = batch_size
        self._begin()

    def _begin(self) -> None:
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._waiting: deque[Finished] = deque()
        self._in_flight = 0
        self._recorded = 0
        self._settled = 0
        self._closing = False
        self._flushing = self._flushes = 0
        self.dropped = 0

    after_fork = _begin
    """The operations of before the fork are the parent's to send."""

    def __len__(self) -> int:
        return len(self._waiting) + self._in_flight

    def put(self, finished: Finished) -> None:
        """Never waits for anything but the lock."""
        with self._lock:
            waiting = self._waiting
            self._recorded += 1
            if self._closing:
                self._drop(1)
                return
            waiting.append(finished)
            if len(waiting) + self._in_flight > self._size:
                waiting.popleft()
                self._drop(1)
            if len(waiting) == 1 or len(waiting) == self._batch_size:
                self._changed.notify_all()

    def take(self, interval_s: float) -> list[Finished]:
        """The next batch: as soon as it is full, `interval_s` after its first, or at once when somebody
        flushes. Empty when the buffer is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            due = monotonic() + interval_s
            while len(self._waiting) < self._batch_size and not (self._closing or self._flushing):
                remaining = due - monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    break
            count = min(len(self._waiting), self._batch_size)
            batch = [self._waiting.popleft() for _ in range(count)]
            self._in_flight = count
            return batch

    def settle(self, count: int, *, dropped: int = 0) -> None:
        """The server has answered `count` of the operations taken; `dropped` of them could not even be
        sent."""
        with self._changed:
            self._in_flight -= count
            self._settled += count
            self.dropped += dropped
            self._changed.notify_all()

    def pause(self, seconds: float, *, unless_flushed: bool) -> None:
        """Waits, but not beyond the end, nor, where it may be cut short, beyond the next flush."""
        with self._changed:
            flushes = self._flushes
            self._changed.wait_for(
                lambda: self._closing or (unless_flushed and self._flushes > flushes), seconds
            )

    def wait_until_settled(self, timeout_s: float) -> bool:
        """True when all that was recorded before has been answered and nothing was dropped meanwhile."""
        with self._changed:
            target, dropped = self._recorded, self.dropped
            self._flushing += 1
            self._flushes += 1
            self._changed.notify_all()
            try:
                done = self._changed.wait_for(lambda: self._settled >= target, timeout_s)
            finally:
                self._flushing -= 1
            return done and self.dropped == dropped

    def close(self) -> None:
        """No more waiting for full batches; `take` gives what is left."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    @property
    def closing(self) -> bool:
        return self._closing

    def _drop(self, count: int) -> None:
        self._settled += count
        self.dropped += count
