"""A database of twice its budget comes back under its low mark while operations go on coming in."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tests.benchmarks import Row
from tests.benchmarks._databases import on_both
from tests.benchmarks.ingestion import body_of, post
from tests.old_operations import fill, younger_than
from tests.servers import RunningServer, running_server

OPERATIONS = int(os.environ.get("CLEANUP_OPERATIONS", "5000000"))
RATE = 1_000
CALM_S = 20.0
LONGEST_S = 1_800.0


def run() -> list[Row]:
    return on_both(_measure)


def _measure(database: str, directory: Path, environment: Mapping[str, str]) -> Iterator[Row]:
    with running_server(directory, **environment) as server:
        key = server.create_key("ingest", "read", "control")
        post(http.client.HTTPConnection("127.0.0.1", server.port), key, body_of(1))
        _limit(server, key, 2 * OPERATIONS)
        fill(server, OPERATIONS, timedelta(hours=3))
        before = _ask(server, key, "GET", "/resources")["usage"]
        calm = _ingest(server, key, lambda stop: stop.wait(CALM_S))
        _limit(server, key, OPERATIONS // 2)
        began = time.monotonic()
        busy = _ingest(server, key, lambda stop: _wait_for_the_end(server, key, stop))
        took = time.monotonic() - began
        after = _ask(server, key, "GET", "/resources")["usage"]
        runs = _ask(server, key, "GET", "/cleanup")["items"]
        lost = calm.accepted + busy.accepted - younger_than(server, datetime.now(UTC) - timedelta(hours=1))
    name = f"cleanup, {OPERATIONS:,} operations, {database}"
    low, left = OPERATIONS // 2 * 0.75, after["operations"]
    speed = sum(each["removed"]["operations"] for each in runs) / sum(each["worked_s"] for each in runs)
    sizes = f"{before['database_mb']:,.0f} to {after['database_mb']:,.0f}"
    yield Row(f"{name}: left", "-", f"< {low:,.0f}", f"{left:,.0f}", "operations", left < low)
    yield Row(f"{name}: storage p99 before", "-", "-", f"{calm.p99_ms:.1f}", "ms", None)
    yield Row(f"{name}: storage p99 meanwhile", "20", "20", f"{busy.p99_ms:.1f}", "ms", busy.p99_ms < 20)
    yield Row(f"{name}: young ones lost", "-", "0", str(lost), "operations", lost == 0)
    yield Row(f"{name}: time, room given back", "-", "-", f"{took:.0f}", "s", None)
    yield Row(f"{name}: speed", "-", "-", f"{speed:,.0f}", "rows/s", None)
    yield Row(f"{name}: database in use", "-", "-", sizes, "MB", None)


def _limit(server: RunningServer, key: str, operations: int) -> None:
    constraints = {"max_operations": operations, "protected_hours": 0.5, "max_database_mb": 100_000}
    _ask(server, key, "PUT", "/constraints", {"constraints": constraints, "reason": "benchmark"})


class Ingested(NamedTuple):
    p99_ms: float
    """Of storing one operation while RATE others a second come in."""
    accepted: int


def _ingest(server: RunningServer, key: str, until: Callable[[threading.Event], object]) -> Ingested:
    """While `until` waits, which is given the event that ends it."""
    over, accepted = multiprocessing.Event(), multiprocessing.Value("q", 0)
    loader = multiprocessing.Process(target=_load, args=(server.port, key, over, accepted))
    loader.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    times: list[float] = []
    stop = threading.Event()

    def wait() -> None:
        until(stop)
        stop.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    own = 0
    while not stop.wait(0.02):
        body = body_of(1)
        began = time.perf_counter()
        own += post(connection, key, body)
        times.append((time.perf_counter() - began) * 1_000)
    waiting.join()
    over.set()
    loader.join()
    return Ingested(statistics.quantiles(times, n=100)[98], own + accepted.value)


def _load(port: int, key: str, over: Any, accepted: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    due = time.perf_counter()
    while not over.is_set():
        accepted.value += post(connection, key, body_of(RATE // 10))
        due += 0.1
        over.wait(max(0.0, due - time.perf_counter()))


def _wait_for_the_end(server: RunningServer, key: str, stop: threading.Event) -> None:
    """Of the cleanup that changed limits have started."""
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        runs = _ask(server, key, "GET", "/cleanup")["items"]
        if runs and runs[0]["state"] != "running":
            return
        stop.wait(1.0)


def _ask(server: RunningServer, key: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{server.url}/api/v1{path}", data, headers, method=method)
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)
