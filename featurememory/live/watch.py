"""Three ways to notice that something was committed; each `wait` returns after a change, or now and then."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from django.db import connection

from featurememory.bus import CHANNEL, redis_client

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import PubSub

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.02
POLL_EVERY_S = 0.05
SLOW_POLL_S = 1.0


class Watch(Protocol):
    def wait(self, stop: threading.Event) -> None:
        """Returns when something may have changed, or when `stop` is set."""


class SqliteWatch:
    """Asks SQLite for its `data_version`, which moves with every commit of another connection (5 us a look)."""

    def __init__(self) -> None:
        self._seen = -1

    def wait(self, stop: threading.Event) -> None:
        with connection.cursor() as cursor:
            while not stop.wait(LOOK_EVERY_S):
                cursor.execute("PRAGMA data_version")
                (version,) = cursor.fetchone()
                if version != self._seen:
                    self._seen = version
                    return


class RedisWatch:
    """Listens on the channel; looks once a second whatever happens there."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._subscription: PubSub | None = None

    def wait(self, stop: threading.Event) -> None:
        from redis import RedisError

        try:
            if self._subscription is None:
                self._subscription = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
                self._subscription.subscribe(CHANNEL)
                return
            if not stop.is_set():
                self._subscription.get_message(timeout=SLOW_POLL_S)
        except RedisError as failure:
            logger.warning("the live bus cannot be heard, looking every second: %s", failure)
            if self._subscription is not None:
                self._subscription.close()
                self._subscription = None
            stop.wait(SLOW_POLL_S)


class PollingWatch:
    """PostgreSQL without Redis: looks twenty times a second."""

    def wait(self, stop: threading.Event) -> None:
        stop.wait(POLL_EVERY_S)


def choose_watch() -> Watch:
    """The quickest way that this installation has."""
    client = redis_client()
    if client is not None:
        return RedisWatch(client)
    return SqliteWatch() if connection.vendor == "sqlite" else PollingWatch()
