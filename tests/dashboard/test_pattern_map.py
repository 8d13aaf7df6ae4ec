"""The map of a space's patterns: every point where it was, told apart without colour."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.pattern_map import MOST
from featurememory.core.operator_actions import change_pattern
from featurememory.models import FeatureSpace, Pattern
from tests.core.spaces import scattered
from tests.dashboard.patterns import calibrated, learn, many, pattern

SignIn = Callable[[str], Client]
Place = tuple[float, float]


@pytest.fixture
def space(db: None, now: datetime) -> FeatureSpace:
    return calibrated("speech-8", now - timedelta(hours=2))


@pytest.fixture
def viewer(sign_in: SignIn) -> Client:
    return sign_in("viktor")


def part(client: Client, **headers: str) -> Any:
    return client.get("/patterns/map/?space=speech-8", headers=headers)


def figure_in(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    figure: dict[str, Any] = json.loads(text)
    return figure


def drawn(client: Client) -> dict[int, Place]:
    return {
        id: (x, y)
        for trace in figure_in(part(client).content.decode())["data"]
        for id, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True)
    }


def test_new_patterns_move_no_point(space: FeatureSpace, viewer: Client, now: datetime) -> None:
    before = drawn(viewer)

    learn("speech-8", scattered(6, 1, seed=9) * -60, now)

    after = drawn(viewer)
    assert len(after) > len(before) == 20
    assert {id: after[id] for id in before} == before


def test_the_figure_is_one_that_plotly_can_draw(space: FeatureSpace, viewer: Client) -> None:
    plotly.graph_objects.Figure(figure_in(part(viewer).content.decode()))


def test_kinds_differ_in_shape(space: FeatureSpace, viewer: Client) -> None:
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", pinned=True)
    change_pattern(pattern(space, 4).pk, actor="olga", reason="x", pinned=True)
    Pattern.objects.filter(pk__in=[pattern(space, 4).pk, pattern(space, 5).pk]).update(count=2)

    traces = {
        trace["name"]: trace["marker"]["symbol"] for trace in figure_in(part(viewer).content.decode())["data"]
    }

    assert traces == {
        "seen 3 times or more": ["circle"] * 17,
        "provisional": ["circle-open"],
        "pinned": ["diamond", "diamond-open"],
    }


def test_what_is_seen_more_often_is_larger(space: FeatureSpace, viewer: Client, now: datetime) -> None:
    many(space, 1, now)

    trace = figure_in(part(viewer).content.decode())["data"][0]
    sizes = dict(zip(trace["customdata"], trace["marker"]["size"], strict=True))

    assert sizes[pattern(space, 1_001).pk] > sizes[pattern(space, 1).pk]


def test_the_range_does_not_change_with_every_pattern(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    before = figure_in(part(viewer).content.decode())["layout"]
    many(space, 5, now)

    after = figure_in(part(viewer).content.decode())["layout"]

    assert after["xaxis"]["range"] == before["xaxis"]["range"]
    assert after["yaxis"]["range"] == before["yaxis"]["range"]


def test_of_very_many_patterns_the_most_seen_are_drawn(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    many(space, MOST, now)

    page = part(viewer).content.decode()

    assert f"the {MOST} most seen of {MOST + 20} patterns" in page
    assert page.count('<tr><th scope="row">') == MOST
    assert pattern(space, 1).pk not in drawn(viewer)


def test_what_people_read_on_hovering_is_text(space: FeatureSpace, viewer: Client) -> None:
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", label="<a href='//x'>rain</a>")

    page = part(viewer).content.decode()

    assert "&lt;a href=" in "".join(text for trace in figure_in(page)["data"] for text in trace["text"])
    assert "<a href='//x'>" not in page


def test_a_map_on_which_nothing_has_changed_is_not_even_read(space: FeatureSpace, viewer: Client) -> None:
    tag = part(viewer).headers["ETag"]

    with CaptureQueriesContext(connection) as captured:
        unchanged = part(viewer, **{"If-None-Match": tag})
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", label="rain")

    assert unchanged.status_code == 304
    assert [query["sql"] for query in captured if "featurememory_pattern" in query["sql"]] == []
    assert part(viewer, **{"If-None-Match": tag}).status_code == 200


def test_the_csv_has_all_patterns_with_their_places(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    many(space, MOST, now)

    response = viewer.get("/patterns/map.csv?space=speech-8")

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert len(rows) == MOST + 20
    first = pattern(space, 1)
    assert rows[-1]["id"] == str(first.pk)
    assert (float(rows[-1]["x"]), float(rows[-1]["y"])) == (first.x, first.y)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="patterns-')


@pytest.mark.parametrize("path", ["/patterns/map/", "/patterns/map.csv"])
def test_there_is_no_map_of_what_is_not_calibrated(
    path: str, viewer: Client, now: datetime, db: None
) -> None:
    learn("clap-8", scattered(1, 37), now)

    for query in ("", "?space=nobody", "?space=clap-8", "?space=%00"):
        assert viewer.get(path + query).status_code == 404
