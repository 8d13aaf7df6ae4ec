"""One optimization: its parameters beside the baseline's, its standing, its evidence, its rivals."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import plotly.graph_objects as go
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.models import Optimization, OptimizationEvent, Recommendation
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.operator_actions import ACTIONS, order, retire_arm
from tests.dashboard.test_optimizations import page_of, text_of
from tests.optimization.stored import BASELINE, BETTER, OTHER, PATTERNS, USUAL, WORSE, store_study

SignIn = Callable[[str], Client]


def address(found: Optimization) -> str:
    return f"/optimizations/{found.pk}/"


def figure_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    figure: dict[str, Any] = json.loads(found[1])
    return figure


def test_parameters_stand_beside_the_baseline_s(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)

    page = page_of(sign_in("viktor"), address(found))

    rows = re.findall(
        r"<tr[^>]*><th scope=\"row\">(\w+)</th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td></tr>", page
    )
    assert rows == [
        ("steps", "<strong>20</strong>", "50"),
        ("guidance", "3.5", "the same"),
        ("scheduler", "ddim", "the same"),
    ]
    assert "Promoted It is what operations of this pattern mostly get." in text_of(page)
    assert re.search(
        r"[89]\d(\.\d)? % of the \d+ recommendations for this pattern within the hour", text_of(page)
    )


def test_history_says_from_what_to_what_why_and_on_which_evidence(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)
    order(found.pk, ACTIONS["quarantine"], actor="olga", reason="it crackles", now=now)

    history = text_of(page_of(sign_in("viktor"), address(found)).split('id="history-title"')[1])

    told = re.search(
        r"Promoted Quarantined .*?An operator decided so: olga, “it crackles”. After (\d+) trials: (\S+)",
        history,
    )
    assert told is not None
    assert "Active Promoted" in history
    assert "Its gain is beyond doubt." in history
    assert (
        history.index("Quarantined") < history.index("Its gain is beyond doubt") < history.index("first time")
    )


def test_what_happened_to_the_set_everywhere_is_part_of_its_history(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    retire_arm(stored.arm(OTHER).pk, actor="olga", reason="dull", now=now)
    arm = stored.arm(BETTER)
    OptimizationEvent.objects.create(
        study=stored.study,
        arm=arm,
        pattern=None,
        before="active",
        after="quarantined",
        cause="regressed",
        at=now,
    )

    told = text_of(page_of(sign_in("viktor"), address(stored.optimization(PATTERNS[0], BETTER))))

    assert "Its outcomes fell, in every pattern." in told
    assert "dull" not in told


def test_evidence_is_drawn_in_seconds_with_a_row_for_each_point(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)
    client = sign_in("viktor")

    page = page_of(client, address(found))
    rows = list(csv.reader(client.get(f"{address(found)}rewards.csv").content.decode().splitlines()))

    figure = figure_of(page)
    go.Figure(figure)
    these, baseline, *means = figure["data"]
    known = Recommendation.objects.filter(pattern=PATTERNS[0], reward__isnull=False)
    assert len([value for value in these["y"] if value is not None]) == known.filter(arm=found.arm_id).count()
    assert all(1 < value < 4 for value in these["y"] if value is not None)
    assert all(3 < value < 5 for value in baseline["y"] if value is not None)
    assert [len(each["y"]) for each in means] == [len(these["x"])] * 2
    table = page.split('id="chart-rewards-data"')[1].split("</details>")[0]
    assert table.count("<tr>") - 1 == len(these["x"]) == len(rows) - 1
    assert rows[0] == ["at", "these s", "baseline s", "mean of these s", "mean of the baseline s"]


def test_a_score_is_drawn_as_it_is(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now, USUAL._replace(aim="score"))

    page = page_of(sign_in("viktor"), address(stored.optimization(PATTERNS[0], BETTER)))

    assert all(0 < value < 1 for value in figure_of(page)["data"][0]["y"] if value is not None)


def test_what_has_shown_nothing_yet_says_so(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    found = stored.optimization(PATTERNS[1], WORSE)

    told = text_of(page_of(sign_in("viktor"), address(found)))

    assert (
        "No operation with these parameters has shown anything in this pattern yet; the baseline has" in told
    )
    assert "It was not recommended yet." in told


def test_trials_say_why_how_likely_and_what_came_of_them(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)
    newest = Recommendation.objects.filter(arm=found.arm_id, pattern=PATTERNS[0]).order_by("-at")
    waiting = Recommendation.objects.create(
        id=uuid4(),
        study=found.study,
        pattern=PATTERNS[0],
        arm=found.arm,
        baseline=found.study.arms.get(number=0),
        seed=1,
        source="explored",
        propensity=0.25,
        baseline_propensity=0.1,
        at=now,
    )

    page = page_of(sign_in("viktor"), address(found))

    trials = page.split('id="trials-title"')[1].split("</section>")[0]
    links = re.findall(r'href="/recommendations/([0-9a-f-]+)/"', trials)
    assert links == [str(each.pk) for each in newest[:15]]
    assert links[0] == str(waiting.pk)
    assert "tried to learn more 25 % not reported yet" in text_of(trials)
    assert re.search(r"thought best 9\d % Success -\d\.\d{3} 00000000-0000…", text_of(trials))


def test_rivals_are_those_of_the_same_pattern(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    found = stored.optimization(PATTERNS[1], BETTER)
    others = Optimization.objects.filter(pattern=PATTERNS[1]).exclude(pk=found.pk)

    page = page_of(sign_in("viktor"), address(found))

    assert {int(each) for each in re.findall(r'<li id="rival-(\d+)"', page)} == {each.pk for each in others}
    rivals = text_of(page.split('id="rivals-title"')[1].split("</section>")[0])
    assert "Baseline guidance=3.5, scheduler=ddim, steps=50" in rivals
    assert "Quarantined steps= 90" in rivals


def test_the_baseline_s_own_page_offers_nothing(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BASELINE)

    page = page_of(sign_in("olga"), address(found))

    assert "It is the baseline itself." in page
    assert not any(f"{address(found)}{slug}/" in page for slug in ACTIONS)


def test_what_is_retired_everywhere_says_how_it_comes_back(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    retire_arm(stored.arm(BETTER).pk, actor="olga", reason="x", now=now)
    found = stored.optimization(PATTERNS[0], BETTER)

    page = page_of(sign_in("olga"), address(found))

    assert "Its parameters are retired in every pattern." in page
    assert not any(f"{address(found)}{slug}/" in page for slug in ACTIONS)


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("candidate", ["promote", "activate", "quarantine", "retire"]),
        ("promoted", ["activate", "quarantine", "retire"]),
        ("quarantined", ["promote", "activate", "retire"]),
        ("retired", ["promote", "activate", "quarantine"]),
    ],
)
def test_only_what_suits_its_status_is_offered_to_operators(
    sign_in: SignIn, now: datetime, status: str, offered: list[str]
) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)
    Optimization.objects.filter(pk=found.pk).update(status=Status(status))

    page = page_of(sign_in("olga"), address(found))

    assert [slug for slug in ACTIONS if f'href="{address(found)}{slug}/"' in page] == offered


def test_viewers_see_no_button(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)

    page = page_of(sign_in("viktor"), address(found))

    assert "Act on" not in page
    assert "Retire in every pattern…" not in page


def test_a_refresh_gets_the_parts_alone(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)

    part = page_of(sign_in("viktor"), address(found), **{"HX-Request": "true"})

    assert "<html" not in part
    assert 'aria-label="Standing"' in part


def test_it_asks_as_often_for_much_as_for_little(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("viktor")

    def asked(found: Optimization) -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(client, address(found))
        return len(captured)

    young = store_study(now, USUAL._replace(model="m", operations=30)).study.optimizations.first()
    assert young is not None
    assert asked(young) == asked(store_study(now).optimization(PATTERNS[0], BETTER)) <= 16


@pytest.mark.parametrize(
    "path", ["/optimizations/999999/", "/optimizations/999999/rewards.csv", f"/optimizations/{10**30}/"]
)
def test_an_unknown_one_is_not_found(db: None, sign_in: SignIn, path: str) -> None:
    assert sign_in("viktor").get(path).status_code == 404
