"""From an operator's reset to the last of a hundred connected streams."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks import Row
from tests.live.breakers import act, open_breaker
from tests.servers import RunningServer, running_postgresql, running_redis, running_server

STREAMS = 100
TRIES = 50


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows = [_measure("SQLite", directory / "sqlite", {})]
        with running_postgresql(directory) as url, running_redis(directory / "redis") as redis:
            environment = {"DATABASE_URL": url, "REDIS_URL": redis.url}
            rows.append(_measure("PostgreSQL and Redis", directory / "scaled", environment))
    return rows


def _measure(name: str, directory: Path, environment: dict[str, str]) -> Row:
    with running_server(directory, **environment) as server:
        key = server.create_key("ingest", "read", "control")
        waits = asyncio.run(_waits(server, key, open_breaker(server, key)))
    p99 = statistics.quantiles(waits, n=100)[98]
    return Row(
        f"breaker reset to the last of {STREAMS} streams, p99 of {TRIES}, {name}",
        "1,000", "100", f"{p99:.0f} (p50 {statistics.median(waits):.0f})", "ms", p99 < 100,
    )  # fmt: skip


async def _waits(server: RunningServer, key: str, breaker: str) -> list[float]:
    """Milliseconds from sending each reset until the last stream has it."""
    streams = [await _open_stream(server.port, key) for _ in range(STREAMS)]
    waits = []
    for _ in range(TRIES):
        began = time.perf_counter()
        heard = [asyncio.ensure_future(_line(reader, b"event: transition")) for reader, _ in streams]
        await asyncio.to_thread(act, server, key, breaker, "reset")
        await asyncio.gather(*heard)
        waits.append((time.perf_counter() - began) * 1_000)
    return waits


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
