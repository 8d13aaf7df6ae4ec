"""kill -9 in the middle of learning: in the end as much is known as one process knows that nobody disturbed."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from tests.conftest import fresh_database
from tests.servers import RunningServer, running_server, wait_until

BASELINE, OTHERS = {"steps": 50}, [{"steps": 20}, {"steps": 90}]
SECONDS = {50: 1.0, 20: 0.6, 90: 1.7}
CENTRES = [[Random(seed).gauss(0, 1) for _ in range(8)] for seed in range(10)]
BEGAN = datetime.now(UTC) - timedelta(hours=1)
BATCHES, SIZE = 30, 12
KILLS = (4, 11, 19, 20, 27)


def batches() -> list[list[dict[str, Any]]]:
    random, made = Random(3), []
    for number in range(BATCHES * SIZE):
        parameters = random.choice([BASELINE, *OTHERS])
        made.append(
            {
                "id": str(UUID(int=number + 1)),
                "operation_type": "t",
                "model": "m",
                "started_at": (BEGAN + timedelta(seconds=5 * number)).isoformat(),
                "duration_ms": 1_000 * SECONDS[parameters["steps"]] * random.uniform(0.8, 1.2),
                "outcome": "error" if random.random() < 0.05 else "success",
                "parameters": parameters,
                "space": "s",
                "features": [each + random.gauss(0, 0.05) for each in random.choice(CENTRES)],
            }
        )
    return [made[start : start + SIZE] for start in range(0, len(made), SIZE)]


def learn(server: RunningServer, kills: tuple[int, ...] = ()) -> dict[str, Any]:
    """Sends all batches one after the other, each until it is answered; what is known in the end."""
    key = server.create_key("ingest", "read")
    question = {"operation_type": "t", "model": "m", "baseline": BASELINE, "candidates": OTHERS}
    assert server.request("POST", "/api/v1/recommendations", question, key=key)[0] == 200
    for number, operations in enumerate(batches()):
        if number in kills:
            killing = threading.Timer(0.001 * number, kill_web_process, [server])
            killing.start()
        while not is_stored(server, operations, key):
            wait_until(server.is_ready, "the web process's return")
        if number in kills:
            killing.join()
            wait_until(server.is_ready, "the web process's return")
    _, _, study = server.request("GET", "/api/v1/learning/study?operation_type=t&model=m", key=key)
    _, _, found = server.request("GET", "/api/v1/optimizations?limit=500", key=key)
    told = ("pattern", "parameters", "status", "trials", "effect", "effect_low", "effect_high")
    known = [{name: each[name] for name in told} for each in found["items"]]
    return {
        "operations": study["operations"],
        "patterns": study["patterns"],
        "optimizations": sorted(known, key=lambda each: (each["pattern"], each["parameters"]["steps"])),
    }


def is_stored(server: RunningServer, operations: list[dict[str, Any]], key: str) -> bool:
    with suppress(OSError, http.client.HTTPException):
        status, _, answer = server.request("POST", "/api/v1/operations", {"operations": operations}, key=key)
        return status == 200 and answer["accepted"] + answer["duplicates"] == len(operations)
    return False


def kill_web_process(server: RunningServer) -> None:
    os.kill(server.child_pids()[0], signal.SIGKILL)


def test_a_process_that_is_killed_again_and_again_learns_the_same(tmp_path: Path) -> None:
    with fresh_database() as environment, running_server(tmp_path / "calm", **environment) as server:
        calm = learn(server)
    with fresh_database() as environment, running_server(tmp_path / "killed", **environment) as server:
        killed = learn(server, KILLS)
    assert calm["operations"] > 300
    assert len(calm["optimizations"]) > 20
    assert killed == calm
