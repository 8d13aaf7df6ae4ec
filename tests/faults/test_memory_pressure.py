"""Memory that really runs out: operations are refused by name, health says why, and all comes back without flapping."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext, ResourceConstraintError
from tests.operations import batch, operation_json
from tests.servers import RunningServer, wait_until

HOG = """
import sys
held = bytearray(int(sys.argv[1]))
held[::4096] = b"x" * len(held[::4096])
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def taking(percent: float) -> Iterator[None]:
    """Another process holds so much of the host's memory."""
    size = int(psutil.virtual_memory().total * percent / 100)
    with subprocess.Popen(
        [sys.executable, "-c", HOG, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as hog:
        assert hog.stdout is not None
        assert hog.stdout.readline() == "held\n"
        yield
        hog.kill()


class Host:
    """The server, its limits set around what the host uses by now.

    Percents of the host's memory above that: cleanup until 8, from 10 on, refusal from 22 on. Far enough from each
    other and from the 16 and 30 taken below that whatever else runs beside the test may come and go.
    """

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.key = server.create_key("ingest", "read", "control")
        used = self.ask("GET", "resources")["usage"]["host_memory_percent"]
        self.limit = round(used + 22, 1)
        constraints = {
            "max_host_memory_percent": self.limit,
            "cleanup_high": round((used + 10) / self.limit, 4),
            "cleanup_low": round((used + 8) / self.limit, 4),
        }
        self.ask("PUT", "constraints", {"constraints": constraints, "reason": "a test"})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, _, answer = self.server.request(method, f"/api/v1/{path}", body, key=self.key)
        assert status < 300, answer
        return answer

    def resources(self) -> Any:
        return self.ask("GET", "health")["components"].get("resources", {"status": "unknown"})

    def becomes(self, status: str, timeout: float = 60) -> Any:
        return wait_until(
            lambda: (found := self.resources())["status"] == status and found,
            f"resources being {status}",
            timeout,
        )

    def sent(self) -> tuple[int, Any]:
        status, _, answer = self.server.request(
            "POST", "/api/v1/operations", batch(operation_json()), key=self.key
        )
        return status, answer


@pytest.mark.sqlite_only
def test_memory_that_runs_out_is_named_everywhere_and_comes_back(server: RunningServer) -> None:
    host = Host(server)
    host.becomes("healthy")
    with FeatureMemory(
        server.url,
        host.key,
        max_host_memory_percent=host.limit,
        breaker={"health_thresholds": {"cpu": None, "memory": host.limit, "error_rate": None}},
    ) as memory:
        with taking(16):
            assert "of the host's memory is used" in host.becomes("degraded")["reason"]
            assert host.sent()[0] == 200
            assert memory.handle_operation(lambda: 1, OperationContext("embed")) == 1
        with taking(30):
            reason = host.becomes("unhealthy")["reason"]
            assert f"of {host.limit:.0f} %" in reason
            assert "new operations are refused" in reason
            status, answer = wait_until(
                lambda: (got := host.sent())[0] == 503 and got, "the server's refusal", 15
            )
            assert (answer["code"], status) == ("resource_constraint", 503)
            assert "max_host_memory_percent" in answer["detail"]
            wait_until(lambda: _refused(memory), "the caller's refusal", 5)
            wait_until(lambda: _overloaded(memory), "the breaker's refusal", 5)
            runs = wait_until(lambda: host.ask("GET", "cleanup")["items"], "a cleanup", 75)
            assert "max_host_memory_percent" in runs[-1]["why"][0]
        wait_until(lambda: host.sent()[0] == 200, "taking operations again", 15)
        wait_until(lambda: _called(memory), "calling again", 5)
        host.becomes("healthy", 90)
    moves = [
        (each["before"], each["after"])
        for each in host.ask("GET", "health/history?component=resources")["items"]
    ]
    assert len(moves) <= 5, f"it flaps: {moves}"


def _refused(memory: FeatureMemory) -> bool:
    try:
        memory.handle_operation(lambda: 1, OperationContext("embed"))
    except ResourceConstraintError as error:
        return "max_host_memory_percent" in str(error)
    return False


def _called(memory: FeatureMemory) -> bool:
    """The breaker looks at the host by itself, and may take longer than the constraint to see that all is well."""
    try:
        return memory.handle_operation(lambda: 1, OperationContext("embed")) == 1
    except (ResourceConstraintError, CircuitBreakerError):
        return False


def _overloaded(memory: FeatureMemory) -> bool:
    try:
        memory.breaker("embed").call(lambda: 1)
    except CircuitBreakerError as error:
        return "memory at" in error.detail
    return False
