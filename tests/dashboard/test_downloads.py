"""Charts and tables as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from django.test import Client, RequestFactory

from dashboard.views.downloads import table_file
from tests.dashboard.test_validation import fail, page_of, succeed

SignIn = Callable[[str], Client]
COLUMNS = ("at", "id", "=name", "value", "more")
AT = datetime(2026, 5, 4, 14, 30, tzinfo=timezone(timedelta(hours=2)))
ROW = (AT, UUID(int=7), "-1+2", -1.5, {"a": [None, "ü"]})


def file_of(query: str) -> str:
    return table_file(RequestFactory().get(f"/?{query}"), "table", COLUMNS, [ROW]).content.decode()


def test_csv_has_moments_in_iso_8601_numbers_as_numbers_and_no_formula() -> None:
    head, row = csv.reader(file_of("").splitlines())

    assert head == ["at", "id", "'=name", "value", "more"]
    assert row == ["2026-05-04T12:30:00+00:00", str(UUID(int=7)), "'-1+2", "-1.5", '{"a": [null, "ü"]}']


def test_json_is_a_list_of_objects_with_the_same() -> None:
    assert json.loads(file_of("format=json")) == [
        {
            "at": "2026-05-04T12:30:00+00:00",
            "id": str(UUID(int=7)),
            "=name": "-1+2",
            "value": -1.5,
            "more": {"a": [None, "ü"]},
        }
    ]


@pytest.mark.django_db
def test_every_chart_offers_its_points_in_both(sign_in: SignIn, now: datetime) -> None:
    succeed(now, 9)
    fail(now)
    client = sign_in("viktor")

    page = page_of(client)
    points = json.loads(page_of(client, "/validation/chart.csv?format=json"))

    assert page.count("Download JSON") == page.count("Download CSV") == 1
    assert points[-1]["passed"] == 9
    assert datetime.fromisoformat(points[-1]["from"]).tzinfo == UTC
