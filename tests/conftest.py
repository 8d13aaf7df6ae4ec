"""Fixtures that every part of the suite uses."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from django.conf import settings

from tests.servers import RunningRedis, RunningServer, free_port, running_redis, running_server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite_only: says something about SQLite alone")
    hypothesis.settings.register_profile("memory", deadline=None)  # a busy machine is no fault
    hypothesis.settings.load_profile("memory")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, and only here
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite's tests use a file, as in use: threads then have connections of their own."""
    from django.db import connections

    database = connections["default"].settings_dict
    if database["ENGINE"].endswith("sqlite"):
        suffix = os.environ.get("PYTEST_XDIST_WORKER", "main")
        database["TEST"]["NAME"] = str(Path(settings.CONFIGURATION.data_dir) / f"test-{suffix}.sqlite3")


@pytest.fixture(autouse=True)
def _forget_process_state() -> Iterator[None]:
    """What a process keeps in memory about its database does not outlive the test."""
    from featurememory.access import KEYS
    from featurememory.ingestion.receive import close_intake
    from featurememory.observability.signals import LOOKS
    from featurememory.resource_management.samples import SAMPLES
    from featurememory.validation.passes import PASSES

    yield
    assert close_intake(10), "the writer did not end"
    KEYS.forget()
    for module, of_process in (("integration.spaces", "spaces"), ("optimization.registry", "studies")):
        if loaded := sys.modules.get(f"featurememory.{module}"):
            getattr(loaded, of_process).cache_clear()
    if observing := sys.modules.get("featurememory.alerts.observing"):
        observing.figures_long_ago.cache_clear()
    if rows := sys.modules.get("dashboard.resource_rows"):
        rows.figures_in.cache_clear()
    LOOKS.forget()
    SAMPLES.forget()
    PASSES.forget()


@pytest.fixture(autouse=True)
def _nothing_presses_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may take all of its processors; that shall refuse no call."""
    monkeypatch.setattr("featurememory.sdk.pressure._LEAST_SPAN_S", float("inf"))


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def fresh_database() -> Iterator[dict[str, str]]:
    """Environment variables that give a server a database of its own, of the kind under test."""
    url = os.environ.get("DATABASE_URL")
    if url is None:
        yield {}
        return
    name = f"server_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": url.rsplit("/", 1)[0] + f"/{name}"}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_environment() -> Iterator[dict[str, str]]:
    with fresh_database() as environment:
        yield environment


@pytest.fixture
def server(tmp_path: Path, database_environment: dict[str, str]) -> Iterator[RunningServer]:
    """Feature Memory as `manage.py up` runs it, for one test."""
    with running_server(tmp_path / "server", **database_environment) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The same for all tests that neither stop it nor mind each other's rows."""
    with (
        fresh_database() as environment,
        running_server(tmp_path_factory.mktemp("shared") / "server", **environment) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def api_key(db: Any) -> str:
    """A key with every scope."""
    from featurememory.access import create_api_key

    return create_api_key("tests", ["ingest", "read", "control"])[1]


@pytest.fixture
def deaf_bus(settings: Any) -> Iterator[None]:
    """Redis is set up and does not answer."""
    from featurememory import bus

    url = f"redis://127.0.0.1:{free_port()}/0"
    settings.CONFIGURATION = replace(settings.CONFIGURATION, redis_url=url)
    bus.redis_client.cache_clear()
    yield
    bus.redis_client.cache_clear()
