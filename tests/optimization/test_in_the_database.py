"""Recommendations and what comes of them, through the API and the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.test import Client

from featurememory.models import Optimization, Recommendation, Study
from tests.operations import batch, bearer, operation_json, post

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/recommendations"
BASELINE = {"steps": 50, "guidance": 3.5}
BETTER = {"steps": 20, "guidance": 3.5}
WORSE = {"steps": 90, "guidance": 3.5}
SECONDS = {50: 1.0, 20: 0.5, 90: 2.0}
Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client, api_key: str) -> Ask:
    def answer(method: str, path: str, **body: Any) -> Any:
        return client.generic(
            method, "/api/v1" + path, json.dumps(body), "application/json", headers=bearer(api_key)
        )

    return answer


def recommended(ask: Ask, **extra: Any) -> dict[str, Any]:
    body = {"operation_type": "t", "model": "m", "baseline": BASELINE, "candidates": [BETTER, WORSE]} | extra
    answer = ask("POST", "/recommendations", **body)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def play(ask: Ask, client: Client, api_key: str, count: int, random: Random) -> list[dict[str, Any]]:
    """Operations one after the other, each with what is recommended for it."""
    given = []
    for _ in range(count):
        each = recommended(ask)
        seconds = SECONDS[each["parameters"]["steps"]] * random.uniform(0.9, 1.1)
        sent = operation_json(
            operation_type="t",
            model="m",
            duration_ms=seconds * 1_000,
            parameters=each["parameters"],
            recommendation=each["id"],
        )
        answer = post(client, api_key, batch(sent)).json()
        assert answer["accepted"] == 1
        given.append(each)
    return given


def test_what_works_is_found_and_recommended(ask: Ask, client: Client, api_key: str) -> None:
    given = play(ask, client, api_key, 120, Random(1))
    late = [each["parameters"]["steps"] for each in given[60:]]
    assert late.count(20) > 40
    assert 0 < late.count(50) < 20
    study = Study.objects.get()
    assert study.operations == 120
    best = Optimization.objects.get(arm__parameters=BETTER)
    assert best.effect is not None
    assert 0.3 < best.effect < 1.0
    assert Recommendation.objects.filter(reward__isnull=False).count() == 120
    why = ask("GET", f"/recommendations/{given[-1]['id']}").json()
    assert why["same_again"] is True
