"""PostgreSQL or SQLite beside Redis: jobs by a Celery worker of its own, news across web processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.breakers import act, open_breaker
from tests.live.events import Stream
from tests.servers import ROOT, RunningRedis, RunningServer, running_redis, running_server, wait_until

SECRET = "s" * 60
ALL = ("ingest", "read", "control")


@pytest.fixture
def two_servers(
    tmp_path: Path, redis_server: RunningRedis, database_environment: dict[str, str]
) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two `up` on one database and one Redis, as on two machines."""
    environment = {"REDIS_URL": redis_server.url, "FEATUREMEMORY_SECRET_KEY": SECRET} | (
        database_environment or {"DATABASE_URL": f"sqlite:///{tmp_path / 'shared.sqlite3'}"}
    )
    with (
        running_server(tmp_path / "one", **environment) as one,
        running_server(tmp_path / "two", **environment) as two,
    ):
        yield one, two


def test_a_reset_through_one_server_reaches_the_streams_of_the_other(
    two_servers: tuple[RunningServer, RunningServer],
) -> None:
    one, two = two_servers
    key = one.create_key(*ALL)
    name = open_breaker(one, key)
    stream = Stream(two, key)
    assert stream.next_event("snapshot").data["breakers"][0]["state"] == "open"
    waits = []
    for _ in range(5):
        act(one, key, name, "reset")
        answered = time.monotonic()
        assert stream.next_event("transition").data["cause"] == "reset"
        waits.append(time.monotonic() - answered)
    assert statistics.median(waits) < 0.1, waits
    stream.close()


def test_both_servers_together_count_each_operation_once(
    two_servers: tuple[RunningServer, RunningServer],
) -> None:
    one, two = two_servers
    key = one.create_key(*ALL)
    open_breaker(one, key, "counted")
    open_breaker(two, key, "counted")
    for server in two_servers:
        _, _, text = server.request("GET", "/metrics", key=key)
        assert 'model="counted",operation_type="transcription",outcome="error"} 10.0' in text
        _, _, breaker = server.request("GET", "/api/v1/breakers/transcription:counted", key=key)
        assert (breaker["state"], breaker["epoch"]) == ("open", 1)


def test_streams_go_on_by_looking_when_redis_is_gone(
    tmp_path: Path, database_environment: dict[str, str]
) -> None:
    with running_redis(tmp_path / "redis") as redis:
        environment = {"REDIS_URL": redis.url} | database_environment
        with running_server(tmp_path / "server", **environment) as server:
            key = server.create_key(*ALL)
            name = open_breaker(server, key)
            stream = Stream(server, key)
            stream.next_event("snapshot")
            redis.process.kill()
            redis.process.wait()
            act(server, key, name, "force-open")
            assert stream.next_event("transition").data["cause"] == "forced_open"
            stream.close()


def test_a_celery_worker_with_beat_takes_health_snapshots(
    tmp_path: Path, redis_server: RunningRedis, database_environment: dict[str, str]
) -> None:
    environment = (
        {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        | {"FEATUREMEMORY_DATA_DIR": str(tmp_path), "REDIS_URL": redis_server.url}
        | database_environment
    )
    subprocess.run([sys.executable, ROOT / "manage.py", "migrate", "-v", "0"], env=environment, check=True)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "featurememory", "worker", "-B", "--loglevel", "WARNING"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    count = "from featurememory.models import HealthSnapshot; print(HealthSnapshot.objects.count())"
    shell = [sys.executable, ROOT / "manage.py", "shell", "-v", "0", "-c", count]

    def snapshots() -> int:
        return int(subprocess.run(shell, env=environment, capture_output=True, check=True).stdout)

    try:
        wait_until(lambda: snapshots() >= 1, "a snapshot")
    finally:
        worker.terminate()
        worker.wait(30)
