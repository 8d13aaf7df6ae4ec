"""What ingestion refuses is on disk, with the reason, when the answer comes; valid operations are counted later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from featurememory.ingestion import transaction
from featurememory.models import Operation, ValidationRecord, ValidationTally
from featurememory.validation.passes import PASSES
from featurememory.validation.storage import KEPT_AN_HOUR, note_passes
from tests.operations import batch, operation_json, post
from tests.otel.spans import export_json, send, span_json

pytestmark = pytest.mark.django_db(transaction=True)
BAD = {"operation_type": "t", "model": "m", "outcome": "splendid"}


@pytest.fixture(autouse=True)
def _nothing_passed_yet() -> Iterator[None]:
    PASSES.drain()
    yield
    PASSES.drain()


def counted() -> dict[tuple[str, str, str], int]:
    rows = ValidationTally.objects.values_list("validator", "source", "code", "count")
    return {(validator, source, code): count for validator, source, code, count in rows}


def test_a_refused_operation_is_kept_beside_those_that_are_stored(client: Client, api_key: str) -> None:
    answer = post(client, api_key, batch(operation_json(), operation_json(**BAD)))
    assert answer.json()["accepted"] == 1
    assert set(answer.json()["rejected"][0]) == {"index", "id", "errors"}, "the answer is as it was"
    assert set(answer.json()["rejected"][0]["errors"][0]) == {"field", "code", "message"}
    kept = ValidationRecord.objects.get()
    assert (kept.validator, kept.source, kept.operation_type, kept.model) == (
        "operation",
        "key tests",
        "t",
        "m",
    )
    (error,) = kept.errors
    assert (error["field"], error["value"]) == ("outcome", '"splendid"')
    assert Operation.objects.count() == 1


def test_the_source_is_the_process_where_it_says_its_name(client: Client, api_key: str) -> None:
    post(client, api_key, batch(operation_json(**BAD), source={"instance": "gpu-7:1"}))
    post(client, api_key, batch(operation_json(**BAD, instance="gpu-8:1")))
    assert set(ValidationRecord.objects.values_list("source", flat=True)) == {"gpu-7:1", "gpu-8:1"}


def test_a_body_that_cannot_be_read_is_kept_as_a_whole(client: Client, api_key: str) -> None:
    assert post(client, api_key, b"{").status_code == 400
    assert post(client, api_key, b'{"operations": 7}').status_code == 422
    assert counted() == {
        ("operation", "key tests", "malformed_json"): 1,
        ("operation", "key tests", "missing"): 1,
    }


def test_who_may_not_send_is_no_validation(client: Client) -> None:
    assert post(client, "fm_wrong", b"{").status_code == 401
    assert not ValidationTally.objects.exists()


def test_valid_operations_are_counted_when_the_process_reports(client: Client, api_key: str) -> None:
    post(client, api_key, batch(operation_json(), operation_json(), source={"instance": "gpu-7:1"}))
    assert not ValidationTally.objects.exists()
    note_passes()
    assert counted() == {("operation", "gpu-7:1", ""): 2}
    sample = ValidationRecord.objects.get()
    assert (sample.is_valid, sample.operation_type) == (True, "text_to_audio")


def test_features_that_do_not_fit_their_space_are_failures_of_the_pattern_validator(
    client: Client, api_key: str
) -> None:
    fit = operation_json(features=[1.0, 2.0], space="s", instance="gpu-7:1")
    short = operation_json(features=[1.0], space="s", instance="gpu-7:1")
    zero = operation_json(features=[0.0, 0.0], space="s")
    assert post(client, api_key, batch(fit, short, zero)).json()["accepted"] == 3
    assert counted() == {("pattern", "gpu-7:1", "dimension"): 1, ("pattern", "key tests", "zero"): 1}
    kept = ValidationRecord.objects.get(code="dimension")
    assert (kept.space, kept.metadata) == ("s", {"operation": short["id"]})
    assert "its feature space has 2" in kept.errors[0]["message"]
    note_passes()
    assert counted()["pattern", "gpu-7:1", ""] == 1
    post(client, api_key, batch(short))
    assert counted()["pattern", "gpu-7:1", "dimension"] == 1, "the same operation fails once"


def test_what_an_sdk_did_not_let_run_is_a_failure_of_its_process(client: Client, api_key: str) -> None:
    error = {"field": "features[1]", "code": "finite", "message": "is nan: give a finite number"}
    refused = {"outcome": "rejected", "error_type": "ValidationError", "instance": "gpu-7:1"}
    told = operation_json(**refused, attributes={"validation_errors": [error, 7]})
    untold = operation_json(**refused, error_message="no")
    other = operation_json(outcome="rejected", error_type="CircuitBreakerError")
    for _ in range(2):
        post(client, api_key, batch(told, untold, other))
    assert counted() == {
        ("operation", "gpu-7:1", "finite"): 1,
        ("operation", "gpu-7:1", "refused_by_caller"): 1,
    }
    kept = ValidationRecord.objects.get(code="finite")
    assert kept.errors == [error | {"severity": "error", "value": ""}]
    thought_up = [error | {"code": f"mine {n}"} for n in range(3)]
    for each in thought_up:
        post(client, api_key, batch(operation_json(**refused, attributes={"validation_errors": [each]})))
    assert counted()["operation", "gpu-7:1", "refused_by_caller"] == 4, "callers make up no codes"


def test_a_failed_transaction_keeps_no_refusal(
    client: Client, api_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(transaction, "record_failures", failing)
    answer = post(client, api_key, batch(operation_json(), operation_json(**BAD)))
    assert answer.status_code == 503
    assert not ValidationRecord.objects.exists()
    assert not Operation.objects.exists()


def test_a_flood_stays_bounded_and_is_counted_to_the_last(client: Client, api_key: str) -> None:
    bad = batch(*[{"outcome": "splendid"}] * 1_000)
    for _ in range(3):
        assert post(client, api_key, bad).status_code == 422
    assert ValidationRecord.objects.count() == KEPT_AN_HOUR
    assert sum(counted().values()) == 3_000


def test_refused_spans_are_kept_too(api_key: str) -> None:
    bad = span_json(endTimeUnixNano="1")
    assert send(api_key, export_json(span_json(), bad, 7)).status_code == 200
    assert counted() == {("operation", "tests", "time_order"): 1, ("operation", "tests", "unreadable"): 1}
    assert ValidationRecord.objects.get(code="time_order").operation_type == "chat"
    assert Operation.objects.count() == 1
    assert send(api_key, export_json(bad, instance="")).status_code == 200
    assert counted()["operation", "key tests", "time_order"] == 1, "without an instance it is the key's"
    note_passes()
    assert counted()["operation", "tests", ""] == 1
