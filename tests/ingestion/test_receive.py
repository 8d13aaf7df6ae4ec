"""Bodies are unpacked within their limit, or refused for what is wrong with them."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from featurememory.ingestion import receive
from featurememory.ingestion.bodies import BodyTooLarge, UnusableEncoding, decoded_body
from featurememory.models import Source
from tests.operations import batch, operation_json, post

LIMIT = 1_000


@given(st.binary(max_size=LIMIT), st.integers(0, 9))
def test_whatever_was_zipped_comes_out_again(plain: bytes, level: int) -> None:
    assert decoded_body(gzip.compress(plain, level), "gzip", LIMIT * 2) == plain
    assert decoded_body(plain, "", LIMIT) == decoded_body(plain, "identity", LIMIT) == plain


@pytest.mark.parametrize("encoding", ["GZIP", " gzip ", "Gzip"])
def test_the_name_of_an_encoding_is_read_in_any_case(encoding: str) -> None:
    assert decoded_body(gzip.compress(b"{}"), encoding, LIMIT) == b"{}"


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 10_000])
def test_an_unknown_encoding_is_named_briefly(encoding: str) -> None:
    with pytest.raises(UnusableEncoding, match="is not understood; use gzip or none") as refused:
        decoded_body(b"{}", encoding, LIMIT)
    assert len(str(refused.value)) < 200


@given(st.binary(min_size=1, max_size=200), st.data())
def test_gzip_that_is_cut_anywhere_is_refused(plain: bytes, data: st.DataObject) -> None:
    whole = gzip.compress(plain)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UnusableEncoding):
        decoded_body(whole[:cut], "gzip", LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b"plain",
        zlib.compress(b"{}"),
        gzip.compress(b"{}") + gzip.compress(b"{}"),
        gzip.compress(b"{}") + b"more",
        gzip.compress(b"{}")[:-8] + bytes(8),
    ],
    ids=["no gzip", "zlib", "two members", "trailing bytes", "wrong checksum"],
)
def test_what_is_not_one_whole_gzip_member_is_refused(body: bytes) -> None:
    with pytest.raises(UnusableEncoding):
        decoded_body(body, "gzip", LIMIT)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("excess", [0, 1])
def test_the_limit_of_a_body_is_exact(zipped: bool, excess: int) -> None:
    plain = b"x" * (LIMIT + excess)
    body, encoding = (gzip.compress(plain), "gzip") if zipped else (plain, "")
    if excess:
        with pytest.raises(BodyTooLarge, match="1,000 bytes"):
            decoded_body(body, encoding, LIMIT)
    else:
        assert decoded_body(body, encoding, LIMIT) == plain


def test_a_gzip_bomb_takes_no_more_memory_than_the_limit_allows() -> None:
    limit, bomb = 2**20, gzip.compress(bytes(256 * 2**20), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decoded_body(bomb[: limit - 1], "gzip", limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * limit


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_beyond_the_limit_is_a_413_that_says_it(
    client: Client, api_key: str, settings: Any, encoding: str
) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, max_body_bytes=10_000)
    body = batch(*[operation_json() for _ in range(100)])
    answer = post(
        client, api_key, gzip.compress(body) if encoding else body, **{"Content-Encoding": encoding}
    )
    assert answer.status_code == 413
    assert "10,000 bytes" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_an_unknown_encoding_is_a_400_problem(client: Client, api_key: str) -> None:
    answer = post(client, api_key, b"{}", **{"Content-Encoding": "br"})
    assert (answer.status_code, answer.json()["code"]) == (400, "encoding")
    assert answer["Content-Type"] == "application/problem+json"


def test_a_batch_with_nothing_in_it_is_not_handed_to_the_writer(transactional_db: None) -> None:
    received = receive.intake().receive_operations(batch())
    assert received.future is None
    assert received.answer(None).model_dump() == {"accepted": 0, "duplicates": 0, "rejected": []}


def test_a_batch_with_only_its_sender_is_noted(transactional_db: None) -> None:
    received = receive.intake().receive_operations(batch(source={"instance": "i", "dropped": 4}))
    assert received.future is not None
    assert received.future.result(30).accepted == 0
    assert Source.objects.get(instance="i").dropped == 4


def test_there_is_one_intake_until_it_is_closed(transactional_db: None) -> None:
    assert receive.open_intake() is None
    first = receive.intake()
    assert receive.intake() is first is receive.open_intake()
    waiting = first.receive_operations(batch(operation_json(started_at=datetime.now(UTC).isoformat())))
    assert receive.close_intake(30)
    assert waiting.future is not None
    assert waiting.future.done(), "what was accepted is stored before the end"
    assert receive.open_intake() is None
    assert receive.intake() is not first
