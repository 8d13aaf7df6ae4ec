"""Settings lie in layers, are checked together, take effect at once and are audited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from featurememory import ConfigurationError
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.ingestion.receive import intake
from featurememory.models import AuditEntry, Breaker, BreakerConfiguration
from tests.operations import batch, bearer, operation, operation_json, post, store

pytestmark = pytest.mark.django_db(transaction=True)
Put = Callable[..., Any]


def fail(times: int, **changes: Any) -> None:
    store(
        intake(),
        *[operation(operation_type="t", model="m", outcome="error", **changes) for _ in range(times)],
    )


def state(name: str = "t:m") -> str:
    return Breaker.objects.get(name=name).state


def set_for(scope: Scope, name: str = "", **values: Any) -> None:
    configure(scope, name, values, actor="olga", reason="a test")


def test_a_layer_may_lean_on_the_one_below() -> None:
    fail(1)
    set_for(Scope.DEFAULT, window_size=500)
    set_for(Scope.OPERATION_TYPE, "t", minimum_calls=200)
    set_for(Scope.BREAKER, "t:m", minimum_calls=300)
    assert Breaker.objects.get().config == {"window_size": 500, "minimum_calls": 300}


def test_what_is_wrong_by_itself_is_not_blamed_on_another_layer() -> None:
    fail(1)
    with pytest.raises(ConfigurationError, match=r"^max_failures = -1 is not possible"):
        set_for(Scope.OPERATION_TYPE, "t", max_failures=-1)


def test_the_more_particular_layer_goes_over_the_others() -> None:
    fail(1)
    set_for(Scope.DEFAULT, max_failures=7, reset_timeout_ms=2_000)
    set_for(Scope.OPERATION_TYPE, "t", max_failures=6)
    assert Breaker.objects.get().config == {"max_failures": 6, "reset_timeout_ms": 2_000}
    set_for(Scope.BREAKER, "t:m", max_failures=3)
    assert Breaker.objects.get().config == {"max_failures": 3, "reset_timeout_ms": 2_000}
    set_for(Scope.BREAKER, "t:m")
    assert Breaker.objects.get().config["max_failures"] == 6


def test_a_change_takes_effect_with_the_next_result_and_keeps_what_was_counted() -> None:
    fail(4)
    set_for(Scope.BREAKER, "t:m", max_failures=6)
    assert state() == "closed"
    fail(1)
    assert state() == "closed"
    fail(1)
    assert state() == "open"


def test_state_does_not_jump_by_a_change_alone() -> None:
    fail(4)
    set_for(Scope.DEFAULT, max_failures=2)
    assert state() == "closed"
    fail(1)
    assert state() == "open"
    set_for(Scope.DEFAULT, max_failures=100)
    assert state() == "open"


def test_a_breaker_made_later_begins_with_what_is_set() -> None:
    set_for(Scope.OPERATION_TYPE, "t", max_failures=2)
    fail(2)
    assert state() == "open"


def test_what_does_not_go_together_with_another_layer_is_refused_by_whose_it_is() -> None:
    fail(1)
    set_for(Scope.BREAKER, "t:m", max_reset_timeout_ms=2_000)
    with pytest.raises(
        ConfigurationError, match=r"Together with breaker 't:m': max_reset_timeout_ms = 2000 is below"
    ):
        set_for(Scope.DEFAULT, reset_timeout_ms=3_000)
    assert not BreakerConfiguration.objects.filter(scope="default").exists()
    assert Breaker.objects.get().config == {"max_reset_timeout_ms": 2_000}


def test_a_default_that_would_break_an_operation_types_settings_is_refused() -> None:
    set_for(Scope.OPERATION_TYPE, "t", minimum_calls=50)
    with pytest.raises(ConfigurationError, match=r"Together with operation type 't': minimum_calls = 50"):
        set_for(Scope.DEFAULT, window_size=30, minimum_calls=20)
    assert not BreakerConfiguration.objects.filter(scope="default").exists()


def test_only_the_operation_types_it_monitors_count() -> None:
    store(intake(), operation(breaker="gpu", operation_type="audio"))
    set_for(Scope.BREAKER, "gpu", monitored_operations=["audio"])
    others = [operation(breaker="gpu", operation_type="text", outcome="error") for _ in range(9)]
    store(intake(), *others)
    assert state("gpu") == "closed"
    store(intake(), *[operation(breaker="gpu", operation_type="audio", outcome="error") for _ in range(5)])
    assert state("gpu") == "open"


def test_every_change_is_audited_with_before_and_after() -> None:
    fail(1)
    set_for(Scope.BREAKER, "t:m", max_failures=3)
    set_for(Scope.BREAKER, "t:m", max_failures=4)
    newest = AuditEntry.objects.order_by("-id").first()
    assert newest is not None
    assert (newest.actor, newest.action, newest.subject) == ("olga", "breaker.configure", "t:m")
    assert (newest.before, newest.after, newest.reason) == (
        {"max_failures": 3},
        {"max_failures": 4},
        "a test",
    )


def test_what_an_sdk_declares_lies_below_what_the_server_sets(client: Client, api_key: str) -> None:
    def send(times: int, **declared: Any) -> None:
        sent = [
            operation_json(operation_type="t", model="m", outcome="error", instance="i") for _ in range(times)
        ]
        body = batch(*sent, source={"instance": "i", "breaker": declared})
        assert post(client, api_key, body).json()["accepted"] == times

    send(7, max_failures=8)
    assert state() == "closed"
    set_for(Scope.DEFAULT, max_failures=9)
    send(1, max_failures=8)
    assert state() == "closed"
    set_for(Scope.DEFAULT)
    send(1, max_failures=30, minimum_calls=100)
    assert state() == "closed", "the newest declaration holds"
    assert Breaker.objects.get().config == {"max_failures": 30, "minimum_calls": 100}


def test_a_declaration_that_makes_no_sense_is_left_aside_and_no_operation_is_lost(
    client: Client, api_key: str
) -> None:
    body = batch(
        operation_json(instance="i"),
        source={"instance": "i", "breaker": {"max_failures": -1, "of_2031": True}},
    )
    assert post(client, api_key, body).json()["accepted"] == 1
    assert Breaker.objects.get().config == {}


@pytest.fixture
def put(client: Client, api_key: str) -> Put:
    def answer(path: str, config: Any, **body: Any) -> Any:
        body = {"config": config, "reason": "a test"} | body
        return client.put(f"/api/v1/{path}", body, "application/json", headers=bearer(api_key))

    return answer


def test_the_api_sets_each_layer_and_lists_them(put: Put, client: Client, api_key: str) -> None:
    fail(1)
    assert put("breakers/t:m", {"max_failures": 3}).json()["config"] == {"max_failures": 3}
    assert put("breaker-configurations/default", {"window_size": 50}).json()["scope"] == "default"
    assert put("breaker-configurations/operation-types/t", {"jitter": 0}).json()["name"] == "t"
    listed = client.get("/api/v1/breaker-configurations", headers=bearer(api_key)).json()
    assert listed["defaults"]["max_failures"] == 5
    assert {(each["scope"], each["name"]): each["values"] for each in listed["items"]} == {
        ("breaker", "t:m"): {"max_failures": 3},
        ("default", ""): {"window_size": 50},
        ("operation_type", "t"): {"jitter": 0},
    }
    assert AuditEntry.objects.first().actor == "key tests"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"max_failures": "three"}, "config.max_failures"),
        ({"failures": 3}, "config.failures"),
        ({"minimum_calls": 500}, "config.minimum_calls"),
    ],
)
def test_a_wrong_setting_is_a_422_that_names_it_with_the_reason(put: Put, config: Any, field: str) -> None:
    fail(1)
    answer = put("breakers/t:m", config)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not BreakerConfiguration.objects.exists()


def test_a_breaker_that_is_not_there_is_not_made_by_configuring_it(put: Put) -> None:
    assert put("breakers/typo", {"max_failures": 3}).status_code == 404
    assert not Breaker.objects.exists()
