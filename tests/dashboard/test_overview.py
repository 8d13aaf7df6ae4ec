"""The overview, as the server gives it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from featurememory.models import BreakerEvent, HealthSnapshot, Operation, Rollup, Series
from featurememory.observability.rollups import add_to_rollups, tally
from tests.browser.scenarios import KINDS, Call

Build = Callable[[str], None]
SignIn = Callable[[str], Client]


def _page(client: Client, path: str = "/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_a_quiet_afternoon_is_said_to_be_quiet(situation: Build, sign_in: SignIn) -> None:
    situation("normal")

    page = _page(sign_in("viktor"))

    assert "Nothing fires: 6 breakers closed, 8 components healthy" in page
    assert "<title>Overview" in page
    assert 'id="firing"' not in page


def test_an_incident_is_told_in_words_and_counted_in_the_title(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    page = _page(sign_in("olga"))

    assert (
        "2 breakers refuse calls; 1 breaker is probing; 1 breaker is disabled; ingestion is degraded" in page
    )
    assert "<title>(5) Overview" in page
    assert "By olga: “GPU 3 is being swapped, back at 15:30”" in page
    assert reverse("breaker-reset", args=[KINDS[0].breaker]) in page


def test_without_javascript_the_time_of_the_update_is_utc_as_it_says(
    situation: Build, sign_in: SignIn, settings: Any
) -> None:
    situation("normal")
    settings.TIME_ZONE = "Asia/Tokyo"

    page = _page(sign_in("viktor"))

    said = re.search(r'id="updated" datetime="[^"]*" data-show="ago">(\d\d):', page)
    assert said is not None
    assert int(said[1]) - datetime.now(UTC).hour in (0, -1, 23)


def test_who_may_not_act_is_offered_no_action(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    assert "/reset/" not in _page(sign_in("viktor"))


def test_health_is_never_green_without_data(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    client = sign_in("viktor")
    HealthSnapshot.objects.filter(at__gte=timezone.now() - timedelta(minutes=5)).delete()

    stale = _page(client)
    HealthSnapshot.objects.all().delete()
    never = _page(client)

    assert "Health is unknown" in stale
    assert "Nobody has looked since" in stale
    assert "tone-ok" not in stale[stale.index('id="health"') : stale.index("Golden signals")]
    assert "No health snapshot was ever taken" in never


def test_the_page_asks_a_handful_of_queries_whatever_it_shows(
    situation: Build, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("viktor")

    with django_assert_max_num_queries(31) as asked:
        _page(client, "/?range=24h")
    with django_assert_max_num_queries(11):
        _page(client, reverse("overview-status"))
    with django_assert_max_num_queries(20):
        _page(client, reverse("overview-signals") + "?range=7d")

    assert not any(Operation._meta.db_table + '"' in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize("part", ["overview-status", "overview-signals"])
def test_a_part_that_did_not_change_is_answered_by_304(situation: Build, sign_in: SignIn, part: str) -> None:
    situation("incident")
    client = sign_in("olga")
    address = reverse(part) + "?from=2026-11-23T12:00&to=2026-11-23T13:00"

    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert "no-cache" in first.headers["Cache-Control"]


def test_each_signal_is_a_figure_with_its_points_as_a_table_and_as_csv(
    situation: Build, sign_in: SignIn
) -> None:
    situation("normal")
    client = sign_in("viktor")

    page = _page(client)

    for key in ("latency", "rate", "errors", "saturation"):
        figure = page[page.index(f'id="chart-{key}"') :]
        figure = figure[: figure.index("</figure>")]
        drawn = json.loads(re.search(r'<script type="application/json">(.*?)</script>', figure, re.S)[1])  # type: ignore[index]
        table_rows = figure.count('<th scope="row">')
        link = re.search(r'href="([^"]*chart\.csv[^"]*)"', figure)[1].replace("&amp;", "&")  # type: ignore[index]
        response = client.get(link)
        points = list(csv.reader(io.StringIO(response.content.decode())))
        assert len(drawn["data"][0]["y"]) == table_rows == len(points) - 1 == 60
        assert response.headers["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("signal", "not_asked"),
    [("latency", "healthsnapshot"), ("rate", "breakerevent"), ("saturation", "rollup")],
)
def test_a_chart_s_csv_asks_for_nothing_that_is_not_in_it(
    situation: Build, sign_in: SignIn, signal: str, not_asked: str
) -> None:
    situation("incident")
    client = sign_in("viktor")

    with CaptureQueriesContext(connection) as asked:
        _page(client, reverse("chart-csv") + f"?signal={signal}")

    assert [
        query["sql"] for query in asked.captured_queries if f"featurememory_{not_asked}" in query["sql"]
    ] == []


def test_a_signal_that_does_not_exist_is_not_found(situation: Build, sign_in: SignIn) -> None:
    situation("normal")

    assert sign_in("viktor").get(reverse("chart-csv") + "?signal=mood").status_code == 404


def test_a_frozen_link_gives_the_same_figures_in_another_session(
    situation: Build, sign_in: SignIn, now: datetime
) -> None:
    situation("normal")
    ended = (now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    began = (now - timedelta(minutes=65)).strftime("%Y-%m-%dT%H:%M")
    page = _page(sign_in("viktor"), f"/?from={began}&to={ended}")
    link = re.search(r'href="(\?from=[^"]*)" data-copy-link', page)[1].replace("&amp;", "&")  # type: ignore[index]
    address = reverse("overview-signals") + link
    other = Client()
    other.force_login(User.objects.get(username="olga"))

    assert _page(other, address).strip() in page
    assert "chart-latency" in page


def test_a_range_that_cannot_be_read_is_named(situation: Build, sign_in: SignIn) -> None:
    situation("normal")

    assert "“5y” is no range" in _page(sign_in("viktor"), "/?range=5y")


def test_what_stands_for_others_is_noticed(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    assert "the rest stands under <strong>other</strong>" in _page(sign_in("viktor"))


def test_a_refresh_can_tell_every_row_from_every_other(
    situation: Build, sign_in: SignIn, now: datetime
) -> None:
    """Names that a slug would make alike, or make nothing of, have ids of their own."""
    situation("incident")
    for model in ("llama3.1", "llama31", "音声認識", "翻訳"):
        series = Series.objects.create(operation_type="generation", model=model, first_seen=now)
        add_to_rollups(tally({series.pk: [(now.timestamp() - 300, Call("success", 1.0))]}))

    ids = re.findall(r'\sid="([^"]*)"', _page(sign_in("olga")))

    assert len(set(ids)) == len(ids)
    assert "翻訳" in _page(sign_in("olga"))


def test_why_each_breaker_fires_is_looked_up_not_ranked_among_all_events(
    situation: Build, sign_in: SignIn
) -> None:
    situation("incident")
    client = sign_in("viktor")
    newest = BreakerEvent.objects.filter(breaker__name=KINDS[0].breaker).first()
    assert newest is not None
    _page(client)

    with CaptureQueriesContext(connection) as asked:
        page = _page(client, reverse("overview-status"))

    assert newest.message[1:] in page
    assert [query["sql"] for query in asked.captured_queries if "ROW_NUMBER" in query["sql"]] == []


def test_series_without_calls_in_the_range_are_told_from_no_data_at_all(
    situation: Build, sign_in: SignIn
) -> None:
    situation("normal")
    Rollup.objects.all().delete()

    page = _page(sign_in("viktor"))

    assert "No operation ended in the last hour." in page
    assert "First steps" not in page


def test_before_the_first_operation_the_page_tells_how_to_send_one(situation: Build, sign_in: SignIn) -> None:
    situation("empty")

    page = _page(sign_in("admin"))

    assert "createapikey my-orchestrator --scope ingest --scope read" in page
    assert "curl -sS http://testserver/api/v1/operations" in page
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://testserver/v1/traces" in page
    assert "FeatureMemory(&quot;http://testserver&quot;" in page
    assert page.count("runs; heard of") == 2


def test_the_page_turns_over_when_the_first_operation_is_there(situation: Build, sign_in: SignIn) -> None:
    client = sign_in("viktor")

    waiting = client.get(reverse("first-operation"))
    situation("normal")
    arrived = client.get(reverse("first-operation"))

    assert waiting.status_code == 204
    assert arrived.headers["HX-Refresh"] == "true"


def test_markup_in_names_and_reasons_is_shown_not_run(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    Rollup.objects.first().series.__class__.objects.filter(model="audioldm2").update(model="</script><b>x")  # type: ignore[union-attr]

    page = _page(sign_in("viktor"))

    assert "</script><b>x" not in page
    assert "&lt;/script&gt;&lt;b&gt;x" in page
