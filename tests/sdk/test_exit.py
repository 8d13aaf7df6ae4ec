"""The end of the host's program: what it recorded arrives, and a missing server does not hold it up."""

from __future__ import annotations

import socket
import subprocess
import sys
from time import monotonic

from tests.sdk.peer import Peer, running_peer

PROGRAM = """
from featurememory import FeatureMemory, OperationContext
memory = FeatureMemory({url!r}, "fm_test", flush_interval_s=3600, exit_timeout_s={timeout})
for _ in range(1_234):
    memory.handle_operation(lambda: None, OperationContext("analysis"))
{end}
"""

LOCAL = """
from featurememory import FeatureMemory, OperationContext
def main():
    memory = FeatureMemory({url!r}, "fm_test", flush_interval_s=3600)
    for _ in range(1_234):
        memory.handle_operation(lambda: None, OperationContext("analysis"))
main()
"""
FORK = """
import os
from time import monotonic
del memory  # delivery goes on
began, child = monotonic(), os.fork()
if child:
    os.waitpid(child, 0)
    os._exit(0 if monotonic() - began < 30 else 1)
"""


def run(url: str, end: str = "", timeout: float = 10) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(url=url, end=end, timeout=timeout)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_a_program_that_ends_has_delivered(peer: Peer) -> None:
    done = run(peer.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(peer.operations) == 1_234


def test_a_program_that_fails_has_delivered_too(peer: Peer) -> None:
    done = run(peer.url, "raise SystemExit(3)")
    assert done.returncode == 3
    assert len(peer.operations) == 1_234


def test_a_program_that_keeps_its_memory_in_a_function_has_delivered_too(peer: Peer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOCAL.format(url=peer.url)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(peer.operations) == 1_234


def test_a_forked_child_does_not_wait_for_what_is_the_parents() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        done = run(f"http://127.0.0.1:{deaf.getsockname()[1]}", FORK, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_server_holds_up_the_end_no_longer_than_agreed() -> None:
    with running_peer() as gone:
        url = gone.url
    began = monotonic()
    done = run(url, timeout=0.2)
    assert done.returncode == 0
    assert monotonic() - began < 5
