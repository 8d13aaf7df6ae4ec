"""However much arrives at a time, and however it is packed: a process's memory stays where it was."""

from __future__ import annotations

import gzip
import http.client
import select
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from featurememory.ingestion.otlp.export import MAX_SPANS
from featurememory.ingestion.room import MAX_BYTES
from tests.operations import batch, operation_json
from tests.otel.spans import export_protobuf, length_prefixed, span_json
from tests.servers import RunningServer, running_server, wait_until

PARALLEL = 8
LIMIT = 16 * 2**20
GROWTH = 256 * 2**20
"""64 MB of bodies in hand, what one body of 16 MB becomes while it is decoded, and what the allocator keeps."""
JSON, PROTOBUF = "application/json", "application/x-protobuf"
OPERATIONS, TRACES = "/api/v1/operations", "/v1/traces"


def dense(begin: bytes, item: bytes, end: bytes) -> bytes:
    """As many items as a body may hold."""
    return begin + b",".join([item] * ((LIMIT - 1_000) // (len(item) + 1))) + end


def in_scope(contents: bytes) -> bytes:
    return length_prefixed(1, length_prefixed(2, contents))


def attribute_lists(count: int) -> bytes:
    return batch(operation_json(attributes={"lists": [[]] * count}))


NO_SPAN, NO_ATTRIBUTE = b"\x12\x00", b"\x4a\x00"
JSON_SPANS = b'{"resourceSpans":[{"scopeSpans":[{"spans":[', b"{}", b"]}]}]}"
JSON_RESOURCE = b'{"resourceSpans":[{"resource":{"attributes":[', b"{}", b"]}}]}"
BODIES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "long texts": (OPERATIONS, JSON, lambda: batch(*[operation_json(attributes={"text": "x" * 15_000})] * 1_000)),
    "empty operations": (OPERATIONS, JSON, lambda: dense(b'{"operations":[', b"{}", b"]}")),
    "texts as operations": (OPERATIONS, JSON, lambda: dense(b'{"operations":[', b'"ab"', b"]}")),
    "as many values as are taken": (OPERATIONS, JSON, lambda: attribute_lists(450_000) + b" " * 2**21),
    "empty spans": (TRACES, JSON, lambda: dense(*JSON_SPANS)),
    "empty attributes": (TRACES, JSON, lambda: dense(*JSON_RESOURCE)),
    "spans of two bytes": (TRACES, PROTOBUF, lambda: in_scope(NO_SPAN * (LIMIT // 2 - 8))),
    "attributes of two bytes": (
        TRACES, PROTOBUF, lambda: in_scope(length_prefixed(2, NO_ATTRIBUTE * (LIMIT // 2 - 10))),
    ),
    "as many spans as are taken": (TRACES, PROTOBUF, lambda: export_protobuf(*[span_json()] * MAX_SPANS)),
    "zeros": (TRACES, PROTOBUF, lambda: bytes(LIMIT)),
}  # fmt: skip


LABORIOUS = {"as many spans as are taken"}
"""Seconds of work each."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def limit(server: RunningServer) -> int:
    """The most memory that the web process may ever have had."""
    key = server.create_key("ingest", "read")
    assert server.request("POST", OPERATIONS, batch(operation_json()), key=key)[0] == 200
    return psutil.Process(server.child_pids()[0]).memory_info().rss + GROWTH


def peak(server: RunningServer) -> int:
    """The most bytes that the web process has had in memory."""
    status = Path(f"/proc/{server.child_pids()[0]}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1_024


def send(server: RunningServer, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bool]:
    """(status, whether it is said when to come back)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=240)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, "Retry-After" in answer.headers
    except (BrokenPipeError, ConnectionResetError):
        return 413, False  # the server closes such a connection while it is still being written to
    finally:
        connection.close()


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
@pytest.mark.parametrize("name", BODIES)
def test_memory_stays_flat_under_many_large_bodies_at_a_time(
    server: RunningServer, limit: int, name: str, zipped: bool
) -> None:
    path, kind, make = BODIES[name]
    body = make()
    headers = {"Authorization": f"Bearer {server.create_key('ingest', 'read')}", "Content-Type": kind}
    if zipped:
        body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
    with ThreadPoolExecutor(PARALLEL) as pool:
        requests = range(3 if name in LABORIOUS else PARALLEL + 2)
        answers = set(pool.map(lambda _: send(server, path, body, headers), requests))
    assert answers <= {(200, False), (400, False), (413, False), (422, False), (503, True)}
    assert peak(server) < limit


def test_uploads_that_have_only_begun_count_too_and_leave_their_room_when_they_break_off(
    server: RunningServer, limit: int
) -> None:
    key = server.create_key("ingest", "read")
    head = (
        f"POST {TRACES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {PROTOBUF}\r\nContent-Length: {LIMIT}\r\n\r\n"
    ).encode()
    fitting = MAX_BYTES // LIMIT
    with ExitStack() as stack:
        uploads = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(fitting + 3)
        ]
        for upload in uploads:
            upload.sendall(head + b"begun")

        def answered() -> list[socket.socket]:
            return select.select(uploads, [], [], 0)[0]

        wait_until(lambda: len(answered()) >= 3, "the refusals")
        for refused in answered():
            said = refused.recv(2_000)
            assert said.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1" in said.lower()
        assert len(answered()) == 0, "the others are still listened to"
    wait_until(
        lambda: server.request("POST", OPERATIONS, batch(operation_json()), key=key)[0] == 200, "room again"
    )
    assert peak(server) < limit
