"""One command, two processes: forked from a parent that has loaded everything, started again when they die."""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from featurememory.resource_management.monitor import RESTARTS
from featurememory.serving.heartbeat import LAST_EXIT

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 45.0
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""How long a process that died waits for its next start, by how often it has just died."""
SETTLED_AFTER_S = 60.0


@dataclass(slots=True)
class _Child:
    name: str
    run: Callable[[], None]
    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    recent_deaths: int = 0
    last_exit: str = ""
    due: float = field(default=0.0)


class Supervisor:
    """Keeps the named processes running until SIGTERM or SIGINT; then stops them in good order.

    `roles` maps a name to what its process runs; a process that returns or dies is started again. If the
    supervisor itself is killed, its children notice and stop.
    """

    def __init__(self, roles: Mapping[str, Callable[[], None]]) -> None:
        self._children = [_Child(name, run) for name, run in roles.items()]
        self._stopping = False
        self._alive_read, self._alive_write = os.pipe()
        self._signals_read, self._signals_write = os.pipe()
        os.set_blocking(self._signals_write, False)

    def run(self) -> None:
        """Blocks until told to stop and all children have ended."""
        gc.collect()
        gc.freeze()
        signal.set_wakeup_fd(self._signals_write)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            self._start_due()
            self._wait_for_news()
            self._reap()
        self._end_children()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and child.due <= now and not self._stopping:
                self._start(child)

    def _start(self, child: _Child) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(child)
        child.pid, child.started = pid, time.monotonic()

    def _become(self, child: _Child) -> None:
        """The child's side of the fork: never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.setpgid(0, 0)
            os.close(self._alive_write)
            threading.Thread(target=self._follow_parent, name="parent-watch", daemon=True).start()
            os.environ[RESTARTS] = str(child.restarts)
            os.environ[LAST_EXIT] = child.last_exit
            child.run()
            status = 0
        except Exception:
            logger.exception("the %s process failed", child.name)
        finally:
            logging.shutdown()
            os._exit(status)

    def _follow_parent(self) -> None:
        """The pipe's other end is the parent's alone: when it closes, the parent is gone."""
        os.read(self._alive_read, 1)
        logger.warning("the supervisor is gone, stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    def _wait_for_news(self) -> None:
        """Returns when a signal came or a start is due."""
        waiting = [child.due for child in self._children if not child.pid]
        self._wait(min(waiting) - time.monotonic() if waiting else None)

    def _wait(self, timeout: float | None) -> None:
        """Until a signal comes, that of an ended child too, or `timeout` seconds are over."""
        ready, _, _ = select.select(
            [self._signals_read], [], [], None if timeout is None else max(0.0, timeout)
        )
        if ready:
            os.read(self._signals_read, 1_024)

    def _reap(self) -> None:
        for child in self._children:
            if child.pid:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._note_death(child, status)

    def _note_death(self, child: _Child, status: int) -> None:
        now = time.monotonic()
        child.recent_deaths = 1 if now - child.started > SETTLED_AFTER_S else child.recent_deaths + 1
        child.due = now + BACKOFF_S[min(child.recent_deaths, len(BACKOFF_S)) - 1]
        child.last_exit = how_it_ended(status)
        child.restarts += 1
        child.pid = 0
        if not self._stopping:
            logger.error(
                "the %s process ended (%s); starting it again in %.1f s",
                child.name,
                child.last_exit,
                child.due - now,
            )

    def _end_children(self) -> None:
        """SIGTERM to all; those that have not ended in time are killed."""
        deadline = time.monotonic() + STOP_WITHIN_S
        living = [child for child in self._children if child.pid]
        for child in living:
            os.kill(child.pid, signal.SIGTERM)
        for child in living:
            while time.monotonic() < deadline:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    if status and not _asked_to(status):
                        logger.warning(
                            "the %s process ended in disorder (%s)", child.name, how_it_ended(status)
                        )
                    break
                self._wait(deadline - time.monotonic())
            else:
                logger.error("the %s process does not stop, killing it", child.name)
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)


def _asked_to(status: int) -> bool:
    """Ended by the very signal it was told to stop with, as uvicorn does once all is in order."""
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM


def how_it_ended(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit status {os.WEXITSTATUS(status)}"
