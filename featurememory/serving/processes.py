"""What the two processes of `up` run."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from django.db import connections

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.000_5
"""How long a thread may hold the interpreter while others wait. Python's default of 5 ms would add as much to
the writer's every statement."""
GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""A decoded batch is thousands of objects without cycles; the default of 700 would walk them over and over."""
GRACE_S = 3


class WebServer(uvicorn.Server):
    """Uvicorn, ending live streams as soon as it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        from featurememory.asgi import application

        application.lifespan.end_streams()
        super().handle_exit(sig, frame)


def web_process(listener: socket.socket) -> Callable[[], None]:
    """Serves on `listener`, which outlives the process: while it is started again, callers only wait."""

    def run() -> None:
        connections.close_all()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        config = uvicorn.Config(
            "featurememory.asgi:application",
            loop="uvloop",
            http="httptools",
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=75,
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1,::1",
        )
        WebServer(config).run(sockets=[listener])

    return run


def worker_process() -> None:
    """The Celery worker with the schedule as one of its threads."""
    from celery.beat import EmbeddedService
    from celery.signals import worker_ready, worker_shutting_down

    from featurememory.celery import SCHEDULER, app

    connections.close_all()
    # What Celery warns root of is unpickling strangers' messages; ours are JSON.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=SCHEDULER)
    worker_ready.connect(lambda **_: beat.start(), weak=False)
    worker_shutting_down.connect(lambda **_: beat.service.stop(), weak=False)  # while the worker finishes
    worker = app.Worker(
        loglevel="WARNING", quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True
    )
    try:
        worker.start()
    finally:
        beat.stop()
    if worker.exitcode:
        raise RuntimeError(f"the worker ended with {worker.exitcode}")
