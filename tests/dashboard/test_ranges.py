"""Choosing the time a page shows, and keeping what was chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.saved_views import MOST
from dashboard.timerange import PRESETS
from featurememory.models import SavedView, Series
from featurememory.observability.rollups import add_to_rollups, tally
from tests.browser.scenarios import Call

SignIn = Callable[[str], Client]
Build = Callable[[str], None]
VIEW = {"name": "Slow ones", "page": "/models/", "query": "range=6h&order=slowest"}


def page_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode().replace("&amp;", "&")


def test_another_range_keeps_the_filter_and_the_order(situation: Build, sign_in: SignIn) -> None:
    situation("normal")

    page = page_of(sign_in("viktor"), "/models/?range=6h&order=slowest&text=e")

    assert 'href="?range=24h&order=slowest&text=e"' in page
    assert '<input type="hidden" name="order" value="slowest">' in page
    assert re.search(r'href="\?from=[^"]*&order=slowest&text=e" data-copy-link', page)


def test_a_past_range_can_be_moved_on_and_the_present_cannot(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    client = sign_in("viktor")

    past = page_of(client, "/models/?from=2026-11-01T10:00&to=2026-11-01T11:00")
    present = page_of(client, "/models/")

    assert 'href="?from=2026-11-01T11%3A00Z&to=2026-11-01T12%3A00Z">Later' in past
    assert 'href="?from=2026-11-01T09%3A00Z&to=2026-11-01T12%3A00Z">Zoom out' in past
    assert ">Later<" not in present


def test_the_address_of_a_comparison_is_kept_by_the_refresh_and_the_file(
    situation: Build, sign_in: SignIn
) -> None:
    situation("normal")

    page = page_of(sign_in("viktor"), "/?range=1h&compare=day")

    assert "/overview/signals/?range=1h&compare=day" in page
    assert re.search(r"/overview/chart.csv\?signal=latency&from=[^\"]*&compare=day", page)
    assert "p95 ms a day before" in page


@pytest.mark.parametrize("compared", ["day", "week"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_range_can_be_compared(situation: Build, sign_in: SignIn, preset: str, compared: str) -> None:
    situation("normal")
    series = Series.objects.order_by("pk")[0]
    days = [timezone.now() - timedelta(days=day) for day in range(2, 380)]
    add_to_rollups(tally({series.pk: [(day.timestamp(), Call("success", 100.0)) for day in days]}))

    assert "before" in page_of(sign_in("viktor"), f"/?range={preset}&compare={compared}")


def test_a_saved_view_stands_on_its_page_and_nowhere_else(sign_in: SignIn) -> None:
    client = sign_in("viktor")

    answer = client.post("/views/save/", VIEW)

    assert answer.headers["Location"] == "/models/?range=6h&order=slowest"
    assert 'href="/models/?range=6h&order=slowest">Slow ones</a>' in page_of(client, "/models/")
    assert "Slow ones" not in page_of(client, "/resources/")
    assert "Slow ones" not in page_of(sign_in_again("olga"), "/models/")


def sign_in_again(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_saving_under_the_same_name_replaces(sign_in: SignIn) -> None:
    client = sign_in("viktor")
    client.post("/views/save/", VIEW)
    client.post("/views/save/", VIEW | {"query": "range=24h"})

    assert SavedView.objects.get().query == "range=24h"


def test_who_operates_may_share_and_who_looks_may_not(sign_in: SignIn) -> None:
    for name in ("viktor", "olga"):
        client = sign_in(name) if name == "viktor" else sign_in_again(name)
        client.post("/views/save/", VIEW | {"name": f"of {name}", "is_shared": "on"})

    shared = dict(SavedView.objects.values_list("name", "is_shared"))
    page = page_of(sign_in_again("viktor"), "/models/")

    assert shared == {"of viktor": False, "of olga": True}
    assert "by olga" in page
    assert page.count("Forget the view") == 1


def test_only_its_owner_forgets_a_view(sign_in: SignIn) -> None:
    client = sign_in("olga")
    client.post("/views/save/", VIEW | {"is_shared": "on"})
    row = SavedView.objects.get()

    sign_in_again("viktor").post(f"/views/{row.pk}/forget/", {"page": "/models/"})
    assert SavedView.objects.exists()
    answer = client.post(f"/views/{row.pk}/forget/", {"page": "/models/", "query": "range=6h"})

    assert not SavedView.objects.exists()
    assert answer.headers["Location"] == "/models/?range=6h"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 61},
        {"name": "a\0"},
        {"page": "/nowhere-at-all/"},
        {"query": "x" * 2_001},
    ],
)
def test_what_cannot_be_saved_is_said_and_not_saved(sign_in: SignIn, wrong: dict[str, str]) -> None:
    client = sign_in("viktor")

    client.post("/views/save/", VIEW | wrong)

    assert not SavedView.objects.exists()
    assert "is not saved" in page_of(client, "/models/")


@pytest.mark.parametrize(
    "page", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"]
)
def test_saving_never_leads_elsewhere(sign_in: SignIn, page: str) -> None:
    answer = sign_in("viktor").post("/views/save/", VIEW | {"page": page})

    assert answer.headers["Location"] == "/"


def test_nobody_fills_the_table(sign_in: SignIn, now: Any) -> None:
    client = sign_in("viktor")
    viktor = User.objects.get(username="viktor")
    SavedView.objects.bulk_create(
        SavedView(owner=viktor, name=f"v{number}", page="/models/", created_at=now) for number in range(MOST)
    )

    client.post("/views/save/", VIEW)

    assert SavedView.objects.count() == MOST
    assert "forget one first" in page_of(client, "/models/")


def test_the_fields_of_a_range_are_in_utc_wherever_the_server_lives(
    situation: Build, sign_in: SignIn, settings: Any
) -> None:
    situation("normal")
    settings.TIME_ZONE = "Asia/Tokyo"

    page = page_of(sign_in("viktor"), "/models/?from=2026-11-01T10:00&to=2026-11-01T11:00")

    assert page.count('value="2026-11-01T10:00"') == 3
    assert 'value="2026-11-01T19:00"' not in page


def test_a_copied_link_shows_the_same_figures_to_somebody_else_later(
    situation: Build, sign_in: SignIn
) -> None:
    situation("normal")
    page = page_of(sign_in("viktor"), "/?range=1h&compare=day")
    copied = re.search(r'href="(\?from=[^"]*)" data-copy-link', page)
    assert copied is not None
    link = f"/{copied[1]}"
    now_shown = figures_in(page_of(sign_in_again("viktor"), link))

    with time_machine.travel(timezone.now() + timedelta(hours=7), tick=False):
        later = figures_in(page_of(sign_in_again("olga"), link))

    assert len(now_shown) == 6
    for key in ("latency", "errors", "bands"):  # the rate of a minute that goes on is not known yet
        assert later[key] == now_shown[key]


def figures_in(page: str) -> dict[str, str]:
    """What is drawn, by the chart's key."""
    found = re.findall(
        r'<figure [^>]*id="chart-(\w+)".*?<script type="application/json">(.*?)</script>', page, re.DOTALL
    )
    return dict(found)
