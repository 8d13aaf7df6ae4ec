"""Bodies are unpacked within their limit, or refused for what is wrong with them."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from featurememory.ingestion import receive
from featurememory.ingestion.bodies import (
    BodyTooLarge,
    TooManyValues,
    UnusableEncoding,
    check_density,
    decoded_body,
    plain_size,
)
from featurememory.ingestion.transaction import Submission
from featurememory.models import Source
from tests.operations import batch, operation, operation_json, post

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


@pytest.mark.parametrize("announced", [2**28, 2**32 - 1, 100, 0])
def test_a_gzip_bomb_takes_no_more_memory_than_the_limit_allows_whatever_it_announces(announced: int) -> None:
    limit, bomb = 2**20, gzip.compress(bytes(256 * 2**20), compresslevel=1)
    bomb = bomb[: limit - 4] + announced.to_bytes(4, "little")
    tracemalloc.start()
    try:
        with pytest.raises((BodyTooLarge, UnusableEncoding)):
            decoded_body(bomb, "gzip", limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < min(8 * limit, len(bomb) + 8 * announced + 2**16)


@given(st.binary(max_size=LIMIT))
def test_a_zipped_body_says_how_large_it_is(plain: bytes) -> None:
    assert plain_size(gzip.compress(plain), " GZIP") == plain_size(plain, "") == len(plain)


@pytest.mark.parametrize(
    "item",
    [b"{}", b"[]", b'{"":1}', b'"",""', b"0,0"],
    ids=["objects", "lists", "members", "texts", "numbers"],
)
def test_json_that_would_take_many_times_its_size_in_memory_is_refused(item: bytes) -> None:
    limit = 2**20
    dense = b"[" + b",".join([item] * (limit // (len(item) + 1) - 1)) + b"]"
    assert len(dense) <= limit
    with pytest.raises(TooManyValues):
        check_density(dense, limit)
    check_density(dense[: limit // 8 - 1], limit)


def test_a_full_batch_with_wide_vectors_and_long_texts_is_not_too_dense() -> None:
    wide = operation_json(features=[n / 7 for n in range(768)], parameters={str(n): n for n in range(50)})
    body = batch(*[wide] * 1_000)
    check_density(body, 16 * 2**20)
    assert len(body) > 16 * 2**20 // 2


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


@pytest.mark.django_db(transaction=True)
def test_a_body_with_too_many_values_is_a_413_that_says_it(
    client: Client, api_key: str, settings: Any
) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, max_body_bytes=100_000)
    answer = post(client, api_key, b'{"operations": [' + b"{}," * 30_000 + b"{}]}")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "too many values" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_a_batch_with_nothing_in_it_is_not_handed_to_the_writer(client: Client, api_key: str) -> None:
    receive.intake().writer.stop()
    assert post(client, api_key, batch()).json() == {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.mark.django_db(transaction=True)
def test_a_batch_with_only_its_sender_is_noted(client: Client, api_key: str) -> None:
    answer = post(client, api_key, batch(source={"instance": "i", "dropped": 4}))
    assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": []}
    assert Source.objects.get(instance="i").dropped == 4


def test_there_is_one_intake_until_it_is_closed(transactional_db: None) -> None:
    assert receive.open_intake() is None
    first = receive.intake()
    assert receive.intake() is first is receive.open_intake()
    waiting = first.writer.submit(Submission([operation()]))
    assert receive.close_intake(30)
    assert waiting.done(), "what was accepted is stored before the end"
    assert receive.open_intake() is None
    assert receive.intake() is not first
