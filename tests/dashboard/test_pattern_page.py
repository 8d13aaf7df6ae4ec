"""One pattern: what it is, what is like it, what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from featurememory.core.index import _Graph
from featurememory.core.operator_actions import change_pattern
from featurememory.core.registry import SpaceRegistry
from featurememory.core.spaces import vector_from_bytes
from featurememory.integration.spaces import spaces
from featurememory.models import Arm, FeatureSpace, Operation, Optimization, Pattern, Series, Study
from tests.dashboard.patterns import calibrated, many, pattern

SignIn = Callable[[str], Client]


@pytest.fixture
def space(db: None, now: datetime) -> FeatureSpace:
    return calibrated("speech-8", now - timedelta(hours=2))


@pytest.fixture
def viewer(sign_in: SignIn) -> Client:
    return sign_in("viktor")


def page_of(client: Client, shown: Pattern, **headers: str) -> str:
    response = client.get(f"/patterns/{shown.pk}/", headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def operate(shown: Pattern, count: int, now: datetime) -> None:
    """So many operations of the pattern, one a minute."""
    series = Series.objects.create(operation_type="transcription", model="whisper", first_seen=now)
    Operation.objects.bulk_create(
        Operation(
            id=UUID(int=number + 1),
            series=series,
            operation_type="transcription",
            model=f"whisper-{number}",
            started_at=now - timedelta(minutes=number),
            received_at=now,
            duration_ms=12,
            outcome="success",
            pattern=shown.pk,
        )
        for number in range(count)
    )


def _by_hand(shown: Pattern) -> list[int]:
    """The ids of all others, the most similar first."""
    rows = Pattern.objects.exclude(pk=shown.pk).order_by("pk")
    unit = vector_from_bytes(bytes(shown.centroid))
    cosines = [float(vector_from_bytes(bytes(row.centroid)) @ unit) for row in rows]
    return [rows[int(place)].pk for place in np.argsort(cosines)[::-1]]


def _nearest_on(page: str) -> list[int]:
    table = page.split('id="nearest-title"')[1]
    return [int(id) for id in re.findall(r'<a class="name" href="/patterns/(\d+)/">', table)]


def test_the_page_says_what_the_pattern_is(space: FeatureSpace, viewer: Client) -> None:
    shown = pattern(space, 3)
    change_pattern(shown.pk, actor="olga", reason="x", label="rain", pinned=True)

    page = page_of(viewer, shown).replace("\u00a0", " ")

    assert "<h1>rain</h1>" in page
    assert '<dd class="value">10</dd><dd class="detail">5 % of the 200 vectors of its space</dd>' in page
    assert "never makes room for others" in page
    assert f'Number 3 in speech-8; <span class="mono">{shown.pk}</span> in the API' in page
    assert "No optimization yet: nothing but the baseline was tried" in page


def test_what_works_for_the_pattern_stands_first_with_what_it_gains(
    space: FeatureSpace, viewer: Client
) -> None:
    shown, now = pattern(space, 3), timezone.now()
    study = Study.objects.create(
        operation_type="t", model="m", state={"objective": ["duration", 0.5]}, created_at=now
    )
    for number, (steps, effect) in enumerate(((50, 0.0), (20, 0.1), (30, 0.4), (90, -0.2))):
        arm = Arm.objects.create(
            study=study, number=number, parameters={"steps": steps}, digest=str(steps), origin="caller", created_at=now
        )  # fmt: skip
        Optimization.objects.create(
            study=study, arm=arm, pattern=shown.pk, status="active", trials=9, created_at=now, changed_at=now,
            effect=effect, effect_low=effect - 0.1, effect_high=effect + 0.1,
        )  # fmt: skip

    page = page_of(viewer, shown)

    told = page.split('id="optimizations-title"')[1].split("</section>")[0]
    assert [int(steps) for steps in re.findall(r"steps\D*?(\d+)", told)] == [30, 20, 90], (
        "without the baseline"
    )
    assert "faster" in told
    assert f"?pattern={shown.pk}" in told


@pytest.mark.parametrize("in_use", [False, True])
def test_the_nearest_patterns_stand_in_order_whether_the_process_knows_the_space_or_not(
    in_use: bool, space: FeatureSpace, viewer: Client
) -> None:
    shown = pattern(space, 3)
    if in_use:
        spaces().recognise("speech-8", [1.0] * 8)

    assert _nearest_on(page_of(viewer, shown)) == _by_hand(shown)[:6]


def test_the_nearest_are_the_same_before_and_after_the_process_has_use_for_the_space(
    space: FeatureSpace,
) -> None:
    registry, shown = SpaceRegistry(10, 100), pattern(space, 3).pk

    at_first = registry.nearest_to("speech-8", shown, 30)
    registry.recognise("speech-8", [1.0] * 8)

    assert registry.nearest_to("speech-8", shown, 30) == at_first
    assert len(at_first) == 19
    assert registry.nearest_to("speech-8", 7, 5) == []


def test_a_space_that_was_only_looked_at_still_gets_its_graph_when_it_is_used(
    space: FeatureSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featurememory.core.index.GRAPH_ABOVE", 80)
    built: list[int] = []
    monkeypatch.setattr("featurememory.core.index._Graph", lambda size: built.append(size) or _Graph(size))
    registry, shown = SpaceRegistry(10, 100), pattern(space, 3).pk

    looked_at = registry.nearest_to("speech-8", shown, 3)
    assert built == []
    registry.recognise("speech-8", [1.0] * 8)

    assert built == [8]
    assert registry.nearest_to("speech-8", shown, 3)[0] == looked_at[0]


def test_the_only_pattern_of_a_space_has_none_near_it(space: FeatureSpace, viewer: Client) -> None:
    shown = pattern(space, 3)
    Pattern.objects.exclude(pk=shown.pk).delete()

    assert "It is the only pattern of its space." in page_of(viewer, shown)


def test_its_newest_operations_are_listed(space: FeatureSpace, viewer: Client, now: datetime) -> None:
    shown = pattern(space, 3)
    operate(shown, 12, now)

    page = page_of(viewer, shown)

    assert re.findall(r"transcription, whisper-(\d+)", page) == [str(number) for number in range(10)]
    assert "/admin/" not in page
    assert "No operation of this pattern is stored." in page_of(viewer, pattern(space, 4))


def test_it_and_its_nearest_are_marked_on_the_map(space: FeatureSpace, viewer: Client, now: datetime) -> None:
    shown = pattern(space, 3)
    many(space, 300, now)

    page = page_of(viewer, shown)

    assert '"symbol":["star"]' in page
    assert f'"customdata":[{shown.pk}]' in page
    assert '"name":"nearest"' in page


def test_a_refresh_gets_what_moves_and_reads_no_other_pattern(space: FeatureSpace, viewer: Client) -> None:
    shown = pattern(space, 3)

    with CaptureQueriesContext(connection) as captured:
        part = page_of(viewer, shown, **{"HX-Request": "true"})

    assert "<html" not in part
    assert "Newest operations" in part
    assert "chart-map" not in part
    assert len([query for query in captured if 'FROM "featurememory_pattern"' in query["sql"]]) == 1


def test_the_page_asks_as_often_for_many_patterns_and_operations_as_for_few(
    space: FeatureSpace, viewer: Client, now: datetime
) -> None:
    shown = pattern(space, 3)

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(viewer, shown)
        return len(captured)

    first, few = asked(), asked()
    many(space, 250, now)
    operate(shown, 30, now)

    assert few <= asked() <= few + 1 <= first <= 17


@pytest.mark.parametrize("id", [1, 10**12, 10**30])
def test_an_unknown_pattern_is_not_found(id: int, db: None, viewer: Client) -> None:
    assert viewer.get(f"/patterns/{id}/").status_code == 404


def test_only_who_may_act_is_offered_to(space: FeatureSpace, sign_in: SignIn) -> None:
    may, may_not = (page_of(sign_in(name), pattern(space, 3)) for name in ("olga", "viktor"))

    for act in ("change/", "merge/", "forget/"):
        assert act in may
        assert act not in may_not
