"""Each operation is judged by itself, whatever stands beside it, and what is wrong is named with its limit."""

from __future__ import annotations

import contextlib
import json
from array import array
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.ingestion.operations import (
    MAX_AHEAD,
    MAX_DIMENSIONS,
    MAX_OBJECT_BYTES,
    MAX_OPERATIONS,
    Decoded,
    MalformedBatch,
    decode_batch,
)
from tests.operations import batch, operation_json

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MAX_AGE = timedelta(days=30)


def sample(**changes: Any) -> dict[str, Any]:
    return operation_json(started_at=NOW.isoformat()) | changes


def decode(body: bytes) -> Decoded:
    return decode_batch(body, NOW, MAX_AGE)


def refusal(**changes: Any) -> tuple[str, str, str]:
    """(field, code, message) of the one error that an operation with these values has."""
    decoded = decode(batch(sample(**changes), sample()))
    assert len(decoded.operations) == 1, "the good one goes on"
    (rejected,) = decoded.rejected
    (error,) = rejected.errors
    return error.field, error.code, error.message


any_text = st.text(st.characters(categories=["L", "N", "P", "Cs", "Cc", "Zs"]), max_size=8)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
hex_digits = st.text("0123456789abcdef", min_size=32, max_size=32)
moments = st.datetimes(datetime(2026, 4, 1), datetime(2026, 6, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    datetime.isoformat
)
sound: dict[str, st.SearchStrategy[Any]] = {
    "id": st.uuids().map(str),
    "operation_type": st.sampled_from(["a", " b ", "x" * 200]),
    "started_at": moments,
    "duration_ms": st.floats(0, 1_000) | st.integers(0, 9),
    "outcome": st.sampled_from(["success", "error", "timeout", "cancelled", "rejected"]),
}
sound_options: dict[str, st.SearchStrategy[Any]] = {
    "model": st.just("m"),
    "parameters": st.dictionaries(
        st.text("abc", max_size=3), st.integers() | st.none() | st.floats(), max_size=2
    ),
    "attributes": st.dictionaries(any_text, any_json, max_size=2),
    "score": st.none() | st.floats(-1, 2),
    "features": st.none() | st.lists(st.floats(), max_size=4),
    "trace_id": hex_digits,
    "error_message": any_text,
    "recommendation": st.none() | st.uuids().map(str),
}
sound_operations = st.fixed_dictionaries(sound, optional=sound_options)
damaged_operations = st.builds(
    lambda good, field, junk: good | {field: junk},
    sound_operations,
    st.sampled_from([*sound, *sound_options, "colour"]),
    any_json,
)
any_item = sound_operations | damaged_operations | any_json


@given(st.lists(any_item, max_size=5))
def test_an_operation_is_judged_the_same_alone_and_in_any_company(items: list[Any]) -> None:
    """A batch without faults is decoded straight from its bytes, one with faults is taken apart: both agree."""
    together = decode(batch(*items, "fault"))
    stored = iter(together.operations)
    refused = {rejected.index: rejected for rejected in together.rejected}
    assert refused.pop(len(items)).errors
    assert len(together.operations) + len(refused) == len(items)
    for index, item in enumerate(items):
        alone = decode(batch(item))
        if index in refused:
            assert not alone.operations
            assert alone.rejected[0].errors == refused[index].errors
        else:
            assert alone.operations == [next(stored)]


@given(st.lists(sound_operations | damaged_operations, max_size=4))
def test_what_is_accepted_can_be_kept_by_every_database(items: list[Any]) -> None:
    for accepted in decode(batch(*items, None)).operations:
        texts = [value for value in accepted.__dict__.values() if isinstance(value, str)]
        assert not any("\0" in text for text in texts)
        "".join(texts).encode()
        for name in ("parameters", "attributes"):
            kept = json.loads(getattr(accepted, name), parse_constant=pytest.fail)
            assert "\\u0000" not in json.dumps(kept).replace("\\\\", "")
        assert accepted.started_at.tzinfo is UTC


@given(st.binary(max_size=60) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_decoded_or_refused_as_a_whole(body: bytes) -> None:
    with contextlib.suppress(MalformedBatch):
        decode(body)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"operation_type": "\ud800"}, "operation_type", "unicode"),
        ({"error_message": "a\udfff"}, "error_message", "unicode"),
        ({"parameters": {"a": ["\ud800"]}}, "parameters", "surrogates"),
        ({"attributes": {"\ud800": 1}}, "attributes", "surrogates"),
        ({"parameters": {"a": 2**64}}, "parameters", "64-bit"),
        ({"parameters": {"a": -(2**63) - 1}}, "parameters", "64-bit"),
        ({"duration_ms": 10**400}, "duration_ms", "number"),
        ({"duration_ms": 7 * 24 * 3_600_000.0 + 1}, "duration_ms", "604800000"),
        ({"started_at": "0001-01-01T00:00:00+12:00"}, "started_at", "9999"),
        ({"started_at": "9999-12-31T23:59:59-12:00"}, "started_at", "9999"),
        ({"started_at": None}, "started_at", "datetime"),
        ({"outcome": None}, "outcome", "success"),
        ({"space": "x" * 201}, "space", "200"),
        ({"instance": "tab\there"}, "instance", "pattern"),
        ({"span_id": "0" * 15}, "span_id", "pattern"),
        ({"recommendation": "x"}, "recommendation", "UUID"),
        ({"features": [1.0, None]}, "features.1", "number"),
        ({"features": [0.0, float("nan")]}, "features.1", "finite"),
        ({"breaker": "x" * 500}, "breaker", "200"),
    ],
)
def test_a_fault_is_named_with_its_field_and_limit(changes: dict[str, Any], field: str, said: str) -> None:
    found, _, message = refusal(**changes)
    assert found.startswith(field)
    assert said in message


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize("depth", [300, 500])
def test_nesting_too_deep_to_keep_is_refused_by_name(depth: int) -> None:
    field, code, _ = refusal(attributes=nested(depth))
    assert (field, code) == ("attributes", "json_object")


def test_nesting_that_no_parser_follows_is_refused_as_a_whole() -> None:
    body = b'{"operations": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(MalformedBatch) as refused:
        decode(body)
    assert refused.value.errors[0].field == "body"


@pytest.mark.parametrize("depth", [1, 50, 150])
def test_ordinary_nesting_is_kept(depth: int) -> None:
    (kept,) = decode(batch(sample(attributes=nested(depth)))).operations
    assert json.loads(kept.attributes) == nested(depth)


@pytest.mark.parametrize(
    ("ahead", "accepted"),
    [
        (MAX_AHEAD, True),
        (MAX_AHEAD + timedelta(microseconds=1), False),
        (-MAX_AGE, True),
        (-MAX_AGE - timedelta(microseconds=1), False),
    ],
)
def test_the_times_that_are_taken_in_have_exact_ends(ahead: timedelta, accepted: bool) -> None:
    decoded = decode(batch(sample(started_at=(NOW + ahead).isoformat())))
    assert bool(decoded.operations) is accepted
    for rejected in decoded.rejected:
        assert rejected.errors[0].field == "started_at"


def test_times_of_any_offset_are_kept_in_utc() -> None:
    (kept,) = decode(batch(sample(started_at="2026-05-04T17:30:00.123456+05:30"))).operations
    assert kept.started_at == datetime(2026, 5, 4, 12, 0, 0, 123456, UTC)
    assert kept.started_at.tzinfo is UTC


@pytest.mark.parametrize("excess", [0, 1])
def test_the_limit_of_an_object_is_in_bytes_of_its_json(excess: int) -> None:
    text = "é" * ((MAX_OBJECT_BYTES - len(b'{"a":""}')) // 2)
    decoded = decode(batch(sample(parameters={"a": text + "x" * excess})))
    assert len(decoded.operations) == 1 - excess


def test_a_backslash_before_u0000_is_no_nul_character() -> None:
    (kept,) = decode(batch(sample(parameters={"path": r"C:\u0000"}))).operations
    assert json.loads(kept.parameters) == {"path": r"C:\u0000"}


def test_null_and_the_word_nan_are_no_numbers_that_are_not_finite() -> None:
    decoded = decode(batch(sample(parameters={"a": None, "NaN": "Infinity"}, error_message="NaN")))
    assert len(decoded.operations) == 1


def test_features_become_little_endian_float32() -> None:
    values = [0.1, -2.5, 3e38, 1e-40]
    (kept,) = decode(batch(sample(features=values))).operations
    assert kept.features == array("f", values).tobytes()


@pytest.mark.parametrize(("dimensions", "accepted"), [(MAX_DIMENSIONS, True), (MAX_DIMENSIONS + 1, False)])
def test_the_limit_of_dimensions_is_exact(dimensions: int, accepted: bool) -> None:
    assert bool(decode(batch(sample(features=[0.5] * dimensions))).operations) is accepted


@pytest.mark.parametrize(("count", "accepted"), [(MAX_OPERATIONS, True), (MAX_OPERATIONS + 1, False)])
def test_the_limit_of_operations_in_a_batch_is_exact(count: int, accepted: bool) -> None:
    body = batch(*[sample() for _ in range(count)])
    if accepted:
        assert len(decode(body).operations) == count
    else:
        with pytest.raises(MalformedBatch, match="holds 1001 operations; send at most 1000"):
            decode(body)


def test_a_refused_operation_is_named_by_index_and_id() -> None:
    identity = str(uuid4())
    decoded = decode(
        batch(sample(), sample(id=identity, outcome="fine"), sample(id=5), 7, sample(id="x" * 300))
    )
    named = [(rejected.index, rejected.id) for rejected in decoded.rejected]
    assert named == [(1, identity), (2, None), (3, None), (4, "x" * 100)]


def test_at_most_ten_faults_of_an_operation_are_told() -> None:
    (rejected,) = decode(batch({f"unknown{n}": n for n in range(50)})).rejected
    assert len(rejected.errors) == 10


def test_huge_strings_are_not_sent_back() -> None:
    huge = "y" * 1_000_000
    (rejected,) = decode(batch(sample(id=huge, outcome=huge, started_at=huge, **{huge: 1}))).rejected
    assert len(rejected.model_dump_json()) < 10_000


def test_what_is_said_back_can_always_be_written() -> None:
    answered = decode(batch(sample(id="\ud800", **{"\udfff": 1}), sample(parameters={"\ud800": 1}))).rejected
    assert [rejected.model_dump_json() for rejected in answered]
    with pytest.raises(MalformedBatch) as refused:
        decode(batch(**{"\ud800": 1}))
    assert refused.value.errors[0].model_dump_json()


def test_a_batch_with_only_its_sender_is_good() -> None:
    decoded = decode(batch(source={"instance": "i", "sdk": "python", "dropped": 3}))
    assert decoded.sender is not None
    assert (decoded.operations, decoded.sender.dropped) == ([], 3)


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"instance": "i", "dropped": -1}, "source.dropped"),
        ({"instance": "i", "dropped": 2**63}, "source.dropped"),
        ({"instance": "i", "colour": 1}, "source.colour"),
        ({"instance": "\ud800"}, "source.instance"),
        (7, "source"),
    ],
)
def test_a_source_that_cannot_be_read_refuses_the_batch_by_field(source: Any, field: str) -> None:
    with pytest.raises(MalformedBatch) as refused:
        decode(batch(sample(), source=source))
    assert refused.value.readable
    assert refused.value.errors[0].field.startswith(field)
