"""A span is not lost for what is too large or odd in it: the rest is kept, and what is missing is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from featurememory.models import Operation
from tests.otel.spans import attributes_json, export_json, export_protobuf, send, span_json

pytestmark = pytest.mark.django_db(transaction=True)
OMITTED = "feature_memory.omitted"


def stored(key: str, *spans: dict[str, Any], **resource: str) -> Operation:
    """What became of the one operation among the spans."""
    answer = send(key, export_json(*spans, **resource))
    assert (answer.status_code, json.loads(answer.content)) == (200, {})
    return Operation.objects.get()


def test_a_span_of_ordinary_size_is_kept_whole_and_says_nothing_is_missing(api_key: str) -> None:
    given = {"server.address": "localhost", "gen_ai.usage.input_tokens": "12", "tags": ["a", "b"]}
    operation = stored(api_key, span_json(given))
    assert operation.attributes == {"gen_ai.operation.name": "chat"} | given
    assert operation.instance == "tests"


def test_attributes_that_are_too_large_are_left_out_the_largest_first(api_key: str) -> None:
    operation = stored(api_key, span_json({"large": "x" * 20_000, "half": "y" * 9_000, "small": "z"}))
    assert operation.attributes["half"] == "y" * 9_000
    assert operation.attributes["small"] == "z"
    assert operation.attributes[OMITTED] == ["large"]


def test_thousands_of_attributes_are_counted_after_the_first_ten_names(api_key: str) -> None:
    operation = stored(api_key, span_json({f"number-{n:04}-" + "n" * 90: n for n in range(3_000)}))
    *names, rest = operation.attributes[OMITTED]
    assert len(names) == 10
    assert all(len(name) == 60 for name in names)
    kept = len([name for name in operation.attributes if name.startswith("number")])
    assert kept > 90
    assert rest == f"and {3_000 - kept - 10} more"


@pytest.mark.parametrize(
    ("name", "value"),
    [("not a number", float("nan")), ("infinite", float("inf")), ("nul", "a\0b"), ("nul\0name", "a")],
)
def test_what_no_database_keeps_is_left_out(api_key: str, name: str, value: Any) -> None:
    spelled = {"doubleValue": json.dumps(value)} if isinstance(value, float) else {"stringValue": value}
    span = span_json({"kept": "yes"})
    span["attributes"].append({"key": name, "value": spelled})
    operation = stored(api_key, span)
    assert operation.attributes["kept"] == "yes"
    assert operation.attributes[OMITTED] == [name.replace("\0", "")]


def test_parameters_that_are_too_large_are_left_out_one_by_one(api_key: str) -> None:
    given = {"feature_memory.parameter.prompt": "x" * 20_000, "feature_memory.parameter.steps": 50}
    operation = stored(api_key, span_json(given))
    assert operation.parameters == {"steps": 50}
    assert operation.attributes[OMITTED] == ["prompt"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("two\nlines", "two lines"),
        ("\ttabs\t\r\n ", "tabs"),
        ("nul\0", "nul"),
        ("x" * 200, "x" * 200),
        ("", ""),
    ],
)
def test_an_error_type_becomes_one_line(api_key: str, given: str, kept: str) -> None:
    operation = stored(api_key, span_json({"kept": "yes", "error.type": given}))
    assert operation.error_type == kept
    assert operation.attributes["kept"] == "yes"


def test_a_long_error_type_is_shortened_and_said_to_be(api_key: str) -> None:
    operation = stored(api_key, span_json({"error.type": "TimeoutError: " + "x" * 300}))
    assert operation.error_type == ("TimeoutError: " + "x" * 300)[:200]
    assert operation.outcome == "timeout"
    assert operation.attributes[OMITTED] == ["error.type (shortened)"]


def test_a_long_instance_is_shortened_and_said_to_be(api_key: str) -> None:
    operation = stored(api_key, span_json(), instance="pod\n" + "x" * 300)
    assert operation.instance == ("pod " + "x" * 300)[:200]
    assert operation.attributes[OMITTED] == ["service.instance.id (shortened)"]


@pytest.mark.parametrize(
    ("value", "score"), [(0.25, 0.25), (1, 1.0), (4.5, None), (-1.0, None), ("good", None)]
)
def test_an_evaluation_on_another_scale_than_ours_is_no_score(
    api_key: str, value: Any, score: float | None
) -> None:
    event = {
        "name": "gen_ai.evaluation.result",
        "attributes": attributes_json({"gen_ai.evaluation.score.value": value}),
    }
    operation = stored(api_key, span_json(events=[event]))
    assert operation.score == score
    named = operation.attributes.get(OMITTED)
    assert named == (None if score is not None else ["gen_ai.evaluation.score.value"])


def test_a_huge_span_in_protobuf_is_kept_without_its_huge_parts(api_key: str) -> None:
    event = {"name": "e" * 100_000}
    span = span_json({"song": "x" * 3_000_000, "kept": "yes"}, events=[event])
    answer = send(api_key, export_protobuf(span))
    assert (answer.status_code, answer.content) == (200, b"")
    operation = Operation.objects.get()
    assert operation.attributes["kept"] == "yes"
    assert operation.attributes[OMITTED] == ["song", "events"]


def test_half_a_character_in_json_does_not_lose_the_export(api_key: str) -> None:
    answer = send(api_key, export_json(span_json({"text": "cut \ud83d"}), span_json({"text": "whole"})))
    assert json.loads(answer.content) == {}
    assert {each.attributes["text"] for each in Operation.objects.all()} == {"cut ?", "whole"}
