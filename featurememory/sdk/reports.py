"""What this process tells the server of its breakers: what they did by themselves, that they tripped, and which of an
operator's acts they have applied.

A thread sends it as soon as there is something; while the server is away it waits, the newest at least.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from json import dumps
from threading import Condition, RLock
from time import time
from typing import Any, NamedTuple

from featurememory.circuit_breaker.events import Transition
from featurememory.sdk.background import BackgroundThread
from featurememory.sdk.encoding import timestamp
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, ServerAddress, path_part
from featurememory.sdk.identity import random_share

MAX_WAITING = 1_000
_BATCH = 500
_TRIES = 8
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 10.0
_TIMEOUT_S = 5.0


class Move(NamedTuple):
    """One transition of one breaker of this process; `number` is the process's own count, `at` in seconds since the
    Unix epoch, `fleet_epoch` what was heard of the fleet's breaker by then."""

    number: int
    breaker: str
    transition: Transition
    at: float
    fleet_epoch: int | None


class Trip(NamedTuple):
    """A breaker that opened by itself and is to open the fleet's."""

    message: str
    fleet_epoch: int | None
    tries: int = 0


class Reporter:
    """Takes from any thread, never waits, never raises; `MAX_WAITING` moves wait at most."""

    def __init__(self, address: ServerAddress, api_key: str, instance: Callable[[], str]) -> None:
        """`instance` gives this process's name, as its operations have it."""
        self._address = address
        self._instance = instance
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._background = BackgroundThread("featurememory-reports")
        self._begin()

    def _begin(self) -> None:
        self._changed = Condition(RLock())
        self._moves: deque[Move] = deque(maxlen=MAX_WAITING)
        self._trips: dict[str, Trip] = {}
        self._applied = self._acknowledged = self._count = 0
        self._closing = False
        self._connection = HttpConnection(self._address, _TIMEOUT_S)

    def after_fork(self) -> None:
        """In the child: what waits is the parent's to send."""
        self._connection.abandon()
        self._background.after_fork()
        self._begin()

    def moved(self, breaker: str, transition: Transition, fleet_epoch: int | None) -> None:
        """One breaker of this process has moved by itself."""
        with self._changed:
            self._count += 1
            self._moves.append(Move(self._count, breaker, transition, time(), fleet_epoch))
            if transition.computed_state == "open":
                self._trips[breaker] = Trip(transition.message, fleet_epoch)
            else:
                self._trips.pop(breaker, None)
        self._wake()

    def applied(self, sequence: int) -> None:
        """All breakers of this process stand as the stream's event `sequence` says."""
        with self._changed:
            self._applied = max(self._applied, sequence)
        self._wake()

    def close(self) -> None:
        """Sends nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._connection.end()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        if not self._background.running and (problem := self._background.start(self._run)):
            warn("reports", f"the server does not hear of breakers: {problem}")

    def _run(self) -> None:
        failures = 0
        while self._await_work():
            try:
                done = self._send_all()
            except OSError:
                done = False
            failures = 0 if done else failures + 1
            if not done:
                self._pause(
                    min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures, 20)) * (0.5 + random_share() / 2)
                )

    def _await_work(self) -> bool:
        """Until there is something to send; False when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._has_work())
            return not self._closing

    def _has_work(self) -> bool:
        return bool(self._moves or self._trips) or self._applied > self._acknowledged

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)

    def _send_all(self) -> bool:
        """True when the server has taken everything; what it refuses for good is not said again."""
        return self._acknowledge() and self._tell_trips() and self._tell_moves()

    def _acknowledge(self) -> bool:
        sequence = self._applied
        if sequence <= self._acknowledged:
            return True
        if self._post("/breaker-followers/acknowledgements", {"sequence": sequence}) is None:
            return False
        self._acknowledged = sequence
        return True

    def _tell_trips(self) -> bool:
        done = True
        for breaker, trip in list(self._trips.items()):
            told: dict[str, Any] = {"message": trip.message[:400]}
            if trip.fleet_epoch is not None:
                told["permit"] = str(trip.fleet_epoch)
            status = self._post(f"/breakers/{path_part(breaker)}/trip", told)
            unknown = status == 404 and trip.tries < _TRIES  # its first operations may still be on their way
            with self._changed:
                if self._trips.get(breaker) == trip:
                    if status is not None and not unknown:
                        del self._trips[breaker]
                    else:
                        self._trips[breaker] = trip._replace(tries=trip.tries + 1)
            done = done and status is not None and not unknown
        return done

    def _tell_moves(self) -> bool:
        with self._changed:
            batch = [self._moves[index] for index in range(min(len(self._moves), _BATCH))]
        if not batch:
            return True
        if (
            self._post("/breaker-followers/transitions", {"transitions": [_told(move) for move in batch]})
            is None
        ):
            return False
        with self._changed:
            while self._moves and self._moves[0].number <= batch[-1].number:
                self._moves.popleft()
        return not self._moves

    def _post(self, path: str, body: dict[str, Any]) -> int | None:
        """The status of an answer that is final; None where it is worth another try."""
        data = dumps({"instance": self._instance(), **body}).encode()
        response = self._connection.request("POST", f"/api/v1{path}", self._headers, data)
        if response.status >= 500 or response.status in (408, 429):
            return None
        if response.status >= 400 and response.status != 404:
            warn("reports", f"the server refuses what it is told of breakers: {response.status} to {path}")
        return response.status


def _told(move: Move) -> dict[str, Any]:
    transition = move.transition
    return {
        "number": move.number,
        "breaker": move.breaker,
        "from_state": transition.from_state,
        "to_state": transition.to_state,
        "cause": transition.cause,
        "message": transition.message[:500],
        "at": timestamp(round(move.at * 1e9)),
        "counts": dict(transition.counts),
    }
