"""Durable ingestion over HTTP: 4 connections, batches of 500; and how long one operation takes meanwhile."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.benchmarks import Row
from tests.benchmarks._databases import on_both
from tests.servers import RunningServer, running_server

CONNECTIONS = 4
BATCH = 500
SECONDS = 8.0
MODELS = 12


def run() -> list[Row]:
    return on_both(_measure)


def _measure(database: str, directory: Path, environment: Mapping[str, str]) -> Iterator[Row]:
    with running_server(directory, **environment) as server:
        key = server.create_key("ingest", "read")
        rate = _saturate(server, key)
        yield Row(
            f"ingestion, {database}", "-", ">= 30,000", f"{rate:,.0f}", "operations/s durable", rate >= 30_000
        )
        p50, p99 = _single_operations(server, key, background=1_000)
        yield Row(
            f"storage p99 at 1,000 operations/s, {database}",
            "20", "5", f"{p99:.1f} (p50 {p50:.1f})", "ms", p99 < 5,
        )  # fmt: skip


def _saturate(server: RunningServer, key: str) -> float:
    """Operations a second that were answered with 200, all connections together."""
    accepted = [0] * CONNECTIONS
    bodies = [[body_of(BATCH) for _ in range(120)] for _ in range(CONNECTIONS)]
    begin = threading.Barrier(CONNECTIONS + 1)
    spans: list[float] = []

    def send(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        begin.wait()
        began = time.perf_counter()
        for body in bodies[number]:
            if time.perf_counter() - began > SECONDS:
                break
            accepted[number] += post(connection, key, body)
        spans.append(time.perf_counter() - began)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    begin.wait()
    for thread in threads:
        thread.join()
    return sum(accepted) / max(spans)


def _single_operations(server: RunningServer, key: str, background: int) -> tuple[float, float]:
    """(p50, p99) in milliseconds of POSTs of one operation, while `background` operations a second run."""
    done = multiprocessing.Event()
    loader = multiprocessing.Process(target=_load, args=(server.port, key, background, done))
    loader.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    times = []
    for body in [body_of(1) for _ in range(1_000)]:
        began = time.perf_counter()
        post(connection, key, body)
        times.append((time.perf_counter() - began) * 1_000)
        done.wait(0.005)
    done.set()
    loader.join()
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def _load(port: int, key: str, rate: int, done: Event) -> None:
    """Ten batches a second, `rate` operations together, until `done`."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    due = time.perf_counter()
    while not done.is_set():
        post(connection, key, body_of(rate // 10))
        due += 0.1
        done.wait(max(0.0, due - time.perf_counter()))


def post(connection: http.client.HTTPConnection, key: str, body: bytes) -> int:
    connection.request(
        "POST",
        "/api/v1/operations",
        body,
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data[:500]
    return int(json.loads(data)["accepted"])


def body_of(size: int) -> bytes:
    started_at = datetime.now(UTC).isoformat()
    operations = [
        {
            "id": _uuid7(),
            "operation_type": "text_to_audio" if number % 3 else "transcription",
            "model": f"model-{number % MODELS}",
            "started_at": started_at,
            "duration_ms": random.lognormvariate(5, 1),
            "outcome": "success" if number % 50 else "error",
            "parameters": {"steps": 50, "guidance": 3.5, "seed": number},
            "instance": "bench:1",
        }
        for number in range(size)
    ]
    return json.dumps({"operations": operations}).encode()


def _uuid7() -> str:
    value = int(time.time() * 1_000).to_bytes(6, "big") + os.urandom(10)
    text = (value[:6] + bytes([0x70 | value[6] & 0x0F, value[7], 0x80 | value[8] & 0x3F]) + value[9:]).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
