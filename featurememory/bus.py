"""Speaking on the live bus: event rows are the truth, this is how others hear of them at once (live/ listens).

Embedded, SQLite itself tells of commits (`PRAGMA data_version`). Scaled out, Redis carries the newest sequence
number. If Redis is away nothing is lost: watchers look for themselves every second.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

CHANNEL = "featurememory:live"


@cache
def redis_client() -> Redis | None:
    """The installation's Redis, if it has one; time-outs are short, because nobody may wait for the bus."""
    url = settings.CONFIGURATION.redis_url
    if url is None:
        return None
    from redis import Redis  # takes 10 MB, which an installation without Redis need not have

    return Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=0.5)


def announce(sequence: int) -> bool:
    """Tells all watchers that events up to `sequence` are committed. Never raises.

    False where they could not be told and have to find out by themselves, when they next look. Where there is
    nothing to be told by they look all the time.
    """
    client = redis_client()
    if client is None:
        return True
    from redis import RedisError

    try:
        client.publish(CHANNEL, sequence)
    except RedisError as failure:
        logger.warning("live events up to %d wait for the watchers' next look: %s", sequence, failure)
        return False
    return True
