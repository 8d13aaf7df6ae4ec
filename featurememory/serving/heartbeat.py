"""A process that tells the others, every few seconds, that it lives and how it is."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone

from featurememory.access import KEYS
from featurememory.ingestion.receive import open_intake
from featurememory.live.followers import note_still_there
from featurememory.live.hub import Hub
from featurememory.models import ProcessRecord
from featurememory.observability.health_snapshot import take_snapshot

logger = logging.getLogger(__name__)

EVERY_S = 5.0
RESTARTS = "FEATUREMEMORY_RESTARTS"
LAST_EXIT = "FEATUREMEMORY_LAST_EXIT"


class Heartbeat:
    """Keeps this process's ProcessRecord fresh from a thread of its own."""

    def __init__(self, *roles: str, metrics: Callable[[], dict[str, Any]] = dict) -> None:
        self._roles = roles
        self._metrics = metrics
        self._started_at = timezone.now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and takes the record out: a process that left in order is not missed."""
        self._stop.set()
        self._thread.join(EVERY_S)

    def _run(self) -> None:
        self._beat()
        self._judge()
        while not self._stop.wait(EVERY_S):
            self._beat()
        try:
            self._own_records().delete()
        except DatabaseError as failure:
            logger.warning("the process's record stays behind: %s", failure)
        connection.close()

    def _beat(self) -> None:
        try:
            for role in self._roles:
                ProcessRecord.objects.update_or_create(
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    role=role,
                    started_at=self._started_at,
                    defaults={
                        "seen_at": timezone.now(),
                        "restarts": int(os.environ.get(RESTARTS, "0")),
                        "last_exit": os.environ.get(LAST_EXIT, ""),
                        "metrics": self._metrics(),
                    },
                )
            KEYS.note_use()
        except DatabaseError as failure:
            logger.warning("the heartbeat could not be written: %s", failure)
            connection.close()

    def _judge(self) -> None:
        """Health changes with who is there: nobody should wait for the schedule's next round to see it."""
        try:
            take_snapshot(timezone.now())
        except DatabaseError as failure:
            logger.warning("health could not be judged, the schedule will: %s", failure)
            connection.close()

    def _own_records(self) -> Any:
        return ProcessRecord.objects.filter(
            host=socket.gethostname(), pid=os.getpid(), started_at=self._started_at
        )


def web_metrics(hub: Hub) -> dict[str, Any]:
    """What a web process reports of itself: its writer, the spans it had no use for, and its streams, whose
    followers it vouches for."""
    note_still_there(hub.instances, timezone.now())
    current = open_intake()
    streams = {"streams": hub.open_streams, "live_silent_s": round(hub.silent_s, 1)}
    if current is None:
        return streams
    return streams | {"skipped_spans": current.skipped_spans} | asdict(current.writer.report())
