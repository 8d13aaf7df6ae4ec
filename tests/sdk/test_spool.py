"""What a spool file keeps over a restart."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from featurememory import ConfigurationError, FeatureMemory, OperationContext
from featurememory.sdk.spool import Spool
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer, running_peer


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "spool.jsonl")


@pytest.fixture
def nowhere() -> str:
    with running_peer() as gone:
        return gone.url


def record(memory: FeatureMemory, count: int) -> None:
    for _ in range(count):
        memory.handle_operation(lambda: None, OperationContext("analysis"))


def test_what_was_not_delivered_is_sent_by_the_next_process(
    make_memory: MakeMemory, peer: Peer, path: str, nowhere: str
) -> None:
    first = make_memory(url=nowhere, spool_path=path)
    record(first, 1_234)
    assert not first.close(0.3)
    second = make_memory(spool_path=path)
    assert second.flush(10)
    assert len(peer.operations) == 1_234
    assert Path(path).stat().st_size == 0


def test_it_survives_a_process_that_is_killed(
    make_memory: MakeMemory, peer: Peer, path: str, nowhere: str
) -> None:
    program = f"""
from featurememory import FeatureMemory, OperationContext
memory = FeatureMemory({nowhere!r}, spool_path={path!r}, flush_interval_s=0.01)
for _ in range(300):
    memory.handle_operation(int, OperationContext("analysis"))
print("recorded", flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline = monotonic() + 10
    while Path(path).read_bytes().count(b"\n") < 300:
        assert monotonic() < deadline, "nothing was spooled"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    process.stdin.close()  # type: ignore[union-attr]
    assert make_memory(spool_path=path).flush(10)
    assert len(peer.operations) == 300


def test_it_is_empty_when_all_has_been_answered(make_memory: MakeMemory, path: str) -> None:
    memory = make_memory(spool_path=path)
    record(memory, 100)
    assert memory.close(10)
    assert Path(path).stat().st_size == 0


def test_a_line_cut_off_by_a_crash_costs_only_itself(path: str) -> None:
    Path(path).write_bytes(b'{"id":"1"}\n\n[]\n\xff\xfe\n{"id":"2"}\n{"id":"3","operation_ty')
    spool = Spool(path)
    assert list(spool.left_over()) == ['{"id":"1"}', '{"id":"2"}']
    spool.close()


def test_two_processes_do_not_share_a_file(path: str) -> None:
    spool = Spool(path)
    with pytest.raises(ConfigurationError, match="spool_path"):
        Spool(path)
    spool.close()


def test_a_forked_child_leaves_the_parents_file_alone(make_memory: MakeMemory, peer: Peer, path: str) -> None:
    memory = make_memory(spool_path=path, flush_interval_s=3_600)
    record(memory, 1)
    child = os.fork()
    if child == 0:
        try:
            record(memory, 1)
            os._exit(0 if memory.close(10) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert memory.flush(10)
    assert len(peer.operations) == 2
    with pytest.raises(ConfigurationError):
        Spool(path)


@pytest.mark.parametrize("unusable", ["/dev/full", "/nowhere/spool.jsonl", "/"])
def test_only_a_file_that_can_be_written_is_taken(unusable: str) -> None:
    with pytest.raises(ConfigurationError, match="spool_path"):
        Spool(unusable)


def test_a_file_that_is_full_fails_no_call(
    make_memory: MakeMemory, peer: Peer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featurememory.sdk.spool.MAX_BYTES", -1)
    memory = make_memory(spool_path=path)
    record(memory, 10)
    assert memory.flush(10)
    assert len(peer.operations) == 10
    assert "spool" in memory.stats().last_error


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is nearly full: what fits is written, the rest fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_the_disk_takes_in_half_does_not_spoil_the_next_line(path: str) -> None:
    spool = Spool(path)
    spool.append(['{"id":"1"}'])
    with files_no_larger_than(15), pytest.raises(OSError, match="large"):
        spool.append(['{"id":"2"}'])
    spool.append(['{"id":"3"}'])
    assert list(spool.left_over()) == ['{"id":"1"}', '{"id":"3"}']
    spool.close()


@pytest.mark.parametrize("how", ["closed", "gone"])
def test_a_memory_that_was_never_used_frees_its_file(how: str, path: str, nowhere: str) -> None:
    memory = FeatureMemory(nowhere, spool_path=path, follow_breakers=False)
    if how == "closed":
        memory.close(0)
    del memory
    Spool(path).close()


def test_a_memory_that_closes_during_an_outage_frees_its_file_in_time(
    make_memory: MakeMemory, path: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        memory = make_memory(url=f"http://127.0.0.1:{deaf.getsockname()[1]}", spool_path=path)
        record(memory, 1)
        assert not memory.close(0.1)
        spool = Spool(path)
        assert len(list(spool.left_over())) == 1
        spool.close()
