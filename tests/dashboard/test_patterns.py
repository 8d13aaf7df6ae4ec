"""A feature space's page: which patterns it lists, in what order, and what it says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.core.operator_actions import change_pattern
from featurememory.models import FeatureSpace, Pattern
from tests.core.spaces import scattered
from tests.dashboard.patterns import calibrated, learn, many, pattern

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
REFRESH = {"HX-Request": "true"}


@pytest.fixture
def space(db: None, now: datetime) -> FeatureSpace:
    return calibrated("speech-8", now - timedelta(hours=2))


@pytest.fixture
def viewer(sign_in: SignIn) -> Client:
    return sign_in("viktor")


def page_of(client: Client, query: str = "", **headers: str) -> str:
    response = client.get(f"/patterns/{query}", headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def listed(page: str) -> list[str]:
    """The names in the list, in order."""
    return re.findall(
        r'<a class="name" href="[^"]*">([^<]*)</a>', page.rsplit('id="pattern-rows"', maxsplit=1)[-1]
    )


def test_before_anybody_sends_features_the_page_says_how_to(situation: Build, viewer: Client) -> None:
    situation("empty")

    page = page_of(viewer)

    assert "Nobody has sent features yet." in page
    assert "features=vector, space=" in page
    assert "FeatureMemory(&quot;http://testserver&quot;" in page


def test_the_page_turns_over_with_the_first_features(db: None, viewer: Client, now: datetime) -> None:
    still = viewer.get("/patterns/?waiting=first", headers=REFRESH)
    assert "HX-Refresh" not in still.headers

    learn("clap-8", scattered(1, 3), now)

    assert viewer.get("/patterns/?waiting=first", headers=REFRESH).headers["HX-Refresh"] == "true"


def test_a_space_that_calibrates_says_how_far_it_is(db: None, viewer: Client, now: datetime) -> None:
    learn("clap-8", scattered(1, 37), now)

    assert "clap-8 is calibrating: 37 of 200 vectors." in page_of(viewer)
    learn("clap-8", scattered(2, 100)[37:], now)
    waited = viewer.get("/patterns/?waiting=calibrating&space=clap-8", headers=REFRESH)
    assert waited.headers["HX-Refresh"] == "true"


def test_the_space_comes_from_the_address_and_without_one_is_the_busiest_calibrated(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    learn("clap-8", scattered(1, 37), now)
    learn("busy-8", scattered(20, 15, seed=3), now)

    assert '<strong class="name">busy-8</strong>' in page_of(viewer)
    assert '<strong class="name">speech-8</strong>' in page_of(viewer, "?space=speech-8")
    assert "clap-8 is calibrating" in page_of(viewer, "?space=clap-8")
    assert viewer.get("/patterns/?space=nobody").status_code == 404
    assert viewer.get("/patterns/?space=%00").status_code == 200


def test_figures_say_what_the_space_holds(space: FeatureSpace, viewer: Client, now: datetime) -> None:
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", pinned=True)
    learn("speech-8", scattered(1, 1, seed=9) * -60, now)
    learn("speech-8", scattered(1, 2, dimension=5), now)

    page = page_of(viewer)

    figures = re.findall(r'<dt>([^<]*)</dt><dd class="value">([^<]*)</dd>', page)
    assert figures == [("Patterns", "21"), ("Provisional", "1"), ("Pinned", "1"), ("Vectors", "201")]
    assert "newest: <a href=" in page
    assert "2 more refused: of another dimension" in page


def test_patterns_stand_newest_first_or_most_seen_first(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    learn("speech-8", scattered(20, 1)[4:5].repeat(5, axis=0), now)

    assert listed(page_of(viewer))[:2] == ["Pattern 20", "Pattern 19"]
    assert listed(page_of(viewer, "?order=seen"))[:2] == ["Pattern 5", "Pattern 20"]


@pytest.mark.parametrize("order", ["newest", "seen"])
def test_every_pattern_is_on_one_page_of_the_list(
    order: str, space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    many(space, 105, now)
    Pattern.objects.filter(count__gte=150).update(count=150)
    found: list[str] = []
    query = f"?space=speech-8&amp;order={order}"
    while query:
        page = page_of(viewer, query.replace("&amp;", "&"))
        found += listed(page)
        following = re.search(r'href="(\?[^"]*)">Next page', page)
        query = following[1] if following else ""

    assert len(found) == len(set(found)) == 125
    assert "First page" in page


def test_the_list_is_narrowed_by_label_number_and_kind(space: FeatureSpace, viewer: Client) -> None:
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", label="Rain on tin")
    change_pattern(pattern(space, 7).pk, actor="olga", reason="x", pinned=True)
    Pattern.objects.filter(pk=pattern(space, 8).pk).update(count=2)

    assert listed(page_of(viewer, "?text=rain")) == ["Rain on tin"]
    assert listed(page_of(viewer, "?text=12")) == ["Pattern 12"]
    assert listed(page_of(viewer, f"?text={pattern(space, 12).pk}")) == ["Pattern 12"]
    assert listed(page_of(viewer, "?kind=labelled")) == ["Rain on tin"]
    assert listed(page_of(viewer, "?kind=pinned&order=seen")) == ["Pattern 7"]
    assert listed(page_of(viewer, "?kind=provisional")) == ["Pattern 8"]
    assert "No pattern of speech-8 fits the filter." in page_of(viewer, "?text=zebra")


@pytest.mark.parametrize(
    "query",
    ["kind=odd", "order=odd", "after=x", "after=1-2", "order=seen&after=5", f"after={10**30}", "text=%00"],
)
def test_what_makes_no_sense_in_the_address_changes_nothing(
    query: str, space: FeatureSpace, viewer: Client
) -> None:
    assert len(listed(page_of(viewer, f"?space=speech-8&{query}"))) == 20


def test_spread_is_said_in_words(space: FeatureSpace, viewer: Client) -> None:
    tau = space.calibration["tau"]
    for number, count, share in ((20, 1, 0.0), (19, 9, 0.1), (18, 9, 0.6), (17, 9, 1.5)):
        Pattern.objects.filter(pk=pattern(space, number).pk).update(count=count, spread=share * (1 - tau))

    rows = re.findall(r'<td class="less">([a-z ]+)</td>', page_of(viewer))

    assert rows[:4] == ["one input only", "tight", "loose", "very loose"]


def test_labels_are_shown_as_text(space: FeatureSpace, viewer: Client) -> None:
    change_pattern(pattern(space, 3).pk, actor="olga", reason="x", label="<script>alert(1)</script>")

    assert "<script>alert" not in page_of(viewer)


def test_a_space_whose_patterns_are_all_gone_says_so(space: FeatureSpace, viewer: Client) -> None:
    Pattern.objects.all().delete()

    page = page_of(viewer)

    assert "No pattern is left in speech-8." in page
    assert "There is no pattern to draw." in page


def test_a_refresh_gets_the_rows_alone_and_nothing_when_nothing_has_changed(
    space: FeatureSpace, viewer: Client
) -> None:
    first = viewer.get("/patterns/?space=speech-8", headers=REFRESH)
    assert "<html" not in first.content.decode()

    again = viewer.get(
        "/patterns/?space=speech-8", headers=REFRESH | {"If-None-Match": first.headers["ETag"]}
    )

    assert again.status_code == 304


def test_the_page_asks_as_often_for_many_patterns_as_for_few(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    def asked(query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(viewer, query)
        return len(captured)

    few = asked("")
    many(space, 700, now)

    assert asked("") == few <= 13
    assert asked("?order=seen&kind=pinned&text=rain") == few
