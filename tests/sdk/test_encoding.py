"""Whatever a caller hands over becomes an operation that the server takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import time_ns
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory import OperationContext
from featurememory.ingestion.operations import Operation, decode_batch
from featurememory.sdk.encoding import Finished, encode

ANY_TEXT = st.text(st.characters(), max_size=300)
ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | ANY_TEXT
    | st.binary(max_size=5)
    | st.decimals()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(ANY_TEXT | st.integers() | st.tuples(st.integers()), inner, max_size=4)
    ),
    max_leaves=12,
)
ANY_MAPPING = st.dictionaries(ANY_TEXT, ANY_VALUE, max_size=4)


def finished(context: OperationContext, **fields: Any) -> Finished:
    values = {"started_ns": time_ns(), "randomness": 1, "duration_s": 0.5, "outcome": "success"}
    return Finished(context=context, **(values | fields))


def as_server_reads(each: Finished) -> Operation:
    body = f'{{"operations":[{encode(each, "host:1:x")}]}}'.encode("utf-8", "replace")
    decoded = decode_batch(body, datetime.now(UTC), timedelta(days=1))
    assert not decoded.rejected, decoded.rejected
    return decoded.operations[0]


@given(
    operation_type=ANY_TEXT,
    model=ANY_TEXT,
    parameters=ANY_MAPPING,
    attributes=ANY_MAPPING,
    features=st.none() | st.lists(st.floats() | st.integers(), max_size=5),
    trace_id=ANY_TEXT | st.just("0AF7651916CD43DD8448EB211C80319C"),
    error=st.none() | st.tuples(ANY_TEXT, ANY_TEXT),
    duration_s=st.floats(-1, 1e9),
)
def test_nothing_a_caller_hands_over_is_refused(
    operation_type: str,
    model: str,
    parameters: dict[str, Any],
    attributes: dict[str, Any],
    features: list[float] | None,
    trace_id: str,
    error: tuple[str, str] | None,
    duration_s: float,
) -> None:
    context = OperationContext(
        operation_type,
        model=model,
        parameters=parameters,
        attributes=attributes,
        features=features,
        trace_id=trace_id,
    )
    read = as_server_reads(finished(context, error=error, duration_s=duration_s))
    assert read.operation_type


def test_what_the_server_reads_is_what_was_said() -> None:
    context = OperationContext(
        "transcription",
        model="whisper",
        parameters={"beam": 5, "prompt": "größer"},
        attributes={"clip": None},
        features=[0.5, 1],
        space="wav2vec2-768",
        breaker="gpu-0",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
    )
    each = finished(context, score=0.25, outcome="error", error=("ValueError", "too short"))
    read = as_server_reads(each)
    assert read.id == UUID(each.id)
    assert read.started_at == datetime.fromtimestamp(each.started_ns // 1_000 / 1e6, UTC)
    assert (read.operation_type, read.model, read.breaker) == ("transcription", "whisper", "gpu-0")
    assert json.loads(read.parameters) == {"beam": 5, "prompt": "größer"}
    assert (read.error_type, read.error_message, read.score) == ("ValueError", "too short", 0.25)
    assert (read.duration_ms, read.outcome, read.instance) == (500, "error", "host:1:x")
    assert (read.trace_id, read.span_id) == (context.trace_id, context.span_id)


def test_what_is_empty_is_left_out() -> None:
    assert json.loads(encode(finished(OperationContext("a")), "i")).keys() == {
        "id", "operation_type", "started_at", "duration_ms", "outcome", "instance",
    }  # fmt: skip


class Opaque:
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


def circle() -> list[Any]:
    values: list[Any] = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Decimal("1.5"), "1.5"),
        (float("nan"), "nan"),
        ({(1, 2): {3}}, {"(1, 2)": [3]}),
        (b"x", "b'x'"),
        ("a\0b", "ab"),
        (2**64, str(2**64)),
        (Opaque(), "<Opaque>"),
    ],
)
def test_values_that_json_lacks_are_kept_as_text(value: object, kept: object) -> None:
    read = as_server_reads(finished(OperationContext("a", parameters={"value": value})))
    assert json.loads(read.parameters) == {"value": kept}


def test_a_number_too_long_for_text_is_named_by_its_type() -> None:
    read = as_server_reads(finished(OperationContext("a", parameters={"value": 10**5_000})))
    assert json.loads(read.parameters) == {"value": "<int>"}


def test_a_circle_ends_somewhere() -> None:
    as_server_reads(finished(OperationContext("a", parameters={"value": circle()})))


def test_parameters_beyond_the_limit_are_replaced_by_a_note() -> None:
    read = as_server_reads(finished(OperationContext("a", parameters={"prompt": "x" * 20_000})))
    assert "more than the 16384" in json.loads(read.parameters)["omitted"]


def test_a_message_keeps_its_first_2000_characters() -> None:
    read = as_server_reads(finished(OperationContext("a"), error=("E", "x" * 3_000)))
    assert read.error_message == "x" * 2_000


class Counting:
    """Counts how often its text is asked for."""

    asked = 0

    def __str__(self) -> str:
        Counting.asked += 1
        return "x"


@pytest.mark.parametrize(
    "value",
    [
        [Counting()] * 20_000,
        [[Counting()] * 100] * 1_000,
        {n: Counting() for n in range(20_000)},
        b"x" * 20_000,
    ],
    ids=["samples", "samples in rows", "mapping", "bytes"],
)
def test_what_is_far_too_large_is_not_even_encoded(value: object) -> None:
    Counting.asked = 0
    read = as_server_reads(finished(OperationContext("a", parameters={"samples": value})))
    assert "more than the 16384" in json.loads(read.parameters)["omitted"]
    assert Counting.asked == 0


@given(ANY_MAPPING)
def test_the_least_size_is_never_too_large(mapping: dict[str, Any]) -> None:
    text = encode(finished(OperationContext("a", parameters=mapping)), "i")
    assert "omitted" not in json.loads(text).get("parameters", {}) or len(text) > 16_384


def test_a_mapping_that_changes_meanwhile_costs_no_more_than_itself() -> None:
    class Changing(dict[str, Any]):
        def values(self) -> Any:
            raise RuntimeError("dictionary changed size during iteration")

        items = values

    read = as_server_reads(finished(OperationContext("a", parameters={"state": Changing(a=1)})))
    assert "omitted" in json.loads(read.parameters)


def test_a_vector_with_too_many_dimensions_is_left_out() -> None:
    assert not as_server_reads(finished(OperationContext("a", features=[0.5] * 20_000))).features
