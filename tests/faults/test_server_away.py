"""The server is killed under load for a while: callers see no error of ours, breakers go on locally, and afterwards
the server knows what they did."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from tests.faults.test_kill import kill_everything, start_again
from tests.servers import RunningServer, start_server, wait_until

CONTEXT = OperationContext("transcription", model="flaky")
SETTINGS = {"max_failures": 3, "reset_timeout_ms": 100, "half_open_permits": 1, "jitter": 0}


class Caller:
    """Calls without pause; the model fails while it is told to. Whatever else is raised is kept."""

    def __init__(self, memory: FeatureMemory) -> None:
        self.memory = memory
        self.failing = Event()
        self.stopped = Event()
        self.surprises: list[BaseException] = []
        self.calls = 0
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self.stopped.wait(0.001):
            try:
                with suppress(OSError, CircuitBreakerError):
                    self.memory.handle_operation(self._model, CONTEXT)
            except BaseException as surprise:
                self.surprises.append(surprise)
            self.calls += 1

    def _model(self) -> None:
        if self.failing.is_set():
            raise ConnectionError("the model is gone")

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()


def state(memory: FeatureMemory) -> str:
    return memory.breakers()["transcription:flaky"].state


def on_the_server(server: RunningServer, key: str) -> dict[str, Any]:
    _, _, breaker = server.request("GET", "/api/v1/breakers/transcription:flaky", key=key)
    found: dict[str, Any] = breaker
    return found


def local_transitions(server: RunningServer) -> list[str]:
    code = (
        "from featurememory.models import LocalTransition as L;"
        "print(*L.objects.order_by('number').values_list('to_state', flat=True))"
    )
    return server.manage("shell", "-v", "0", "-c", code).split()


def test_callers_notice_nothing_and_the_server_hears_of_it_all_afterwards(
    tmp_path: Path, database_environment: dict[str, str]
) -> None:
    server = start_server(tmp_path / "server", **database_environment)
    try:
        key = server.create_key("ingest", "read", "control")
        memory = FeatureMemory(server.url, key, breaker=SETTINGS, flush_interval_s=0.05, buffer_size=200_000)
        heard: list[str] = []
        memory.listen(lambda name, transition: heard.append(transition.to_state))
        caller = Caller(memory)
        wait_until(lambda: memory.following, "the stream")
        kill_everything(server)
        wait_until(lambda: not memory.following, "notice that the server is gone")
        assert memory.stats().breakers == "local"

        caller.failing.set()
        wait_until(lambda: state(memory) == "open", "a trip without the server")
        caller.failing.clear()
        wait_until(lambda: state(memory) == "closed", "recovery without the server")
        alone = list(heard)
        calls = caller.calls
        wait_until(lambda: caller.calls > calls + 100, "calls go on")

        server = start_again(server)
        wait_until(lambda: memory.following, "the stream again")
        wait_until(lambda: len(local_transitions(server)) >= len(alone), "the reports")
        assert memory.flush(60), memory.stats()
        wait_until(lambda: state(memory) == on_the_server(server, key)["state"] == "closed", "agreement")
        caller.stop()
        assert caller.surprises == []
        assert memory.flush(60), memory.stats()
        assert memory.stats().dropped == 0
        assert local_transitions(server)[: len(alone)] == alone
        assert {"open", "half_open", "closed"} <= set(alone)
        assert on_the_server(server, key)["config"]["max_failures"] == 3, "what the SDK declared"
        memory.close()
    finally:
        if server.process.poll() is None:
            server.stop()
