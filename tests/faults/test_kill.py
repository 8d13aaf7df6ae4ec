"""kill -9 in mid-write: what was answered with 2xx is there once, and the SDK delivers the rest."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from featurememory import FeatureMemory, OperationContext
from tests.servers import RunningServer, start_server, wait_until

KILLS = 20
WHOLE_EVERY = 5
"""Each fifth kill takes the supervisor and its children; the others the web process, which is started again."""


class PlainClient:
    """Sends batches over plain HTTP without pause, and remembers which ids were answered with 200."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self.acknowledged: set[str] = set()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stopped.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._send()

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        ids = [str(uuid4()) for _ in range(20)]
        body = json.dumps({"operations": [operation(identity) for identity in ids]})
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request("POST", "/api/v1/operations", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                self.acknowledged.update(ids)
        finally:
            connection.close()


def operation(identity: str) -> dict[str, object]:
    return {
        "id": identity,
        "operation_type": "plain",
        "model": "http",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_ms": 1.5,
        "outcome": "success",
    }


def kill_web_process(server: RunningServer) -> None:
    victim = server.child_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in server.child_pids() and server.is_ready(), "the web process's return")


def kill_everything(server: RunningServer) -> None:
    """The supervisor and its children, at once."""
    pids = [server.pid, *server.child_pids()]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()


def start_again(server: RunningServer) -> RunningServer:
    """The same server on the same data and port."""
    environment = {name: server.environment[name] for name in ("DATABASE_URL",) if name in server.environment}
    return start_server(server.data_dir, port=server.port, **environment)


def test_twenty_kills_lose_nothing_that_was_acknowledged_and_double_nothing(
    tmp_path: Path, database_environment: dict[str, str]
) -> None:
    server = start_server(tmp_path / "server", **database_environment)
    try:
        key = server.create_key("ingest", "read")
        client = PlainClient(server.port, key)
        memory = FeatureMemory(server.url, key, flush_interval_s=0.05, buffer_size=200_000)
        recorded = 0
        stop_recording = threading.Event()

        def record() -> None:
            nonlocal recorded
            while not stop_recording.wait(0.001):
                memory.handle_operation(lambda: None, OperationContext("guarded", model="sdk"))
                recorded += 1

        recorder = threading.Thread(target=record)
        client.thread.start()
        recorder.start()
        for number in range(1, KILLS + 1):
            seen = len(client.acknowledged)
            wait_until(lambda seen=seen: len(client.acknowledged) > seen + 100, "progress between two kills")
            if number % WHOLE_EVERY:
                kill_web_process(server)
            else:
                kill_everything(server)
                server = start_again(server)
        stop_recording.set()
        recorder.join()
        client.stopped.set()
        client.thread.join()
        assert memory.flush(60), memory.stats()
        assert memory.stats().dropped == 0
        memory.close()

        counts = json.loads(server.manage("shell", "-v", "0", "-c", COUNT))
        stored = set(counts["plain_ids"])
        assert client.acknowledged <= stored, (
            f"{len(client.acknowledged - stored)} acknowledged operations are gone"
        )
        assert len(counts["plain_ids"]) == len(stored)
        assert counts["operations"]["guarded"] == recorded
        assert counts["minutes"] == counts["operations"] == counts["totals"]
    finally:
        if server.process.poll() is None:
            server.stop()


COUNT = """
import json
from django.db.models import Count, F, Sum
from featurememory.models import Operation, Rollup
every = F("success") + F("error") + F("timeout") + F("cancelled") + F("rejected")
def rolled_up(resolution):
    rows = Rollup.objects.filter(resolution=resolution).values_list("series__operation_type")
    return dict(rows.annotate(count=Sum(every)).order_by())
print(json.dumps({
    "operations": dict(Operation.objects.values_list("operation_type").annotate(count=Count("pk")).order_by()),
    "minutes": rolled_up(60),
    "totals": rolled_up(0),
    "plain_ids": [str(each) for each in Operation.objects.filter(operation_type="plain").values_list("id", flat=True)],
}))
"""
