"""Loaded before the settings: which database the tests run on, and a data directory of their own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

_resources = contextlib.ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="run on SQLite (all tests), or on a fresh PostgreSQL (those that touch the database)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    directory = Path(_resources.enter_context(tempfile.TemporaryDirectory(prefix="featurememory-tests-")))
    os.environ["FEATUREMEMORY_DATA_DIR"] = str(directory / "data")
    (directory / "data" / "static").mkdir(parents=True)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    if early_config.known_args_namespace.database == "postgresql":
        from tests.servers import running_postgresql

        os.environ["DATABASE_URL"] = _resources.enter_context(running_postgresql(directory))


def _touches_the_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db", "database_environment", "shared_server"}
    marked = item.get_closest_marker("django_db") is not None
    return marked or bool(fixtures & set(getattr(item, "fixturenames", ())))


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        sys.stdout.flush()
        _resources.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what touches the database is run again, without the browser (pages have tests of their own).

    Browser tests come last: Playwright leaves an event loop running, in which no test can start one of its own.
    """
    items.sort(key=lambda item: "browser" in item.path.parts)
    if config.getoption("--database") != "postgresql":
        return
    kept = [item for item in items if _touches_the_database(item)]
    kept = [item for item in kept if item.get_closest_marker("sqlite_only") is None]
    kept = [item for item in kept if "browser" not in item.path.parts]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
