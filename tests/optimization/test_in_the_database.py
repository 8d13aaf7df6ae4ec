"""Recommendations and what comes of them, through the API and the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.models import (
    Arm,
    AuditEntry,
    Feedback,
    Optimization,
    OptimizationEvent,
    PatternEvidence,
    Recommendation,
    Study,
)
from featurememory.optimization.upkeep import MAX_STEPS, propose_steps
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


def send(client: Client, api_key: str, given: dict[str, Any], **changes: Any) -> str:
    """One operation with what was recommended; gives its id."""
    sent = operation_json(
        operation_type="t", model="m", parameters=given["parameters"], recommendation=given["id"], **changes
    )
    assert post(client, api_key, batch(sent)).json()["accepted"] == 1
    return str(sent["id"])


def test_before_anything_is_known_the_baseline_comes_back(ask: Ask) -> None:
    given = recommended(ask)
    assert given["parameters"] == BASELINE
    assert (given["source"], given["propensity"], given["effect"]) == ("baseline", 1.0, None)
    why = ask("GET", f"/recommendations/{given['id']}").json()
    assert why["same_again"] is None
    assert why["why"].startswith("Nothing was known yet")


def test_what_is_expected_comes_with_its_interval_and_the_reason_can_be_asked_for(
    ask: Ask, client: Client, api_key: str
) -> None:
    given = play(ask, client, api_key, 100, Random(3))
    learned = next(each for each in reversed(given) if each["source"] == "learned")
    effect = learned["effect"]
    assert effect["objective"] == "duration"
    assert effect["low"] < effect["value"] < effect["high"]
    why = ask("GET", f"/recommendations/{learned['id']}").json()
    assert why["parameters"] == BETTER
    assert why["outcome"] == "success"
    assert why["reward"] is not None
    assert sum(each["propensity"] for each in why["candidates"]) == pytest.approx(1)
    assert [each["effect"] for each in why["candidates"] if each["parameters"] == BASELINE] == [None]


def test_a_recommendation_teaches_once(ask: Ask, client: Client, api_key: str) -> None:
    play(ask, client, api_key, 10, Random(1))
    given = recommended(ask)
    sent = operation_json(
        operation_type="t", model="m", parameters=given["parameters"], recommendation=given["id"]
    )
    for _ in range(3):
        post(client, api_key, batch(sent))
    study = Study.objects.get()
    assert study.operations == 11
    streamed = study.state["learner"]["effectiveness"][0][0]
    assert streamed == 11
    send(
        client, api_key, given
    )  # another operation with the same recommendation: nobody drew it for that one
    study.refresh_from_db()
    assert (study.operations, study.state["learner"]["effectiveness"][0][0]) == (12, 11)


def test_a_later_score_teaches_as_if_it_had_come_with_the_operation(
    ask: Ask, client: Client, api_key: str
) -> None:
    assert (
        ask("PUT", "/learning/settings?operation_type=t", values={"aim": "score"}, reason="test").status_code
        == 200
    )
    given = recommended(ask)
    id = send(client, api_key, given)
    assert Study.objects.get().operations == 0
    answer = ask("POST", f"/operations/{id}/feedback", score=0.7)
    assert answer.status_code == 200, answer.content
    assert answer.json()["taught"] is True
    assert answer.json()["operation"]["score"] == 0.7
    assert Study.objects.get().operations == 1
    assert Recommendation.objects.get(pk=given["id"]).reward == 0.7
    again = ask("POST", f"/operations/{id}/feedback", score=0.9)
    assert (again.status_code, again.json()["code"]) == (409, "feedback_refused")
    assert Study.objects.get().operations == 1
    assert Feedback.objects.get().actor == "key tests"


def test_feedback_that_cannot_be_taken_changes_nothing(ask: Ask, client: Client, api_key: str) -> None:
    given = recommended(ask)
    rejected = send(client, api_key, given, outcome="rejected")
    scored = send(client, api_key, recommended(ask), score=0.5)
    for path, body, status in (
        (str(uuid4()), {"score": 0.5}, 404),
        (rejected, {"score": 0.5}, 409),
        (scored, {"score": 0.6}, 409),
        (scored, {"score": 1.5}, 422),
        (scored, {}, 422),
        (scored, {"outcome": "fine"}, 422),
    ):
        assert ask("POST", f"/operations/{path}/feedback", **body).status_code == status, body
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"baseline": {"steps": float("nan")}}, "baseline.steps"),
        ({"baseline": [1]}, "baseline"),
        ({"baseline": {"": 1}}, "baseline"),
        ({"candidates": [7]}, "candidates.0"),
        ({"candidates": [BETTER, {"steps": 1}]}, "candidates.1"),
        ({"candidates": [{"steps": 1, "guidance": 2, "more": 3}]}, "candidates.0"),
        ({"candidates": [BETTER | {"steps": number} for number in range(40)]}, "candidates"),
        ({"features": [1.0]}, "space"),
        ({"features": [1.0], "space": "s", "pattern": 1}, "pattern"),
        ({"features": [float("inf")], "space": "s"}, "features[0]"),
        ({"features": [1.0] * 20_000, "space": "s"}, "features"),
        ({"pattern": -1}, "pattern"),
        ({"operation_type": ""}, "operation_type"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_by_field_and_changes_nothing(
    ask: Ask, change: dict[str, Any], field: str
) -> None:
    body = {"operation_type": "t", "model": "m", "baseline": BASELINE} | change
    answer = ask("POST", "/recommendations", **body)
    if answer.status_code == 400:  # NaN and infinities are no JSON
        assert not all(map(_is_json, change.values()))
    else:
        assert answer.status_code == 422, answer.content
        assert field in [each["field"] for each in answer.json()["errors"]], answer.json()
    assert not Study.objects.exists()
    assert not Recommendation.objects.exists()


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def test_parameters_that_change_with_every_operation_are_refused_by_name(ask: Ask) -> None:
    for prompt in range(32):
        body = {"operation_type": "t", "model": "m", "baseline": {"prompt": str(prompt)}}
        assert ask("POST", "/recommendations", **body).status_code == 200
    full = ask("POST", "/recommendations", operation_type="t", model="m", baseline={"prompt": "33"})
    assert (full.status_code, full.json()["code"]) == (409, "resource_constraint")
    assert "prompt" in full.json()["detail"]


def one(ask: Ask, parameters: dict[str, Any]) -> dict[str, Any]:
    found = ask("GET", "/optimizations").json()["items"]
    (optimization,) = (each for each in found if each["parameters"] == parameters)
    assert isinstance(optimization, dict)
    return optimization


def test_an_operator_promotes_quarantines_and_retires_with_a_reason(
    ask: Ask, client: Client, api_key: str
) -> None:
    play(ask, client, api_key, 60, Random(2))
    worse = one(ask, WORSE)
    assert ask("POST", f"/optimizations/{worse['id']}/promote", reason=" ").status_code == 422
    promoted = ask("POST", f"/optimizations/{worse['id']}/promote", reason="a trial by hand").json()
    assert promoted["status"] == "promoted"
    assert promoted["events"][0] | {"at": ""} == {
        "at": "", "before": worse["status"], "after": "promoted", "cause": "operator", "actor": "key tests",
        "reason": "a trial by hand", "evidence": promoted["events"][0]["evidence"],
    }  # fmt: skip
    given = [recommended(ask)["parameters"]["steps"] for _ in range(60)]
    assert given.count(90) > 30
    better = one(ask, BETTER)
    ask("POST", f"/optimizations/{better['id']}/quarantine", reason="a customer complained")
    assert 20 not in [recommended(ask)["parameters"]["steps"] for _ in range(60)]
    ask("POST", f"/optimizations/{worse['id']}/retire", reason="enough")
    assert {recommended(ask)["parameters"]["steps"] for _ in range(40)} == {50}
    ask("POST", f"/optimizations/{better['id']}/activate", reason="it was something else")
    assert 20 in [recommended(ask)["parameters"]["steps"] for _ in range(60)]
    acts = list(AuditEntry.objects.order_by("id").values_list("action", "reason"))
    assert acts == [
        ("optimization.promote", "a trial by hand"),
        ("optimization.quarantine", "a customer complained"),
        ("optimization.retire", "enough"),
        ("optimization.activate", "it was something else"),
    ]


def test_a_promoted_set_that_gets_worse_is_taken_back_by_itself(
    ask: Ask, client: Client, api_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(ask, client, api_key, 80, Random(2))
    ask("POST", f"/optimizations/{one(ask, BETTER)['id']}/promote", reason="best so far")
    monkeypatch.setitem(SECONDS, 20, 4.0)
    given = play(ask, client, api_key, 60, Random(3))
    assert [each["parameters"]["steps"] for each in given].count(20) < 25
    taken_back = OptimizationEvent.objects.filter(arm__parameters=BETTER, before="promoted").first()
    assert taken_back is not None
    assert (taken_back.cause, taken_back.actor) == ("regressed", "")
    assert taken_back.sequence is not None, "connected processes hear of it"


def test_the_baseline_cannot_be_ordered_about(ask: Ask, client: Client, api_key: str) -> None:
    play(ask, client, api_key, 30, Random(2))
    for action in ("promote", "quarantine", "retire", "activate"):
        answer = ask("POST", f"/optimizations/{one(ask, BASELINE)['id']}/{action}", reason="why not")
        assert answer.status_code == 422
    assert ask("POST", "/optimizations/77777/retire", reason="x").status_code == 404


def test_a_parameter_set_is_proposed_and_retired_everywhere(ask: Ask, client: Client, api_key: str) -> None:
    body = {
        "operation_type": "t",
        "model": "m",
        "parameters": {"steps": 10, "guidance": 3.5},
        "reason": "try",
    }
    assert ask("POST", "/learning/candidates", **body).status_code == 404
    for _ in range(8):
        send(
            client,
            api_key,
            ask("POST", "/recommendations", operation_type="t", model="m", baseline=BASELINE).json(),
        )
    wrong = ask("POST", "/learning/candidates", **(body | {"parameters": {"steps": 10}}))
    assert wrong.status_code == 422
    arm = ask("POST", "/learning/candidates", **body).json()
    assert (arm["origin"], arm["is_baseline"]) == ("operator", False)
    tried = [
        ask("POST", "/recommendations", operation_type="t", model="m", baseline=BASELINE).json()
        for _ in range(60)
    ]
    assert 10 in [each["parameters"]["steps"] for each in tried]
    gone = ask("POST", f"/learning/candidates/{arm['id']}/retire", reason="enough").json()
    assert gone["retired_at"] is not None
    tried = [
        ask("POST", "/recommendations", operation_type="t", model="m", baseline=BASELINE).json()
        for _ in range(30)
    ]
    assert {each["parameters"]["steps"] for each in tried} == {50}
    back = ask("POST", "/learning/candidates", **body).json()
    assert (back["id"], back["retired_at"]) == (arm["id"], None)


def test_parameters_that_callers_use_by_themselves_become_candidates(
    ask: Ask, client: Client, api_key: str
) -> None:
    ask("POST", "/recommendations", operation_type="t", model="m", baseline=BASELINE)
    for _ in range(3):
        own = operation_json(operation_type="t", model="m", parameters={"steps": 33, "guidance": 3.5})
        other = operation_json(operation_type="t", model="m", parameters={"prompt": str(uuid4())})
        post(client, api_key, batch(own, other))
    sets = ask("GET", "/learning").json()["studies"][0]["parameter_sets"]
    assert [(each["parameters"]["steps"], each["origin"]) for each in sets] == [
        (50, "baseline"),
        (33, "observed"),
    ]


def test_another_objective_begins_anew(ask: Ask, client: Client, api_key: str) -> None:
    play(ask, client, api_key, 20, Random(2))
    assert Study.objects.get().operations == 20
    wrong = ask("PUT", "/learning/settings?operation_type=t", values={"aim": "beauty"}, reason="x")
    assert wrong.status_code == 422
    assert "aim" in wrong.json()["errors"][0]["field"]
    ask(
        "PUT",
        "/learning/settings?operation_type=t",
        values={"aim": "both", "weight": 0.9},
        reason="quality counts",
    )
    assert Study.objects.get().operations == 0
    assert not PatternEvidence.objects.exists()
    assert recommended(ask)["parameters"] == BASELINE
    audit = AuditEntry.objects.get(action="learning.configure")
    assert audit.after == {"aim": "both", "weight": 0.9}


def test_small_steps_are_tried_where_they_are_declared(ask: Ask, client: Client, api_key: str) -> None:
    play(ask, client, api_key, 60, Random(2))
    study = Study.objects.get().pk
    assert propose_steps(study, timezone.now()) == 0, "off by default"
    steps = {"steps": {"low": 10, "high": 100, "step": 5}}
    assert (
        ask("PUT", "/learning/settings?operation_type=t", values={"steps": steps}, reason="x").status_code
        == 200
    )
    assert propose_steps(study, timezone.now()) == MAX_STEPS
    assert propose_steps(study, timezone.now()) == 0, "those first"
    origins = Arm.objects.filter(origin="step").values_list("parameters", flat=True)
    assert sorted(each["steps"] for each in origins) == [15, 25]


def test_a_new_model_starts_from_what_other_models_of_its_type_have_learned(
    ask: Ask, client: Client, api_key: str
) -> None:
    play(ask, client, api_key, 120, Random(2))
    for _ in range(6):
        given = recommended(ask, model="sister")
        sent = operation_json(
            operation_type="t", model="sister", parameters=given["parameters"], recommendation=given["id"],
            duration_ms=7_000 + Random(1).random(),
        )  # fmt: skip
        post(client, api_key, batch(sent))
    given = [recommended(ask, model="sister")["parameters"]["steps"] for _ in range(60)]
    assert given.count(20) > 2 * given.count(90)
