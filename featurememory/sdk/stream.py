"""Follows the fleet's breakers over `GET /api/v1/breakers/stream` (server-sent events), from a background
thread.

Where no stream comes through (a proxy that collects answers before it passes them on) it polls the same address with
`?follow=false`, and tries the stream again once a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from json import loads
from threading import Event, Lock
from time import monotonic
from typing import NamedTuple

from featurememory.sdk.background import BackgroundThread
from featurememory.sdk.breakers import Breakers, Fleet
from featurememory.sdk.fleet_news import BreakerNews, Layers
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, ServerAddress, path_part
from featurememory.sdk.identity import random_share
from featurememory.sdk.reports import Reporter

_PATH = "/api/v1/breakers/stream"
_SILENCE_S = 15.0  # three heartbeats, or polls
_POLLS_IN_SILENCE = 3
_POLLS_IN_A_ROW = 12
_GRACE_S = 0.5
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 10.0
_REFUSED_WAIT_S = 60.0


class ServerEvent(NamedTuple):
    """One event of the stream; `id` is empty where it has none."""

    kind: str
    data: str
    id: str


def events(lines: Iterable[bytes]) -> Iterator[ServerEvent]:
    """The events in the lines of a stream (WHATWG HTML, 9.2.6); comments and empty events are passed over."""
    kind, data, identity = "message", list[str](), ""
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(kind, "\n".join(data), identity)
            kind, data, identity = "message", [], ""
            continue
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            identity = value


class Follower:
    """One thread that keeps the breakers in step. Without the server they go on by themselves.

    After the start it stays still for `grace_s`, unless a breaker is used earlier: a program that ends at once
    does not connect, and one that forks its workers at once does so while nothing is under way that would be
    cut off in them (a TLS handshake, an import). Workers forked later know what the parent knew.
    """

    def __init__(
        self,
        address: ServerAddress,
        api_key: str,
        breakers: Breakers,
        fleet: Fleet | None = None,
        reporter: Reporter | None = None,
        *,
        instance: Callable[[], str] = str,
        on_learning: Callable[[str, str], None] | None = None,
        silence_s: float = _SILENCE_S,
        grace_s: float = _GRACE_S,
    ) -> None:
        """While it follows, probes are asked of `fleet`; `reporter` says what was applied, in the name of
        `instance`; `on_learning` hears of which operation type and model something was promoted or shut out. A
        stream that is silent for `silence_s` is taken for broken."""
        self._fleet = fleet
        self._reporter = reporter
        self._on_learning = on_learning
        self._instance = instance
        self._address = address
        self._api_key = api_key
        self._breakers = breakers
        self._silence_s = silence_s
        self._grace_s = grace_s
        self._background = BackgroundThread("featurememory-breakers")
        self._begin()

    def _begin(self) -> None:
        self._closing = Event()
        self._grace = Lock()  # no Event: to release a lock is safe in signal handlers and finalizers
        self._grace.acquire()
        self._connection: HttpConnection | None = None
        self._seen = ""
        self._polls = False
        self._heard_at = 0.0
        self.following = False
        """Whether what the fleet says arrives at present."""

    def after_fork(self) -> None:
        """In the child: a stream of its own, from the beginning."""
        if self._connection is not None:
            self._connection.abandon()
        self._background.after_fork()
        self._begin()

    def start(self) -> None:
        """Does nothing while it runs; where no thread is to be had, the breakers stay local."""
        if self._background.running or self._closing.is_set():
            return
        if problem := self._background.start(self._run):
            warn("not following", f"breakers do not follow the server: {problem}")

    def start_now(self) -> bool:
        """As `start`, without the grace. True when it runs, or never will again."""
        self._end_grace()
        self.start()
        return self._background.running or self._closing.is_set()

    def close(self) -> None:
        self._closing.set()
        self._end_grace()
        if self._connection is not None:
            self._connection.end()

    def _end_grace(self) -> None:
        with suppress(RuntimeError):  # it has ended
            self._grace.release()

    def _run(self) -> None:
        self._grace.acquire(timeout=self._grace_s)
        tries = 0
        while not self._closing.is_set():
            began, wait_s = monotonic(), 0.0
            with suppress(BaseException):  # no memory, or a log handler of the host's that exits
                wait_s = self._poll() if self._polls else self._stream()
            tries = 0 if monotonic() - began > self._silence_s else tries + 1
            ceiling = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries, 20))
            self._closing.wait(wait_s or ceiling * (0.5 + random_share() / 2))

    def _stream(self) -> float:
        """Until the stream ends; the seconds to wait where the server told us to stay away, else 0."""
        began, wait_s = monotonic(), 0.0
        # While polls are answered, a stream has to show at once that it comes through.
        first_s = self._silence_s / _POLLS_IN_SILENCE if self.following else self._silence_s
        try:
            wait_s = self._listen("", first_s)
        except TimeoutError:
            self._polls = self._heard_at < began
        except OSError:
            pass  # the breakers go on locally, and `following` says so
        finally:
            if not self._polls:
                self._follow(False)
        return wait_s

    def _poll(self) -> float:
        """A row of polls, after which the stream is tried again; it is broken off when so many in a row are missed as
        make a silence."""
        self._polls, missed = False, 0
        for _ in range(_POLLS_IN_A_ROW):
            began = monotonic()
            with suppress(OSError):
                self._listen("&follow=false", self._silence_s / _POLLS_IN_SILENCE)
            missed = 0 if self._heard_at >= began else missed + 1
            if missed == _POLLS_IN_SILENCE or self._closing.wait(self._silence_s / _POLLS_IN_SILENCE):
                self._follow(False)
                break
        return 0.0

    def _listen(self, question: str, first_within_s: float) -> float:
        """Takes in what the server says until it ends; gives as `_stream`. OSError as it comes."""
        headers = {"Authorization": f"Bearer {self._api_key}", "Accept": "text/event-stream"}
        if self._seen:
            headers["Last-Event-ID"] = self._seen
        connection = self._connection = HttpConnection(self._address, first_within_s)
        if self._closing.is_set():
            return 0.0
        try:
            path = f"{_PATH}?instance={path_part(self._instance())}{question}"
            status, lines = connection.stream(path, headers)
            if status != 200:
                warn("not following", f"breakers do not follow the server, which answers {status} to {_PATH}")
                return _REFUSED_WAIT_S if 300 <= status < 500 else 0.0
            for event in events(lines):
                if self._closing.is_set():
                    break
                self._heard_at = monotonic()
                self._follow(True)
                connection.wait_at_most(self._silence_s)
                self._take(event)
        except OSError:
            raise
        except Exception as error:
            self._seen = ""
            warn("stream", f"the breakers' stream is not to be understood: {error!r}")
        finally:
            connection.close()
        return 0.0

    def _follow(self, follows: bool) -> None:
        self.following, self._breakers.fleet = follows, self._fleet if follows else None

    def _take(self, event: ServerEvent) -> None:
        if event.kind not in ("snapshot", "transition", "configuration", "optimization"):
            return
        data, now = loads(event.data), monotonic()
        if event.kind == "optimization":
            self._seen = event.id or self._seen
            if self._on_learning is not None:
                self._on_learning(str(data["operation_type"]), str(data["model"]))
            return
        if event.kind == "snapshot":
            news = [BreakerNews.of_snapshot(each, now) for each in data["breakers"]]
            self._breakers.hear_all(news, Layers.of_snapshot(data.get("configurations", ())))
        elif event.kind == "configuration":
            self._breakers.hear_configuration(str(data["scope"]), str(data["name"]), data["values"])
        else:
            self._breakers.hear(BreakerNews.of_transition(data, now))
        self._seen = event.id or self._seen
        if self._reporter is not None and (event.kind == "configuration" or data.get("actor")):
            self._reporter.applied(int(data["sequence"]))
