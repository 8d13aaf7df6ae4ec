"""Scores that come later, by the operation's id: sent in the background, again while the operation is on its way."""

from __future__ import annotations

from collections import deque
from json import dumps
from threading import Event, Lock
from time import monotonic
from typing import Any, NamedTuple

from featurememory.sdk.background import BackgroundThread
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, ServerAddress, path_part

_MOST = 10_000
_RETRY_S = 1.0
_GIVE_UP_S = 600.0
_DONE = range(200, 300)


class _Waiting(NamedTuple):
    operation: str
    body: bytes
    until: float


class FeedbackSender:
    """At most 10,000 wait; of more the oldest are dropped, and so is what the server has not taken within ten
    minutes."""

    def __init__(self, address: ServerAddress, api_key: str, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._background = BackgroundThread("featurememory-feedback")
        self._begin()

    def _begin(self) -> None:
        self._lock = Lock()
        self._waiting: deque[_Waiting] = deque(maxlen=_MOST)
        self._stop = Event()
        self._more = Event()
        self.dropped = 0

    def after_fork(self) -> None:
        """In the child: what waits is the parent's to send."""
        self._background.after_fork()
        self._begin()

    def send(self, operation: str, feedback: dict[str, Any]) -> None:
        """Never waits, never raises."""
        with self._lock:
            self.dropped += len(self._waiting) == _MOST
            self._waiting.append(_Waiting(operation, dumps(feedback).encode(), monotonic() + _GIVE_UP_S))
        self._more.set()
        if problem := self._background.start(self._run):
            warn("feedback", f"feedback is not sent: {problem}")

    def flush(self, timeout_s: float) -> bool:
        """Whether, within the time, the server has answered for all that was given."""
        end = monotonic() + timeout_s
        while self._waiting and monotonic() < end and self._background.alive:
            self._stop.wait(0.01)
        return not self._waiting

    def close(self) -> None:
        self._stop.set()
        self._more.set()

    def _run(self) -> None:
        connection = HttpConnection(self._address, self._timeout_s)
        while not self._stop.is_set():
            self._more.clear()
            if not self._waiting:
                self._more.wait()
                continue
            if not self._try(connection, self._waiting[0]):
                self._stop.wait(_RETRY_S)
        connection.close()

    def _try(self, connection: HttpConnection, first: _Waiting) -> bool:
        """False where it has to wait; others go before it meanwhile."""
        try:
            path = f"/api/v1/operations/{path_part(first.operation)}/feedback"
            status = connection.request("POST", path, self._headers, first.body).status
        except OSError:
            status = 0
        is_over = status in _DONE or (400 <= status < 500 and status not in (404, 429))
        if status not in _DONE and is_over:
            warn("feedback", f"feedback for operation {first.operation} was answered with {status}")
        with self._lock:
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()
                if not is_over and monotonic() < first.until:
                    self._waiting.append(first)
                elif not is_over:
                    self.dropped += 1
        return is_over
