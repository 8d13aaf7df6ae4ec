"""From the operator's click in the admin to the SDK in another process, over the real stream."""

from __future__ import annotations

import http.cookiejar
import json
import re
import statistics
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from tests.servers import ADMIN_PASSWORD, RunningServer

WITHIN_S = 0.1
ROUNDS = 5

ORCHESTRATOR = """
import sys, time
from featurememory import CircuitBreakerError, FeatureMemory, OperationContext

url, key, model, rounds = sys.argv[1:]
memory = FeatureMemory(url, key, breaker={"reset_timeout_ms": 60_000})
context = OperationContext("transcription", model=model)

def fail():
    raise OSError("the model is gone")

def until(permitted):
    while True:
        try:
            memory.handle_operation(lambda: None, context)
        except CircuitBreakerError:
            if not permitted:
                return
        else:
            if permitted:
                return
        time.sleep(0.001)

for _ in range(int(rounds)):
    for _ in range(5):
        try:
            memory.handle_operation(fail, context)
        except OSError:
            pass
    memory.flush()
    while not memory.following:
        time.sleep(0.005)
    until(permitted=False)
    print("refused", flush=True)
    until(permitted=True)
    print(time.time(), flush=True)
memory.close()
"""


class Operator:
    """A signed-in administrator with a browser's cookies and nothing else of a browser."""

    def __init__(self, server: RunningServer) -> None:
        self._url = server.url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self.submit("/login/", username="admin", password=ADMIN_PASSWORD)

    def open(self, path: str) -> str:
        return str(self._opener.open(self._url + path, timeout=10).read().decode())

    def submit(self, path: str, **fields: str) -> str:
        """Fills in the form at `path`, hidden fields and all, and sends it."""
        page = self.open(path)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        data = urllib.parse.urlencode(hidden | fields).encode()
        request = urllib.request.Request(self._url + path, data, {"Referer": self._url + path})
        return str(self._opener.open(request, timeout=10).read().decode())


@pytest.fixture
def orchestrator(shared_server: RunningServer) -> Iterator[subprocess.Popen[str]]:
    """Another process whose breaker is open."""
    key = shared_server.create_key("ingest", "read", "control")
    process = subprocess.Popen(
        [sys.executable, "-c", ORCHESTRATOR, shared_server.url, key, "reset-me", str(ROUNDS)],
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


def test_a_reset_in_the_admin_lets_the_sdk_of_another_process_call_again(
    shared_server: RunningServer, orchestrator: subprocess.Popen[str]
) -> None:
    assert orchestrator.stdout is not None
    operator = Operator(shared_server)
    permitted_at = []
    for number in range(ROUNDS):
        assert orchestrator.stdout.readline() == "refused\n"
        breakers = operator.open("/admin/featurememory/breaker/?q=reset-me")
        found = re.search(r"/admin/featurememory/breaker/(\d+)/reset/", breakers)
        assert found is not None
        operator.submit(found.group(), reason=f"the model is back, {number}")
        permitted_at.append(float(orchestrator.stdout.readline()))

    audit = json.loads(shared_server.manage("shell", "-v", "0", "-c", AUDIT))
    assert [(actor, reason) for _, actor, reason in audit] == [
        ("admin", f"the model is back, {number}") for number in range(ROUNDS)
    ]
    waits = [permitted - at for permitted, (at, _, _) in zip(permitted_at, audit, strict=True)]
    assert statistics.median(waits) < WITHIN_S, waits


AUDIT = """
import json
from featurememory.models import AuditEntry
rows = AuditEntry.objects.filter(action="breaker.reset", subject="transcription:reset-me").order_by("id")
print(json.dumps([[row.at.timestamp(), row.actor, row.reason] for row in rows]))
"""
