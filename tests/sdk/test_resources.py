"""Validating resources first: memory that is short refuses operations before any breaker is asked."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from featurememory import FeatureMemory, OperationContext, ResourceConstraintError
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.resource_management.host import (
    MemoryUse,
    memory_use,
    process_memory_mb,
    proportional_memory_mb,
)
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.encoding import Finished
from featurememory.sdk.operation import GuardedOperation
from featurememory.sdk.resources import HostResources


class Host:
    """A host whose memory a test sets, in per cent."""

    def __init__(self, percent: float = 50.0, process_mb: float = 100.0) -> None:
        self.percent = percent
        self.process_mb = process_mb

    def resources(self, **limits: Any) -> HostResources:
        return HostResources(
            memory=lambda: MemoryUse(int(self.percent * 10), 1_000),
            process_mb=lambda: self.process_mb,
            look_every_s=0,
            **limits,
        )


def operation(resources: HostResources, recorded: list[Finished] | None = None) -> GuardedOperation:
    breakers = Breakers(BreakerConfig(), 10)
    record = [].append if recorded is None else recorded.append
    return GuardedOperation(breakers, record, OperationContext("embed", model="m"), resources=resources)


def test_short_memory_refuses_the_call_and_names_the_limit() -> None:
    host, recorded = Host(percent=96), list[Finished]()
    with (
        pytest.raises(
            ResourceConstraintError, match=r"96 % of the host's memory is used, of 95 %"
        ) as refusal,
        operation(host.resources(), recorded),
    ):
        pytest.fail("it must not run")
    assert refusal.value.data == {"resource": "max_host_memory_percent", "used": 96.0, "limit": 95}
    assert [each.outcome for each in recorded] == ["rejected"]


def test_a_limit_of_the_process_is_its_own() -> None:
    host = Host(process_mb=501)
    with operation(host.resources()):
        pass
    with pytest.raises(ResourceConstraintError, match="501 MB of memory are used, of 500 MB"):
        operation(host.resources(max_memory_mb=500)).__enter__()


def test_calls_go_on_only_when_there_is_clearly_room_again() -> None:
    host = Host(percent=95)
    resources = host.resources()
    refused = []
    for percent in (94, 95, 94, 91, 90, 94, 95):
        host.percent = percent
        try:
            with operation(resources):
                refused.append(False)
        except ResourceConstraintError:
            refused.append(True)
    assert refused == [False, True, True, True, False, False, True]


def test_asynchronous_operations_are_refused_as_well() -> None:
    async def call() -> None:
        async with operation(Host(percent=99).resources()):
            pytest.fail("it must not run")

    with pytest.raises(ResourceConstraintError):
        asyncio.run(call())


def test_memory_is_looked_at_once_a_second() -> None:
    looks = []
    resources = HostResources(memory=lambda: looks.append(1) or MemoryUse(1, 2))  # type: ignore[func-returns-value]
    for _ in range(100):
        with operation(resources):
            pass
    assert len(looks) <= 2


def test_refusals_are_counted_and_told_with_their_kind() -> None:
    told = []
    from featurememory import FeatureMemoryErrorHandler

    handler = FeatureMemoryErrorHandler(notify=lambda kind, error, context: told.append((kind, context)))
    memory = FeatureMemory("", max_host_memory_percent=10, error_handler=handler)
    memory._resources = Host(percent=50).resources(max_host_memory_percent=10)
    context = OperationContext("embed")
    with pytest.raises(ResourceConstraintError):
        memory.handle_operation(lambda: 1, context)
    assert told == [("resource", context)]
    assert memory.stats().errors == {"resource": 1}


class TestAContainersLimit:
    """By files as Linux writes them, under a root of the test's own."""

    def make(self, root: Path, files: dict[str, str]) -> str:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return f"{root}/"

    MEMINFO = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\n"

    def test_without_one_the_host_counts(self, tmp_path: Path) -> None:
        root = self.make(
            tmp_path,
            {
                "proc/meminfo": self.MEMINFO,
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.current": "5\n",
            },
        )
        assert memory_use(root) == MemoryUse(400 * 1024, 1000 * 1024, "host")

    def test_that_of_version_2_counts_without_what_the_kernel_can_drop(self, tmp_path: Path) -> None:
        root = self.make(
            tmp_path,
            {
                "proc/meminfo": self.MEMINFO,
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "1000\n",
                "sys/fs/cgroup/a/memory.current": "950\n",
                "sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 150\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
            },
        )
        assert memory_use(root) == MemoryUse(800, 1000, "container")

    def test_that_of_version_1_counts(self, tmp_path: Path) -> None:
        root = self.make(
            tmp_path,
            {
                "proc/meminfo": self.MEMINFO,
                "proc/self/cgroup": "4:memory:/x\n0::/\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2000\n",
                "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1900\n",
                "sys/fs/cgroup/memory/x/memory.stat": "total_inactive_file 100\n",
            },
        )
        assert memory_use(root) == MemoryUse(1800, 2000, "container")

    def test_inside_a_container_its_own_group_is_the_root(self, tmp_path: Path) -> None:
        root = self.make(
            tmp_path,
            {
                "proc/meminfo": self.MEMINFO,
                "proc/self/cgroup": "0::/docker/of/the/host\n",
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "990\n",
            },
        )
        assert memory_use(root) == MemoryUse(990, 1000, "container")

    def test_without_any_file_psutil_is_asked(self, tmp_path: Path) -> None:
        use = memory_use(f"{tmp_path}/")
        assert use is not None
        assert 0 < use.percent < 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_figures_of_this_process_are_figures() -> None:
    resident, proportional = process_memory_mb(), proportional_memory_mb()
    assert resident is not None
    assert proportional is not None
    assert 1 < proportional <= resident + 1
