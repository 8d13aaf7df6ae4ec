"""While a large body is decoded the event loop goes on: streams and small requests do not wait for it."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from featurememory.access import KEYS
from featurememory.models import Operation
from featurememory.serving.database import ask_database
from featurememory.serving.processes import SWITCH_INTERVAL_S
from featurememory.serving.router import Router
from tests.operations import batch, operation_json
from tests.otel.spans import export_json, export_protobuf, span_json

TRIES = 3
"""A busy machine may hold the loop up once; a decoder that does so, does so each time."""
JSON, PROTOBUF = b"application/json", b"application/x-protobuf"


def spans() -> list[dict[str, Any]]:
    return [span_json({str(n): "x" * 20 for n in range(20)}) for _ in range(2_000)]


LARGE: dict[str, tuple[str, bytes, Callable[[], bytes]]] = {
    "spans in JSON": ("/v1/traces", JSON, lambda: json.dumps(export_json(*spans())).encode()),
    "spans in protobuf": ("/v1/traces", PROTOBUF, lambda: export_protobuf(*spans())),
    "operations": (
        "/api/v1/operations",
        JSON,
        lambda: batch(*[operation_json(features=[n / 7 for n in range(700)]) for _ in range(1_000)]),
    ),
}


@pytest.fixture(autouse=True)
def _as_in_the_web_process() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    yield
    sys.setswitchinterval(interval)


async def request(path: str, headers: dict[bytes, bytes], body: bytes) -> int:
    """The status with which the router answers."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers.items())}
    await Router(None)(scope, receive, send)
    return int(sent[0]["status"])


async def longest_pause(path: str, headers: dict[bytes, bytes], body: bytes) -> tuple[int, float]:
    """(status, the part of the request's time for which the loop stood still at a stretch)."""
    began = last = time.perf_counter()
    longest = 0.0
    task = asyncio.ensure_future(request(path, headers, body))
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await ask_database(connections.close_all)
    return await task, longest / (last - began)


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
@pytest.mark.parametrize("name", LARGE)
def test_the_loop_does_not_stand_still_while_a_large_body_is_decoded(
    transactional_db: None, api_key: str, name: str, zipped: bool
) -> None:
    path, kind, make = LARGE[name]
    body = make()
    headers = {b"authorization": f"Bearer {api_key}".encode(), b"content-type": kind}
    if zipped:
        body, headers[b"content-encoding"] = gzip.compress(body, 1), b"gzip"
    KEYS.caller(f"Bearer {api_key}")
    pauses = []
    for _ in range(TRIES):
        status, longest = asyncio.run(longest_pause(path, headers, body))
        assert status == 200
        assert Operation.objects.count() in (1_000, 2_000)
        pauses.append(longest)
    assert min(pauses) < 0.3
