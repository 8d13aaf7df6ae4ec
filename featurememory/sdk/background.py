"""Threads of our own inside the host: started when they are needed, again when they are gone."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic

_RETRY_S = 1.0


class BackgroundThread:
    """One daemon thread at a time. It does not survive a fork: in the child it has to be started again."""

    def __init__(self, name: str, retry_s: float = _RETRY_S) -> None:
        self._name = name
        self._retry_s = retry_s
        self._begin()

    def _begin(self) -> None:
        self._starting = Lock()
        self._thread: Thread | None = None
        self._retry_at = 0.0
        self.running = False

    after_fork = _begin

    def start(self, work: Callable[[], None]) -> str:
        """Lets it do `work`, unless it runs already. Empty, or why there is no thread: too many, or the program
        ends. The system is asked again no sooner than `retry_s` later, so that asking costs the host next to
        nothing."""
        if self.running or not self._starting.acquire(blocking=False):
            return ""
        try:
            now = monotonic()
            if self.running or now < self._retry_at:
                return ""
            self._retry_at = now + self._retry_s
            thread = Thread(target=self._run, args=(work,), name=self._name, daemon=True)
            thread.start()
            self._thread = thread
        except (RuntimeError, MemoryError) as error:
            return str(error) or "out of memory"
        finally:
            self._starting.release()
        return ""

    @property
    def alive(self) -> bool:
        """Whether it runs, or is about to."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, work: Callable[[], None]) -> None:
        if self.running:
            return
        self.running = True
        try:
            work()
        finally:
            self.running = False
