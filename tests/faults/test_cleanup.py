"""A cleanup while operations come in, and one whose worker is killed."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.test_kill import PlainClient
from tests.old_operations import fill, younger_than
from tests.operations import batch, operation_json
from tests.servers import RunningServer, wait_until

OLD = 60_000


class Memory:
    """A server with a database of twice its budget."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.key = server.create_key("ingest", "read", "control")
        server.request("POST", "/api/v1/operations", batch(operation_json()), key=self.key)
        fill(server, OLD, timedelta(hours=3))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, _, answer = self.server.request(method, f"/api/v1/{path}", body, key=self.key)
        assert status < 300, answer
        return answer

    def halve(self) -> None:
        constraints = {"max_operations": OLD // 2, "protected_hours": 0.5}
        self.ask("PUT", "constraints", {"constraints": constraints, "reason": "a test"})

    def run(self) -> Any:
        runs = self.ask("GET", "cleanup")["items"]
        return runs[0] if runs else {"state": "none", "removed": {}, "resumed": 0}

    def is_over(self) -> Any:
        run = self.run()
        return run["state"] == "done" and run


def test_it_comes_back_under_the_low_mark_while_operations_come_in(server: RunningServer) -> None:
    memory = Memory(server)
    began = datetime.now(UTC)
    client = PlainClient(server.port, memory.key)
    client.thread.start()
    memory.halve()
    try:
        run = wait_until(memory.is_over, "the cleanup's end", 90)
    finally:
        client.stopped.set()
        client.thread.join()
    assert run["removed"]["operations"] >= OLD * 0.6
    young = younger_than(server, began - timedelta(minutes=1))
    assert young == len(client.acknowledged) > 0
    assert memory.ask("GET", "resources")["usage"]["operations"] - young < OLD // 2 * 0.75
    assert memory.ask("GET", "metrics")["operations"] == young + 1, "what was counted stays counted"


def test_one_whose_worker_is_killed_goes_on_with_the_next(server: RunningServer) -> None:
    memory = Memory(server)
    memory.halve()
    wait_until(lambda: memory.run()["state"] == "running", "the cleanup's beginning", 75)
    os.kill(server.child_pids()[1], signal.SIGKILL)
    run = wait_until(memory.is_over, "the cleanup's end", 150)
    assert memory.ask("GET", "resources")["usage"]["operations"] <= OLD // 2 * 0.75
    assert len(memory.ask("GET", "cleanup")["items"]) == 1, "the same run"
    assert run["resumed"] <= 1
