"""Worker killed, database locked, broker gone: it is told, no job is lost or doubled, and all recovers by itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT, RunningServer, free_port, running_redis, running_server, wait_until

LOCKED_S = 10.0
"""How long another process holds the database; SQLite waits for twice as long."""


def health_of(server: RunningServer) -> Any:
    return server.request("GET", "/api/v1/health", key=server.create_key("read", "control"))[2]


def job_of(server: RunningServer, name: str) -> Any:
    answer = server.request("GET", "/api/v1/jobs", key=server.create_key("read", "control"))[2]
    return next(each for each in answer["items"] if each["name"] == name)


def moment(text: str | None) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if text is None else datetime.fromisoformat(text)


def has_run_since(server: RunningServer, name: str, since: datetime) -> bool:
    job = job_of(server, name)
    return job["result"] == "succeeded" and moment(job["ended_at"]) > moment(job["started_at"]) > since


def test_a_killed_worker_is_told_of_and_the_jobs_go_on(server: RunningServer) -> None:
    wait_until(lambda: health_of(server)["components"]["jobs"]["status"] == "healthy", "health", 30)
    killed_at = datetime.now(UTC)
    victim = server.child_pids()[1]
    os.kill(victim, signal.SIGKILL)

    wait_until(lambda: "SIGKILL" in health_of(server)["components"]["jobs"]["reason"], "the news", 30)
    assert health_of(server)["components"]["jobs"]["status"] == "degraded"
    for name in ("settle_breakers", "estimate_studies", "take_health_snapshot"):
        wait_until(lambda name=name: has_run_since(server, name, killed_at), f"the next run of {name}", 45)


def test_what_is_asked_for_runs_once(server: RunningServer) -> None:
    key = server.create_key("read", "control")
    status, _, run = server.request("POST", "/api/v1/jobs/merge_patterns/run", {"reason": "a test"}, key=key)
    assert status == 202
    wait_until(lambda: job_of(server, "merge_patterns")["result"] == "succeeded", "the run", 30)
    job = job_of(server, "merge_patterns")
    assert (job["runs"], job["was_asked_for"]) == (1, True)
    assert run["status"] in ("waiting", "running", "succeeded")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By this process, against every other's writes."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.sqlite_only
def test_a_locked_database_loses_no_job_and_doubles_none(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        wait_until(lambda: job_of(server, "settle_breakers")["runs"] >= 1, "a first run", 30)
        with locked(server.data_dir / "featurememory.sqlite3"):
            time.sleep(LOCKED_S)  # that long is the fault
        released_at = datetime.now(UTC)

        for name in ("settle_breakers", "estimate_studies", "take_health_snapshot"):
            wait_until(lambda name=name: has_run_since(server, name, released_at), f"a run of {name}", 30)
            job = job_of(server, name)
            assert (job["interruptions"], job["failures_in_a_row"], job["run_by"]) == (0, 0, "")
        wait_until(lambda: health_of(server)["status"] == "healthy", "health after the lock", 45)


class CeleryWorker:
    """`celery -A featurememory worker -B` on a SQLite of its own, which a test reads without asking anybody."""

    def __init__(self, data_dir: Path, redis_url: str) -> None:
        without = ("DATABASE_URL", "REDIS_URL")
        self.environment = {name: each for name, each in os.environ.items() if name not in without}
        self.environment |= {"FEATUREMEMORY_DATA_DIR": str(data_dir), "REDIS_URL": redis_url}
        self._database = data_dir / "featurememory.sqlite3"
        migrate = [sys.executable, ROOT / "manage.py", "migrate", "-v", "0"]
        subprocess.run(migrate, env=self.environment, check=True)
        self._log = data_dir / "worker.log"
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "featurememory", "worker", "-B", "--loglevel", "WARNING",
                 "--schedule", data_dir / "beat"],
                cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def runs(self, name: str) -> int:
        """That have ended."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as reader:
            query = "SELECT runs FROM featurememory_job WHERE name = ? AND lease_owner = ''"
            found = reader.execute(query, [name]).fetchone()
        return found[0] if found else 0

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.mark.sqlite_only
def test_jobs_go_on_when_redis_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with running_redis(tmp_path / "redis", port) as redis:
        worker = CeleryWorker(tmp_path, redis.url)
        try:
            wait_until(lambda: worker.runs("settle_breakers") >= 1, "a first run", 40)
            redis.process.kill()
            redis.process.wait()
            wait_until(lambda: "onnection" in worker.log(), "the worker's noticing", 20)
            before = worker.runs("settle_breakers")
            with running_redis(tmp_path / "again", port):
                wait_until(lambda: worker.runs("settle_breakers") > before + 1, "runs after it came back", 45)
        finally:
            worker.stop()
