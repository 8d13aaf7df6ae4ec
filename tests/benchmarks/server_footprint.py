"""Memory of the whole embedded system, and its CPU at a hundred operations a second."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import psutil

from featurememory import FeatureMemory, OperationContext
from tests.benchmarks import Row
from tests.servers import RunningServer, running_server

RATE = 100
SECONDS = float(os.environ.get("FOOTPRINT_SECONDS", "30"))
SENT = 100_000


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        key = server.create_key("ingest", "read")
        idle = _memory_mb(server)
        share = _cpu_share(server, key)
        _send(server, key, SENT)
        loaded = _memory_mb(server)
    return [
        Row("embedded system, idle", "100", "100", f"{idle:.0f}", "MB PSS", idle < 100),
        Row(
            f"embedded system, after {SENT:,} operations",
            "100",
            "100",
            f"{loaded:.0f}",
            "MB PSS",
            loaded < 100,
        ),
        Row(f"CPU at {RATE} operations/s by SDK", "10", "5", f"{share:.1f}", "% of one core", share < 5),
    ]


def _processes(server: RunningServer) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in (server.pid, *server.child_pids())]


def _memory_mb(server: RunningServer) -> float:
    return sum(process.memory_full_info().pss for process in _processes(server)) / 2**20


def _cpu_share(server: RunningServer, key: str) -> float:
    """Percent of one core that all processes take while the SDK sends at the rate."""
    pause = threading.Event()
    unpressed = {
        "health_thresholds": {"cpu": None, "memory": None, "error_rate": None}
    }  # others may press the host
    with FeatureMemory(server.url, key, breaker=unpressed) as memory:
        before, began = _cpu_seconds(server), time.monotonic()
        due = began
        while due - began < SECONDS:
            memory.handle_operation(lambda: None, OperationContext("benchmark", model="steady"))
            due += 1 / RATE
            pause.wait(max(0.0, due - time.monotonic()))
        return 100 * (_cpu_seconds(server) - before) / (time.monotonic() - began)


def _cpu_seconds(server: RunningServer) -> float:
    times = [process.cpu_times() for process in _processes(server)]
    return sum(each.user + each.system for each in times)


def _send(server: RunningServer, key: str, count: int) -> None:
    with FeatureMemory(server.url, key, buffer_size=count) as memory:
        for number in range(count):
            memory.handle_operation(lambda: None, OperationContext("benchmark", model=f"model-{number % 12}"))
        assert memory.flush(120)
