"""What a page weighs on its way, compressed."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from featurememory.models import Series

KB = 1_024
Build = Callable[[str], None]
SignIn = Callable[[str], Client]


def weight(client: Client, path: str) -> float:
    """Of the page with all that it asks for, in kilobytes."""
    response = client.get(path)
    assert response.status_code == 200
    page = response.content.decode()
    asked = set(re.findall(r'(?:src|href)="/static/([^"#]+)', page))
    files = [finders.find(name) for name in asked]
    assert None not in files
    bodies = [page.encode(), *(open(str(file), "rb").read() for file in files)]  # noqa: SIM115
    return sum(len(gzip.compress(body, 6)) for body in bodies) / KB


@pytest.mark.parametrize(
    "path",
    ["/alerts/", "/breakers/", "/models/", "/optimizations/", "/health/", "/jobs/", "/settings/audit/"],
)
def test_a_page_without_charts_weighs_less_than_a_hundred_kilobytes(
    situation: Build, sign_in: SignIn, path: str
) -> None:
    situation("incident")

    assert weight(sign_in("admin"), path) <= 100


@pytest.mark.parametrize(
    "path", ["/", "/?range=1y&compare=week", "/operations/", "/models/{}/?range=1y&compare=day", "/patterns/"]
)
def test_a_page_with_charts_weighs_less_than_650_kilobytes(
    situation: Build, sign_in: SignIn, path: str
) -> None:
    situation("normal")

    assert weight(sign_in("admin"), path.format(Series.objects.values_list("pk", flat=True)[0])) <= 650


def test_no_line_has_more_than_two_thousand_points(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    client = sign_in("viktor")
    for path in ("/?range=1y&compare=day", "/?from=2024-12-01&to=2026-11-27&compare=week", "/?range=30d"):
        page = client.get(path).content.decode()
        for series in re.findall(r'"y":\[([^\]]*)\]', page):
            assert series.count(",") < 2_000
