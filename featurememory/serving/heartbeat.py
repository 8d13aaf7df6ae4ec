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
from featurememory.integration.server_errors import ERRORS
from featurememory.live.followers import note_still_there
from featurememory.live.hub import Hub
from featurememory.models import ProcessRecord
from featurememory.observability.health_snapshot import take_snapshot
from featurememory.observability.latency import RECOGNITION
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.monitor import RESTARTS, ProcessMonitor, pressing_usage
from featurememory.serving.relief import give_memory_back
from featurememory.validation.storage import note_passes

logger = logging.getLogger(__name__)

EVERY_S = 5.0
LAST_EXIT = "FEATUREMEMORY_LAST_EXIT"


class Heartbeat:
    """Keeps this process's ProcessRecord fresh from a thread of its own."""

    def __init__(
        self,
        *roles: str,
        metrics: Callable[[], dict[str, Any]] = dict,
        monitor: ProcessMonitor | None = None,
    ) -> None:
        self._roles = roles
        self._monitor = monitor or ProcessMonitor()
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
            note_passes()
            self._own_records().delete()
        except DatabaseError as failure:
            logger.warning("the process's record stays behind: %s", failure)
        connection.close()

    def _beat(self) -> None:
        try:
            metrics = self._monitor.look(timezone.now())._asdict() | self._metrics()
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
                        "metrics": metrics,
                    },
                )
            KEYS.note_use()
            note_passes()
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
    """What a web process reports of itself: its writer, whom it tells whether there is room, the spans it had no use
    for, errors, how long recognition took in the last minute, and its streams, whose followers it vouches for."""
    now = timezone.now()
    note_still_there(hub.instances, now)
    current = open_intake()
    recognition = RECOGNITION.lately()
    streams = {
        "streams": hub.open_streams,
        "live_silent_s": round(hub.silent_s, 1),
        "recognitions": recognition.number,
        "recognition_ms_p50": recognition.p50_ms,
        "recognition_ms_p99": recognition.p99_ms,
    }
    if current is None:
        return streams
    was_open = current.writer.admission.refusal is None
    if current.writer.admission.judge(pressing_usage(now), limits().constraints) and was_open:
        give_memory_back()
    figures = {"skipped_spans": current.skipped_spans, "errors": ERRORS.counts}
    return streams | figures | asdict(current.writer.report())
