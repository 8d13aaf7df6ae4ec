"""The live bus: whether news could be handed on at once is told to who announced it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as django_settings

from featurememory import bus
from tests.servers import RunningRedis, free_port

UseRedis = Callable[[str | None], None]


@pytest.fixture
def use_redis(settings: Any) -> Iterator[UseRedis]:
    def use(url: str | None) -> None:
        settings.CONFIGURATION = replace(django_settings.CONFIGURATION, redis_url=url)
        bus.redis_client.cache_clear()

    yield use
    bus.redis_client.cache_clear()


def test_without_redis_watchers_look_all_the_time_and_need_not_be_told(use_redis: UseRedis) -> None:
    use_redis(None)
    assert bus.announce(1)


def test_redis_takes_the_news(use_redis: UseRedis, redis_server: RunningRedis) -> None:
    use_redis(redis_server.url)
    assert bus.announce(1)


def test_where_redis_is_away_the_announcer_is_told_so(use_redis: UseRedis) -> None:
    use_redis(f"redis://127.0.0.1:{free_port()}/0")
    assert not bus.announce(1)
