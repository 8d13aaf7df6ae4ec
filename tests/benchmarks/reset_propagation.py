"""From an operator's word to the last of a hundred connected streams, in quiet and while operations pour in."""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.benchmarks import Row
from tests.benchmarks.ingestion import BATCH, body_of, post
from tests.live.breakers import act, open_breaker
from tests.servers import RunningServer, running_postgresql, running_redis, running_server

STREAMS = 100
TRIES = 50
CONNECTIONS = 4


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with running_server(directory / "sqlite") as server:
            rows = [*_measure("SQLite", [server])]
        with (
            running_postgresql(directory, durable=True) as url,
            running_redis(directory / "redis") as redis,
            ExitStack() as stack,
        ):
            environment = {"DATABASE_URL": url, "REDIS_URL": redis.url}
            servers = [
                stack.enter_context(running_server(directory / name, **environment))
                for name in ("one", "two")
            ]
            rows += _measure("PostgreSQL, Redis, two web processes", servers)
    return rows


def _measure(name: str, servers: list[RunningServer]) -> Iterator[Row]:
    key = servers[0].create_key("ingest", "read", "control")
    breaker = open_breaker(servers[0], key)
    yield from _rows(name, asyncio.run(_waits(servers, key, breaker)), budget_ms=100)
    with _saturated(servers[0], key):
        yield from _rows(
            f"{name}, while saturated", asyncio.run(_waits(servers, key, breaker)), budget_ms=None
        )


def _rows(name: str, waits: dict[str, list[float]], budget_ms: float | None) -> Iterator[Row]:
    for action, times in waits.items():
        p99 = statistics.quantiles(times, n=100)[98]
        yield Row(
            f"{action} to the last of {STREAMS} streams, p99 of {TRIES}, {name}",
            "1,000", f"{budget_ms:.0f}" if budget_ms else "-", f"{p99:.0f} (p50 {statistics.median(times):.0f})", "ms",
            p99 < budget_ms if budget_ms else None,
        )  # fmt: skip


async def _waits(servers: list[RunningServer], key: str, breaker: str) -> dict[str, list[float]]:
    """Milliseconds from sending each command until the last stream, of all servers in turn, has it."""
    streams = [await _open_stream(servers[number % len(servers)].port, key) for number in range(STREAMS)]
    waits: dict[str, list[float]] = {"force-open": [], "reset": []}
    for number in range(TRIES):
        for action, times in waits.items():
            began = time.perf_counter()
            heard = [asyncio.ensure_future(_line(reader, b"event: transition")) for reader, _ in streams]
            await asyncio.to_thread(act, servers[number % len(servers)], key, breaker, action)
            await asyncio.gather(*heard)
            times.append((time.perf_counter() - began) * 1_000)
    for _, writer in streams:
        writer.close()
    return waits


@contextmanager
def _saturated(server: RunningServer, key: str) -> Iterator[None]:
    done = multiprocessing.Event()
    loader = multiprocessing.Process(target=_saturate, args=(server.port, key, done))
    loader.start()
    yield
    done.set()
    loader.join()


def _saturate(port: int, key: str, done: Event) -> None:
    """As many operations as the server takes, over `CONNECTIONS` connections, until `done`."""
    connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as threads:

        def send(connection: http.client.HTTPConnection) -> None:
            while not done.is_set():
                post(connection, key, body_of(BATCH))

        list(threads.map(send, connections))


async def _open_stream(port: int, key: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /api/v1/breakers/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer " + key.encode() + b"\r\n\r\n"
    )
    await _line(reader, b"event: snapshot")
    return reader, writer


async def _line(reader: asyncio.StreamReader, beginning: bytes) -> None:
    while not (line := await asyncio.wait_for(reader.readline(), 10)).startswith(beginning):
        assert line, "the stream ended"
