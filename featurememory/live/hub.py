"""One watcher per process, any number of streams: each new event is read and encoded once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone
from pydantic import BaseModel

from featurememory.live.events import view_configuration, view_optimization_event, view_transition
from featurememory.live.watch import Watch, choose_watch
from featurememory.models import BreakerConfiguration, BreakerEvent, OptimizationEvent
from featurememory.sequence import last_sequence_number

logger = logging.getLogger(__name__)

MAX_REPLAY = 1_000
_STREAM_BACKLOG = 1_000


@dataclass(frozen=True, slots=True)
class LiveEvent:
    sequence: int
    kind: bytes
    data: bytes
    """JSON, one line."""


class Hub:
    """Hands every committed event to every open stream, in order.

    A stream that does not keep up is ended, so that its reader comes back and resumes where it was.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: Watch | None = None) -> None:
        self._loop = loop
        self._watch = watch
        self._streams: dict[asyncio.Queue[LiveEvent | None], str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-watcher", daemon=True)
        self.sequence = 0
        self._looked_at = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the watcher; call it from the loop's own thread or any other."""
        self._stop.set()
        self.end_streams()
        self._thread.join(3.0)

    def end_streams(self) -> None:
        """Tells every open stream to end; its reader will come back to whoever serves then."""
        self._loop.call_soon_threadsafe(self._end_streams)

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    @property
    def instances(self) -> set[str]:
        """The processes that follow here and said their name."""
        return set(self._streams.values()) - {""}

    @property
    def silent_s(self) -> float:
        """How long nobody has looked for news; every process's heartbeat is news, so it should stay small."""
        return time.monotonic() - self._looked_at

    @contextlib.asynccontextmanager
    async def subscribe(self, instance: str = "") -> AsyncIterator[asyncio.Queue[LiveEvent | None]]:
        """A queue of events from now on; None in it means: the stream is over, come back. `instance` is the process
        that follows, where it said so."""
        stream: asyncio.Queue[LiveEvent | None] = asyncio.Queue()
        self._streams[stream] = instance
        try:
            yield stream
        finally:
            self._streams.pop(stream, None)

    def _run(self) -> None:
        watch = self._watch or choose_watch()
        last: int | None = None
        while not self._stop.is_set():
            try:
                if last is None:
                    last = last_sequence_number()
                    self._loop.call_soon_threadsafe(self._deliver, [], last)
                watch.wait(self._stop)
                events = read_events_after(last) if last_sequence_number() > last else []
            except Exception as failure:  # whatever it is, streams must not fall silent for good
                logger.warning("live events cannot be read, trying again: %r", failure)
                connection.close()
                self._stop.wait(1.0)
                continue
            self._looked_at = time.monotonic()
            if events:
                last = events[-1].sequence
                self._loop.call_soon_threadsafe(self._deliver, events, last)
        connection.close()

    def _deliver(self, events: list[LiveEvent], last: int) -> None:
        self.sequence = last
        for stream in tuple(self._streams):
            if stream.qsize() + len(events) > _STREAM_BACKLOG:
                del self._streams[stream]
                stream.put_nowait(None)
                continue
            for event in events:
                stream.put_nowait(event)

    def _end_streams(self) -> None:
        for stream in self._streams:
            stream.put_nowait(None)


def read_events_after(sequence: int, limit: int = MAX_REPLAY) -> list[LiveEvent]:
    """The committed events after `sequence`, oldest first, at most `limit`."""
    moved = BreakerEvent.objects.filter(sequence__gt=sequence).select_related("breaker").order_by("sequence")
    configured = BreakerConfiguration.objects.filter(sequence__gt=sequence).order_by("sequence")
    learned = OptimizationEvent.objects.filter(sequence__gt=sequence).select_related("study", "arm")
    learned = learned.defer("study__state", "study__estimate").order_by("sequence")
    now = timezone.now()
    events = [
        *(LiveEvent(row.sequence, b"transition", _json(view_transition(row, now))) for row in moved[:limit]),
        *(
            LiveEvent(row.sequence, b"configuration", _json(view_configuration(row)))
            for row in configured[:limit]
        ),
        *(
            LiveEvent(row.sequence or 0, b"optimization", _json(view_optimization_event(row)))
            for row in learned[:limit]
        ),
    ]
    return sorted(events, key=lambda event: event.sequence)[:limit]


def _json(view: BaseModel) -> bytes:
    return view.model_dump_json(by_alias=True).encode()
