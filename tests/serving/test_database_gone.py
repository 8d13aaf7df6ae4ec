"""A database that was away: meanwhile callers hear when to come back, afterwards nothing has to be started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess

from tests.live.events import Stream
from tests.operations import operation_json
from tests.servers import RunningServer, running_server, wait_until
from tests.serving.postgresql import RestartablePostgreSQL, restartable_postgresql

PROBLEM, JSON, PROTOBUF = "application/problem+json", "application/json", "application/x-protobuf"
UNAVAILABLE = 14
"""google.rpc.Code; a Status has the same first two fields on the wire as a partial success."""


@pytest.fixture(scope="module")
def database() -> Iterator[RestartablePostgreSQL]:
    with restartable_postgresql() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, database: RestartablePostgreSQL
) -> Iterator[RunningServer]:
    directory = tmp_path_factory.mktemp("server")
    with running_server(directory, DATABASE_URL=database.url) as running:
        yield running


def fresh_keys(server: RunningServer, count: int) -> list[str]:
    """Keys that the server has not looked up yet, so that it must ask its database."""
    return server.manage("shell", "-v", "0", "-c", MAKE_KEYS.format(count=count)).split()


MAKE_KEYS = """
from uuid import uuid4
from featurememory.access import create_api_key
for _ in range({count}):
    print(create_api_key(uuid4().hex, ["ingest", "read"])[1])
"""


def send(server: RunningServer, key: str) -> tuple[int, dict[str, str], Any]:
    return server.request("POST", "/api/v1/operations", {"operations": [operation_json()]}, key=key)


def test_ingestion_and_streams_go_on_after_connections_were_cut(
    server: RunningServer, database: RestartablePostgreSQL
) -> None:
    *senders, reader = fresh_keys(server, 4)
    for key in senders:
        status, _, answer = send(server, key)
        assert (status, answer["accepted"]) == (200, 1), answer
        database.cut_connections()
    assert Stream(server, reader).next_event("snapshot")


def test_while_the_database_is_away_all_are_told_when_to_come_back_and_after_it_all_is_well(
    server: RunningServer, database: RestartablePostgreSQL
) -> None:
    key, known, late = fresh_keys(server, 3)
    assert send(server, known)[0] == 200
    with database.away():
        answers = [
            send(server, key),
            server.request("GET", "/api/v1/breakers/stream", key=key),
            server.request("POST", "/v1/traces", {}, key=key),
            server.request("POST", "/v1/traces", b"", key=key, headers={"Content-Type": PROTOBUF}),
        ]
    assert [status for status, _, _ in answers] == [503] * 4
    assert all(int(headers["retry-after"]) > 0 for _, headers, _ in answers)
    assert [headers["content-type"] for _, headers, _ in answers] == [PROBLEM, PROBLEM, JSON, PROTOBUF]
    operations, stream, json_traces, protobuf_traces = (body for _, _, body in answers)
    assert operations["code"] == stream["code"] == "database"
    assert json_traces["code"] == UNAVAILABLE
    assert "database" in json_traces["message"]
    assert ExportTracePartialSuccess.FromString(protobuf_traces.encode()).rejected_spans == UNAVAILABLE

    status, _, answer = send(server, key)
    assert (status, answer["accepted"]) == (200, 1)
    assert Stream(server, late).next_event("snapshot")


def test_a_stream_whose_key_is_known_is_told_too_when_its_beginning_cannot_be_read(
    server: RunningServer, database: RestartablePostgreSQL
) -> None:
    (key,) = fresh_keys(server, 1)
    assert send(server, key)[0] == 200
    with database.away():
        status, headers, problem = server.request("GET", "/api/v1/breakers/stream", key=key)
    assert (status, problem["code"]) == (503, "database")
    assert int(headers["retry-after"]) > 0


def test_while_the_database_is_away_the_server_is_not_ready_and_says_so_at_once(
    server: RunningServer, database: RestartablePostgreSQL
) -> None:
    assert server.is_ready()
    with database.away():
        began = time.monotonic()
        status, _, answer = server.request("GET", "/readyz")
        assert time.monotonic() - began < 6
    assert (status, answer["reason"]) == (503, "the database does not answer")
    wait_until(server.is_ready, "readiness after the database came back", 15)
