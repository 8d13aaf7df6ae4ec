"""Patterns over HTTP: what an input is like, what was seen, and an operator's hand on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from featurememory.access import create_api_key
from featurememory.core.confidence import ENOUGH_CONFIRMATIONS
from featurememory.core.spaces import WARM_UP
from featurememory.integration.spaces import spaces
from featurememory.models import AuditEntry, Confirmation, FeatureSpace, Operation, Pattern
from tests.core.spaces import scattered
from tests.operations import batch, bearer, operation_json, post

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/patterns"
INPUTS = [each.tolist() for each in scattered(20, 12)]
Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client, api_key: str) -> Ask:
    def answer(method: str, path: str = "", key: str = api_key, **body: Any) -> Any:
        return client.generic(method, URL + path, json.dumps(body), "application/json", headers=bearer(key))

    return answer


@pytest.fixture
def learned(client: Client, api_key: str) -> list[dict[str, Any]]:
    """Operations whose features have calibrated the space `s`, and a few more."""
    sent = [operation_json(features=each, space="s") for each in INPUTS]
    answer = post(client, api_key, batch(*sent)).json()
    assert (answer["accepted"], answer["rejected"]) == (len(INPUTS), [])
    return sent


def test_operations_belong_to_the_pattern_of_their_features(
    client: Client, api_key: str, ask: Ask, learned: list[dict[str, Any]]
) -> None:
    stored = {str(each.id): each.pattern for each in Operation.objects.all()}
    patterns = [stored[each["id"]] for each in learned[WARM_UP:]]
    assert None not in patterns
    found = ask("POST", "/recognize", space="s", features=INPUTS[-1]).json()
    assert found["pattern"] == patterns[-1]
    assert found["verdict"] in ("match", "ambiguous")
    assert not found["novel"]
    assert found["similarity"] > 0.99
    assert 0.5 < found["confidence"] <= 1
    assert found["nearest"][0]["pattern"] == found["pattern"]
    of_it = client.get("/api/v1/operations", {"pattern": found["pattern"]}, headers=bearer(api_key)).json()
    assert {each["pattern"] for each in of_it["items"]} == {found["pattern"]}
    assert len(of_it["items"]) == patterns.count(patterns[-1])


def test_an_operation_sent_again_teaches_nothing(
    client: Client, api_key: str, learned: list[dict[str, Any]]
) -> None:
    before = list(Pattern.objects.values_list("id", "count", "visits"))
    assert post(client, api_key, batch(*learned)).json()["duplicates"] == len(learned)
    assert list(Pattern.objects.values_list("id", "count", "visits")) == before


def test_an_operation_whose_features_its_space_cannot_compare_is_kept_without_a_pattern(
    client: Client, api_key: str, learned: list[dict[str, Any]]
) -> None:
    sent = [operation_json(features=[1.0, 2.0], space="s"), operation_json(features=[1.0, 2.0])]
    assert post(client, api_key, batch(*sent)).json()["accepted"] == 2
    assert {Operation.objects.get(id=each["id"]).pattern for each in sent} == {None}
    assert FeatureSpace.objects.get().refused == 1


def test_a_failing_group_leaves_no_trace_of_what_it_learned(
    client: Client, api_key: str, ask: Ask, learned: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask("POST", "/recognize", space="s", features=INPUTS[0]).json()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("featurememory.ingestion.transaction._note_senders", fail)
        failed = operation_json(features=INPUTS[0], space="s")
        assert post(client, api_key, batch(failed)).status_code == 503
    assert ask("POST", "/recognize", space="s", features=INPUTS[0]).json() == before


def test_recognising_changes_nothing_unless_it_is_to_learn(ask: Ask, learned: list[dict[str, Any]]) -> None:
    (seen,) = FeatureSpace.objects.values_list("seen", flat=True)
    ask("POST", "/recognize", space="s", features=INPUTS[0])
    assert FeatureSpace.objects.get().seen == seen
    known = ask("POST", "/recognize", space="s", features=INPUTS[0], learn=True).json()
    assert FeatureSpace.objects.get().seen == seen + 1
    strange = [1e6, -1e6] * 4
    novel = ask("POST", "/recognize", space="s", features=strange, learn=True).json()
    assert novel["novel"]
    assert novel["pattern"] not in (None, known["pattern"])
    assert ask("POST", "/recognize", space="s", features=strange).json()["pattern"] == novel["pattern"]


def test_a_new_space_says_that_it_is_calibrating(client: Client, api_key: str, ask: Ask) -> None:
    answer = ask("POST", "/recognize", space="new", features=[1, 2], learn=True).json()
    assert (answer["verdict"], answer["pattern"], answer["nearest"]) == ("calibrating", None, [])
    (space,) = client.get("/api/v1/feature-spaces", headers=bearer(api_key)).json()["items"]
    assert (space["name"], space["dimension"], space["calibrated"], space["seen"]) == ("new", 2, False, 1)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ([1.0], "has 1 numbers, but its feature space has 8"),
        ([0.0] * 8, "zero throughout"),
        ([1e39] + [1.0] * 7, "finite number that float32 can hold"),
        ([], "at least 1"),
        ([1.0] * 16_385, "at most 16384"),
        (["x"] * 8, "number"),
        (None, "list"),
    ],
)
def test_features_that_cannot_be_taken_are_refused_by_name(
    features: Any, words: str, ask: Ask, learned: list[dict[str, Any]]
) -> None:
    before = list(Pattern.objects.values_list("id", "count"))
    for learn in (False, True):
        answer = ask("POST", "/recognize", space="s", features=features, learn=learn)
        assert answer.status_code in (400, 422)
        assert "features" in answer.json()["errors"][0]["field"]
        assert words in answer.content.decode()
    assert list(Pattern.objects.values_list("id", "count")) == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str, client: Client, api_key: str) -> None:
    body = f'{{"space": "s", "features": [{number}, 1], "learn": true}}'
    answer = client.post(f"{URL}/recognize", body, "application/json", headers=bearer(api_key))
    assert answer.status_code in (400, 422)
    assert not FeatureSpace.objects.exists()


def test_a_million_dimensions_are_refused_quickly(ask: Ask) -> None:
    assert ask("POST", "/recognize", space="s", features=[0.5] * 1_000_000, learn=True).status_code in (
        413,
        422,
    )
    assert not FeatureSpace.objects.exists()


def test_what_there_is_not_is_not_found(ask: Ask) -> None:
    unknown = ask("POST", "/recognize", space="nobody", features=[1.0])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_space")
    for method, path, body in (
        ("GET", "/5", {}),
        ("PATCH", "/5", {"label": "x", "reason": "y"}),
        ("POST", "/5/merge", {"into": 6, "reason": "y"}),
        ("DELETE", "/5?reason=y", {}),
    ):
        answer = ask(method, path, **body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_pattern")


def test_patterns_are_listed_page_by_page_newest_first(ask: Ask, learned: list[dict[str, Any]]) -> None:
    everything = list(Pattern.objects.order_by("-id").values_list("id", flat=True))
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        page = ask("GET", f"?space=s&limit=7{cursor and '&cursor=' + cursor}").json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert found == everything
    assert ask("GET", "?space=other").json()["items"] == []


def test_an_operator_labels_pins_merges_and_removes_with_a_reason(
    ask: Ask, learned: list[dict[str, Any]]
) -> None:
    first, second, third = (each["id"] for each in ask("GET", "?limit=3").json()["items"])
    changed = ask("PATCH", f"/{first}", label="drums", pinned=True, reason="I know it").json()
    assert (changed["label"], changed["pinned"]) == ("drums", True)
    assert ask("GET", f"/{first}").json() == changed
    assert [each["id"] for each in ask("GET", "?pinned=true").json()["items"]] == [first]
    assert ask("POST", f"/{second}/merge", into=first, reason="the same").json()["count"] > changed["count"]
    assert ask("DELETE", f"/{third}?reason=noise").status_code == 204
    assert not Pattern.objects.filter(pk__in=[second, third]).exists()
    assert list(AuditEntry.objects.order_by("at").values_list("action", "reason")) == [
        ("pattern.change", "I know it"),
        ("pattern.merge", "the same"),
        ("pattern.remove", "noise"),
    ]
    for method, path in (("PATCH", f"/{first}"), ("DELETE", f"/{first}?reason=%20")):
        assert ask(method, path, label="x").status_code in (400, 422), "without a reason"


def test_each_call_takes_the_scope_it_needs(ask: Ask, learned: list[dict[str, Any]]) -> None:
    reader, sender = (create_api_key(scope, [scope])[1] for scope in ("read", "ingest"))
    pattern = Pattern.objects.latest("id").pk
    recognise = {"space": "s", "features": INPUTS[0]}
    assert ask("POST", "/recognize", reader, **recognise).status_code == 200
    assert ask("POST", "/recognize", sender, **recognise).status_code == 403
    assert ask("POST", "/recognize", reader, **recognise, learn=True).status_code == 403
    assert ask("PATCH", f"/{pattern}", reader, label="x", reason="y").status_code == 403
    assert ask("DELETE", f"/{pattern}?reason=y", reader).status_code == 403


def test_what_is_said_of_matches_makes_the_confidence_mean_what_it_says(
    ask: Ask, learned: list[dict[str, Any]]
) -> None:
    before = ask("POST", "/recognize", space="s", features=INPUTS[-1]).json()
    for number in range(ENOUGH_CONFIRMATIONS):
        answer = ask("POST", "/confirmations", space="s", features=INPUTS[-1 - number % 40], correct=False)
        assert answer.status_code == 200, answer.content
        assert answer.json()["confirmations"] == number + 1
        if number + 1 < ENOUGH_CONFIRMATIONS:
            assert answer.json()["confidence"] > 0.3, "too few to say anything"
    after = ask("POST", "/recognize", space="s", features=INPUTS[-1]).json()
    assert after["confidence"] < 0.2 < before["confidence"]
    spaces.cache_clear()
    again = ask("POST", "/recognize", space="s", features=INPUTS[-1]).json()
    assert again["confidence"] == after["confidence"], "it outlives the process"
    assert {each.actor for each in Confirmation.objects.all()} == {"key tests"}


def test_only_a_match_can_be_confirmed(ask: Ask, learned: list[dict[str, Any]]) -> None:
    unlike = [(-1.0) ** number * 1e6 for number in range(len(INPUTS[0]))]
    for body, status in (
        ({"space": "s", "features": unlike, "correct": True}, 422),
        ({"space": "nowhere", "features": [1.0], "correct": True}, 404),
        ({"space": "s", "features": [1.0], "correct": True}, 422),
    ):
        assert ask("POST", "/confirmations", **body).status_code == status
    assert not Confirmation.objects.exists()
