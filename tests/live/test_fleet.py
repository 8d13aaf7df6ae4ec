"""Several processes with the SDK, one real server: they trip, probe, close and obey together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Barrier, Lock, Thread
from typing import Any
from uuid import uuid4

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from tests.live.breakers import act, applied_everywhere
from tests.servers import RunningServer, wait_until

ALL = ("ingest", "read", "control")


class Fleet:
    """Two memories that follow the server; each is to it a process of its own."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.key = server, server.create_key(*ALL)
        self.context = OperationContext("fleet", model=uuid4().hex[:12])
        self.name = self.context.breaker_name
        self.memories = [FeatureMemory(server.url, self.key, flush_interval_s=0.02) for _ in range(2)]
        for memory in self.memories:
            memory.handle_operation(int, self.context)
            assert memory.flush()
        wait_until(lambda: all(memory.following for memory in self.memories), "the streams")

    def close(self) -> None:
        for memory in self.memories:
            memory.close()

    def fail(self, memory: FeatureMemory, times: int) -> None:
        for _ in range(times):
            with suppress(ZeroDivisionError, CircuitBreakerError):
                memory.handle_operation(lambda: 1 / 0, self.context)

    def configure(self, **config: Any) -> None:
        body = {"config": config, "reason": "a test"}
        status, _, answer = self.server.request("PUT", f"/api/v1/breakers/{self.name}", body, key=self.key)
        assert status == 200, answer
        limit = config.get("max_failures")
        for memory in self.memories:
            wait_until(
                lambda memory=memory: memory.breaker(self.name).config.max_failures == limit, "the setting"
            )

    def states(self) -> list[str]:
        return [memory.breakers()[self.name].state for memory in self.memories]

    def on_the_server(self) -> dict[str, Any]:
        _, _, breaker = self.server.request("GET", f"/api/v1/breakers/{self.name}", key=self.key)
        found: dict[str, Any] = breaker
        return found


@pytest.fixture
def fleet(shared_server: RunningServer) -> Iterator[Fleet]:
    made = Fleet(shared_server)
    yield made
    made.close()


def test_a_trip_in_one_process_opens_the_breaker_in_all(fleet: Fleet) -> None:
    fleet.configure(max_failures=5, reset_timeout_ms=60_000)
    fleet.fail(fleet.memories[0], 5)
    wait_until(lambda: fleet.states() == ["open", "open"], "the other process's refusal")
    ran: list[int] = []
    with pytest.raises(CircuitBreakerError):
        fleet.memories[1].handle_operation(lambda: ran.append(1), fleet.context)
    assert ran == []
    assert fleet.on_the_server()["state"] == "open"


def test_probes_are_counted_over_all_processes_and_close_it_for_all(fleet: Fleet) -> None:
    fleet.configure(max_failures=5, reset_timeout_ms=50, half_open_permits=2, jitter=0)
    fleet.fail(fleet.memories[0], 5)
    wait_until(lambda: "closed" not in fleet.states(), "the trip everywhere")
    lock, together = Lock(), Barrier(8)
    running = most = 0

    def probe() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    def call(memory: FeatureMemory) -> None:
        together.wait(30)
        while fleet.on_the_server()["state"] != "closed":
            with suppress(CircuitBreakerError):
                memory.handle_operation(probe, fleet.context)

    threads = [Thread(target=call, args=(memory,)) for memory in fleet.memories * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most <= 2
    wait_until(lambda: fleet.states() == ["closed", "closed"], "agreement")


def test_settings_take_effect_everywhere_without_a_restart(fleet: Fleet) -> None:
    fleet.configure(max_failures=2, reset_timeout_ms=60_000)
    fleet.fail(fleet.memories[1], 2)
    assert fleet.states()[1] == "open"
    wait_until(lambda: fleet.states() == ["open", "open"], "the other process's refusal")


def test_an_operators_act_is_applied_everywhere_and_that_is_known(fleet: Fleet) -> None:
    act(fleet.server, fleet.key, fleet.name, "force-open")
    wait_until(lambda: fleet.states() == ["forced_open", "forced_open"], "the operator's word")

    connected, everybody, slowest_ms, waiting = wait_until(
        lambda: applied_everywhere(fleet.server, fleet.name), "the acknowledgements"
    )
    assert connected == everybody >= 2
    assert waiting == []
    assert 0 < slowest_ms < 5_000
    act(fleet.server, fleet.key, fleet.name, "reset")
    wait_until(lambda: fleet.states() == ["closed", "closed"], "the reset")


def test_what_one_process_did_alone_is_on_record(fleet: Fleet) -> None:
    fleet.configure(max_failures=3, reset_timeout_ms=60_000)
    fleet.fail(fleet.memories[0], 3)
    code = (
        "from featurememory.models import LocalTransition as L;"
        f"print(*L.objects.filter(name='{fleet.name}').values_list('cause', flat=True))"
    )
    causes = wait_until(lambda: fleet.server.manage("shell", "-v", "0", "-c", code).split(), "the report")
    assert causes == ["max_failures"]
