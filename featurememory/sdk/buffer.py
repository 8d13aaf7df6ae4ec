"""Where finished operations wait to be sent: bounded, so that an absent server costs the host little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from threading import TIMEOUT_MAX, Condition, RLock
from time import monotonic
from typing import NamedTuple

from featurememory.sdk.encoding import Finished


class Packed(NamedTuple):
    """`size` operations, ready to be sent: their JSON texts, a line each, compressed."""

    size: int
    data: bytes


class Buffer:
    """Holds at most `size` operations. First they wait as they are, then the sender packs them, then they go.

    When it is full the oldest are dropped, packed ones by the batch, and counted: after an outage the newest say
    more. The lock is re-entrant, since signal handlers and finalizers of the host may come back in.
    """

    def __init__(self, size: int, batch_size: int) -> None:
        self._size = size
        self._batch_size = batch_size
        self._begin()

    def _begin(self) -> None:
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._waiting: deque[Finished] = deque()
        self._first_at = 0.0
        self._packed: deque[Packed] = deque()
        self._sending = False
        self._held = self._recorded = self._settled = 0
        self._flushing = self.flushes = 0
        self._hurried = False
        self.dropped = 0
        self.closing = False

    after_fork = _begin
    """The operations of before the fork are the parent's to send."""

    def __len__(self) -> int:
        return self._held

    @property
    def done(self) -> bool:
        """Closed, and nothing is left to be sent."""
        return self.closing and not self._waiting and not self._packed

    def put(self, finished: Finished) -> None:
        """Never waits for anything but the lock. MemoryError leaves the buffer as it was."""
        with self._lock:
            waiting = self._waiting
            if self.closing:
                self.lose()
                return
            waiting.append(finished)
            self._recorded += 1
            self._held += 1
            if self._held > self._size:
                self._drop_oldest()
            if len(waiting) == 1:
                self._first_at = monotonic()
                self._changed.notify_all()
            elif len(waiting) == self._batch_size:
                self._changed.notify_all()

    def hurry(self) -> None:
        """What waits shall go now: somebody waits for what it says."""
        with self._lock:
            self._hurried = True
            self._changed.notify_all()

    def take(self, interval_s: float, until: float | None, flushes_seen: int) -> list[Finished]:
        """The next batch to pack: as soon as it is full, `interval_s` after its first, or at once when somebody
        flushes or closes. Empty at `until`, by the monotonic clock, and when there was a flush not seen yet."""
        with self._lock:
            while True:
                now, waiting = monotonic(), len(self._waiting)
                due = self._first_at + interval_s if waiting else None
                hurry = self.closing or self._flushing or self._hurried
                if due is not None and (waiting >= self._batch_size or hurry or now >= due):
                    batch = list(islice(self._waiting, self._batch_size))
                    self._first_at, self._hurried = now, False
                    for _ in batch:
                        self._waiting.popleft()
                    return batch
                if self.closing or self.flushes > flushes_seen or (until is not None and now >= until):
                    return []
                ends = [end for end in (due, until) if end is not None]
                self._changed.wait(min(ends) - now if ends else None)

    def keep(self, batches: Iterable[Packed]) -> None:
        """Takes back as packed what `take` gave."""
        with self._lock:
            self._packed.extend(batches)

    def restore(self, batch: Packed) -> None:
        """Takes in what an earlier process has left."""
        with self._lock:
            self._recorded += batch.size
            self._held += batch.size
            self._packed.append(batch)
            while self._held > self._size and len(self._packed) > 1:
                self._drop_oldest()

    @property
    def packed(self) -> int:
        """How many batches are packed, the one on its way included."""
        return len(self._packed)

    def begin_first(self) -> Packed | None:
        """The oldest batch, which is not dropped while it is on its way; None when there is none."""
        with self._lock:
            self._sending = bool(self._packed)
            return self._packed[0] if self._packed else None

    def end_first(self, instead: Iterable[Packed] = (), *, answered: int = 0, dropped: int = 0) -> None:
        """The oldest batch is done with, or taken apart."""
        with self._lock:
            self._packed.popleft()
            self._packed.extendleft(reversed(list(instead)))
            self._sending = False
            self.settle(answered, dropped=dropped)

    def retry_first(self) -> None:
        """The oldest batch stays where it is."""
        self._sending = False

    def settle(self, count: int, *, dropped: int = 0) -> None:
        """`count` operations are out of the buffer, `dropped` of them without an answer."""
        with self._lock:
            self._held -= count
            self._settled += count
            self.dropped += dropped
            self._changed.notify_all()

    def lose(self) -> None:
        """Counts an operation that could not be taken in."""
        with self._lock:
            self._recorded += 1
            self._held += 1
            self.settle(1, dropped=1)

    def wait_until_settled(self, timeout_s: float) -> bool:
        """True when all that was recorded before has been answered and nothing was dropped meanwhile."""
        with self._lock:
            target, dropped = self._recorded, self.dropped
            self._flushing += 1
            self.flushes += 1
            self._changed.notify_all()
            try:
                done = self._changed.wait_for(lambda: self._settled >= target, min(timeout_s, TIMEOUT_MAX))
            finally:
                self._flushing -= 1
            return done and self.dropped == dropped

    def close(self) -> None:
        """No more waiting for full batches, and nothing new is taken in."""
        with self._lock:
            self.closing = True
            self._changed.notify_all()

    def _drop_oldest(self) -> None:
        oldest = 1 if self._sending else 0
        if len(self._packed) > oldest:
            count = self._packed[oldest].size
            del self._packed[oldest]
        elif self._waiting:
            self._waiting.popleft()
            count = 1
        else:
            return
        self.settle(count, dropped=count)
