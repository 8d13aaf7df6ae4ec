"""Models: small multiples, one of them, two side by side."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import pytest
from django.test import Client

from dashboard.model_rows import A_PAGE, MOST_SMALL, small_span
from dashboard.sparklines import HEIGHT, WIDTH, bars_of, line_through
from dashboard.timerange import PRESETS, read_time_range
from featurememory.models import Series
from featurememory.observability import traffic
from featurememory.observability.rollups import add_to_rollups, tally
from tests.browser.scenarios import KINDS, Call

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
NOW = datetime(2026, 11, 23, 14, 5, 12, tzinfo=UTC)


def page_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def names_in(page: str) -> list[str]:
    return re.findall(
        r'<h2><a href="/models/\d+/[^>]*>([^<]+?)(?: <span class="quiet">[^<]*</span>)?</a></h2>', page
    )


def ids_in(page: str) -> list[int]:
    return [int(id) for id in re.findall(r'id="model-(\d+)"', page)]


@pytest.fixture
def many(db: Any, now: datetime) -> list[Series]:
    """Thirty, the first the slowest and the least busy."""
    rows = [Series.objects.create(operation_type="kind", model=f"m{n:02}", first_seen=now) for n in range(30)]
    at = (now - timedelta(minutes=5)).timestamp()
    add_to_rollups(
        tally({row.pk: [(at, Call("success", 1_000.0 / (1 + n)))] * (1 + n) for n, row in enumerate(rows)})
    )
    return rows


def test_the_slowest_comes_first_where_that_is_asked(many: list[Series], sign_in: SignIn) -> None:
    client = sign_in("viktor")

    slowest, busiest = (
        ids_in(page_of(client, f"/models/?order={order}")) for order in ("slowest", "busiest")
    )

    assert slowest == [row.pk for row in many[:A_PAGE]]
    assert busiest == [row.pk for row in reversed(many[-A_PAGE:])]


def test_pages_of_cards_neither_skip_nor_repeat(many: list[Series], sign_in: SignIn) -> None:
    client, path, seen = sign_in("viktor"), "/models/?order=name", list[int]()
    while path:
        page = page_of(client, path)
        seen += ids_in(page)
        following = re.search(r'href="(\?[^"]*)">The next ones', page)
        path = f"/models/{following[1].replace('&amp;', '&')}" if following else ""

    assert seen == [row.pk for row in many]


def test_a_name_finds_its_model_and_none_is_another_sentence_than_no_traffic(
    many: list[Series], sign_in: SignIn
) -> None:
    client = sign_in("viktor")

    assert ids_in(page_of(client, "/models/?text=M07")) == [many[7].pk]
    assert "No model’s name contains “nobody”" in page_of(client, "/models/?text=nobody")
    assert "No operation ended in" in page_of(client, "/models/?from=2025-01-01T00:00&to=2025-01-01T01:00")
    Series.objects.all().delete()
    traffic.forget()
    assert "No operation was ever sent" in page_of(client, "/models/")


def test_a_model_shows_its_charts_its_breaker_and_why(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    series = Series.objects.get(operation_type=KINDS[0].operation_type, model=KINDS[0].model)

    page = page_of(sign_in("olga"), f"/models/{series.pk}/?compare=day")

    assert "audioldm2 checkpoint 41" in page
    assert f"/breakers/{KINDS[0].breaker}/" in page
    figures = [
        json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', page)
    ]
    assert len(figures) == 6
    for figure in figures:
        go.Figure(figure)
    assert any(trace["name"] == "p95 a day before" for figure in figures for trace in figure["data"])


def test_of_one_model_only_its_own_calls_are_counted(many: list[Series], sign_in: SignIn) -> None:
    page = page_of(sign_in("viktor"), f"/models/{many[4].pk}/")

    assert "5 operations" in page


@pytest.mark.parametrize("signal", ["latency", "rate", "errors", "bands", "distribution", "budget"])
def test_every_chart_of_a_model_can_be_had_as_a_file(
    many: list[Series], sign_in: SignIn, signal: str
) -> None:
    answer = sign_in("viktor").get(f"/models/{many[4].pk}/chart.csv?signal={signal}&compare=week")

    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) > 1


def test_a_file_of_what_there_is_not_is_not_found(many: list[Series], sign_in: SignIn) -> None:
    client = sign_in("viktor")

    assert client.get(f"/models/{many[4].pk}/chart.csv?signal=nonsense").status_code == 404
    assert client.get("/models/987654321/").status_code == 404
    assert client.get("/models/compare/chart.csv?one=1&other=987654321&signal=p95").status_code == 404


def test_two_models_stand_side_by_side_with_what_differs(many: list[Series], sign_in: SignIn) -> None:
    client, (one, other) = sign_in("viktor"), (many[0], many[3])

    page = page_of(client, f"/models/compare/?one={one.pk}&other={other.pk}")
    ticked = page_of(client, f"/models/compare/?model={one.pk}&model={other.pk}")
    rows = client.get(f"/models/compare/chart.csv?one={one.pk}&other={other.pk}&signal=p95").content.decode()

    assert "×\xa00.25" in page
    assert "×\xa04" in page
    assert "×\xa00.25" in ticked
    assert rows.splitlines()[0] == "from,kind m00 s,kind m03 s"


@pytest.mark.parametrize(
    ("query", "said"),
    [("", "Choose two models"), ("?one=1", "Choose two models"), ("?one=999999&other=999998", "not known here"),
     ("?one=abc&other=%00", "Choose two models")],
)  # fmt: skip
def test_what_is_missing_to_compare_is_asked_for(
    many: list[Series], sign_in: SignIn, query: str, said: str
) -> None:
    assert said in page_of(sign_in("viktor"), f"/models/compare/{query}")


def test_pages_ask_no_more_however_many_models_there_are(
    many: list[Series], sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("viktor")
    for path, most in (
        ("/models/?range=7d", 38),
        (f"/models/{many[4].pk}/?range=24h&compare=day", 32),
        (f"/models/compare/?one={many[0].pk}&other={many[1].pk}", 16),
    ):
        with django_assert_max_num_queries(most):
            page_of(client, path)


@pytest.mark.parametrize("preset", PRESETS)
def test_small_drawings_have_few_points_of_the_same_time(preset: str) -> None:
    span = read_time_range({"range": preset}, NOW).span

    small = small_span(span)

    assert len(small) <= MOST_SMALL + 1
    assert small.start <= span.start
    assert small.end >= span.end


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    drawn = line_through([1.0, 2.0, None, 4.0, None, 3.0, 0.0], 4.0)

    assert len(drawn.lines) == 2
    assert len(drawn.dots) == 1
    points = [tuple(map(float, point.split(","))) for line in drawn.lines for point in line.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in [*points, *drawn.dots])
    assert drawn.dots[0][1] == min(y for _, y in [*points, *drawn.dots])


def test_the_smallest_failure_can_be_seen_and_none_has_no_bar() -> None:
    drawn = bars_of([0.0, None, 0.0001, 0.5], 0.5)

    assert [height for *_, height in drawn.bars] == [1.5, HEIGHT]
    assert bars_of([], 1.0).bars == ()
