"""What the SDK adds to the memory of its host, a bare interpreter: after its import, after 10,000 operations at the
rate of a busy orchestrator, with a server and without, and while 10,000 wait that came at once."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks import Row
from tests.sdk.peer import running_peer

PROGRAM = """
import sys
from threading import Event

def memory():
    with open("/proc/self/smaps_rollup") as file:
        sizes = dict(line.split()[:2] for line in file.read().splitlines()[1:])
    return int(sizes["Pss:"]), int(sizes["Private_Clean:"]) + int(sizes["Private_Dirty:"])

memory()
before = memory()
from featurememory import FeatureMemory, OperationContext

url, rate = sys.argv[1], int(sys.argv[2])
feature_memory = FeatureMemory(url, "fm_test", exit_timeout_s=0)
for number in range(rate and 10_000):
    if number % (rate // 50) == 0:
        Event().wait(0.02)
    parameters = {"steps": number % 60, "guidance": 3.5}
    context = OperationContext("text_to_audio", model="audioldm", parameters=parameters)
    feature_memory.handle_operation(int, context)
print(*before, *memory(), *feature_memory.stats()[:3])
"""
AT_ONCE = 1_000_000


def run() -> list[Row]:
    with running_peer() as peer:
        rows = _measure("imported", peer.url, 0)
        rows += _measure("10,000 operations at 5,000/s", peer.url, 5_000)
        rows += _measure("10,000 operations at once", peer.url, AT_ONCE)
        absent = peer.url
    return rows + _measure("10,000 operations at 5,000/s, server away", absent, 5_000)


def _measure(name: str, url: str, rate: int) -> list[Row]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, str(rate)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    pss_before, uss_before, pss, uss, *_ = map(int, done.stdout.split())
    added = {"PSS": (pss - pss_before) / 1_024, "USS": (uss - uss_before) / 1_024}
    return [
        Row(f"SDK memory, {name}, {kind}", "100", "< 8", f"{size:.1f}", "MB", size < 8)
        for kind, size in added.items()
    ]
