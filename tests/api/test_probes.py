"""Readiness tells the truth, and asks little to know it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.api.probes import MIGRATIONS
from featurememory.ingestion.receive import intake


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    MIGRATIONS.forget()
    yield
    MIGRATIONS.forget()


def ready(client: Client) -> tuple[int, Any]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def test_with_todays_tables_it_is_ready_and_asks_but_once_for_them(client: Client, db: None) -> None:
    assert ready(client) == (200, {"status": "ready"})
    with CaptureQueriesContext(connection) as asked:
        assert ready(client)[0] == 200
    assert [each["sql"] for each in asked] == ["SELECT 1"]


def test_while_a_migration_waits_it_is_not_ready_and_once_it_is_applied_it_is(
    client: Client, db: None
) -> None:
    newest = MigrationRecorder.Migration.objects.filter(app="featurememory").latest("id")
    newest.delete()
    assert ready(client) == (
        503,
        {"status": "not ready", "reason": "the database waits for `manage.py migrate`"},
    )
    MigrationRecorder.Migration.objects.create(app=newest.app, name=newest.name)
    assert ready(client)[0] == 200


def test_a_writer_that_has_ended_is_said(client: Client, transactional_db: None) -> None:
    writer = intake().writer
    assert ready(client)[0] == 200
    assert writer.stop(10)
    assert ready(client) == (503, {"status": "not ready", "reason": "the ingestion writer has ended"})


def test_postgresql_is_given_a_time_to_answer_in() -> None:
    database = settings.DATABASES["default"]
    if "postgresql" in database["ENGINE"]:
        assert database["OPTIONS"]["connect_timeout"] == 5
