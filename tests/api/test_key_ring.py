"""Keys are looked up once in a while, and strangers can neither fill the memory nor push good keys out of it."""

from __future__ import annotations

import tracemalloc

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.access import MAX_HEADER, TRUSTED_FOR_S, KeyRing
from featurememory.models import ApiKey

MEGABYTE = 2**20


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(clock: Clock, db: None) -> KeyRing:
    return KeyRing(clock)


def queries_of(ring: KeyRing, *headers: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        for header in headers:
            ring.caller(header)
    return len(captured)


def test_a_key_is_asked_for_once_in_two_seconds(ring: KeyRing, clock: Clock, api_key: str) -> None:
    header = f"Bearer {api_key}"
    assert queries_of(ring, header, header, f"bearer  {api_key} ") == 1
    clock.now += TRUSTED_FOR_S
    assert queries_of(ring, header) == 1


def test_a_wrong_key_is_asked_for_once_in_two_seconds(ring: KeyRing, clock: Clock) -> None:
    assert queries_of(ring, "Bearer fm_wrong", "Bearer fm_wrong") == 1
    clock.now += TRUSTED_FOR_S
    assert queries_of(ring, "Bearer fm_wrong") == 1


def test_a_revoked_key_is_nobodys_after_two_seconds(ring: KeyRing, clock: Clock, api_key: str) -> None:
    header = f"Bearer {api_key}"
    assert ring.caller(header) is not None
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    clock.now += TRUSTED_FOR_S
    assert ring.caller(header) is None
    assert ring.remembered(header) == (True, None)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic Zm06eA==", "fm_x"])
def test_a_header_without_a_key_does_not_trouble_the_database(ring: KeyRing, header: str) -> None:
    assert queries_of(ring, header) == 0
    assert ring.caller(header) is None
    assert ring.remembered(header) == (True, None)


def test_a_header_that_is_too_long_is_refused_unseen(ring: KeyRing) -> None:
    assert queries_of(ring, "Bearer ".ljust(MAX_HEADER + 1, "x")) == 0
    assert queries_of(ring, "Bearer ".ljust(MAX_HEADER, "x")) == 1


def test_nothing_is_kept_of_long_headers(ring: KeyRing) -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            ring.caller(f"Bearer {number}" + "x" * MEGABYTE)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < MEGABYTE


def test_a_flood_of_wrong_keys_pushes_no_good_key_out(ring: KeyRing, api_key: str) -> None:
    ring.caller(f"Bearer {api_key}")
    for number in range(1_500):
        ring.caller(f"Bearer fm_wrong-{number}")
    assert queries_of(ring, f"Bearer {api_key}") == 0


def test_what_is_known_of_wrong_keys_is_bounded_and_the_latest_stay_known(ring: KeyRing) -> None:
    headers = [f"Bearer fm_wrong-{number}" for number in range(1_500)]
    tracemalloc.start()
    try:
        for header in headers:
            ring.caller(header)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < MEGABYTE
    assert ring.remembered(headers[-1]) == (True, None)
    assert ring.remembered(headers[0]) == (False, None)


def test_what_has_expired_leaves_with_the_next_key(ring: KeyRing, clock: Clock) -> None:
    for number in range(500):
        ring.caller(f"Bearer fm_wrong-{number}")
    clock.now += TRUSTED_FOR_S
    ring.caller("Bearer fm_another")
    clock.now -= TRUSTED_FOR_S  # only to see what is still there
    assert ring.remembered("Bearer fm_wrong-0") == (False, None)


def test_a_long_header_is_a_401(client: Client, db: None, api_key: str) -> None:
    headers = {"Authorization": f"Bearer {api_key}" + " " * MAX_HEADER}
    assert client.get("/api/v1/operations", headers=headers).status_code == 401
