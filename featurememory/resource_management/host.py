"""What the system says of memory: the host's, that of the container's limits around this process, the process's own.

Linux tells it in files, which cost microseconds and no library; elsewhere psutil is asked where it is installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

MB = 2**20
_UNLIMITED = 2**60
"""Version 1 of cgroups writes a number as large as this where there is no limit."""


class MemoryUse(NamedTuple):
    """In bytes."""

    used: int
    """What cannot be had without somebody giving it up."""
    limit: int
    limited_by: str = "host"
    """`host` or `container`."""

    @property
    def percent(self) -> float:
        return 100 * self.used / self.limit


def memory_use(root: str = "/") -> MemoryUse | None:
    """Of the host or of the container's limit, whichever is used up further; None where there is no telling."""
    found = [each for each in (_host(root), *_containers(root)) if each is not None]
    return max(found, key=lambda each: each.percent) if found else _asked_of_psutil()


def process_memory_mb(pid: int | str = "self") -> float | None:
    """Resident memory of a process; pages that it shares with others count in full."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    with suppress(ImportError, OSError):
        import psutil

        return float(psutil.Process(None if pid == "self" else int(pid)).memory_info().rss) / MB
    return None


def proportional_memory_mb(pid: int | str = "self") -> float | None:
    """Memory of a process, of shared pages its share (PSS), so that processes can be summed up; its resident memory
    where the system does not tell that."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) / 1_024
    return process_memory_mb(pid)


def _host(root: str) -> MemoryUse | None:
    with suppress(OSError, ValueError, KeyError, IndexError), open(f"{root}proc/meminfo", "rb") as file:
        kilobytes = {line.split()[0]: int(line.split()[1]) for line in file.readlines()[:3]}
        total = kilobytes[b"MemTotal:"] * 1_024
        if total:
            return MemoryUse(total - kilobytes[b"MemAvailable:"] * 1_024, total)
    return None


def _containers(root: str) -> Iterator[MemoryUse]:
    """Each limit around this process, by version 1 and 2 of Linux's cgroups."""
    with suppress(OSError), open(f"{root}proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if "memory" in controllers.split(","):
                yield from _limited(f"{root}sys/fs/cgroup/memory", path, _VERSION_1)
            elif not controllers:
                yield from _limited(f"{root}sys/fs/cgroup", path, _VERSION_2)


class _Files(NamedTuple):
    limit: str
    used: str
    reclaimable: bytes
    """In memory.stat: file pages that the kernel drops before anybody has to go without, as `docker stats` has it."""


_VERSION_1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", b"total_inactive_file")
_VERSION_2 = _Files("memory.max", "memory.current", b"inactive_file")


def _limited(mount: str, path: str, files: _Files) -> Iterator[MemoryUse]:
    """The group and those around it; inside a container only its own is seen, at the mount's root."""
    while True:
        if use := _group(f"{mount}{path.rstrip('/')}", files):
            yield use
        if path in ("", "/"):
            return
        path = os.path.dirname(path)


def _group(folder: str, files: _Files) -> MemoryUse | None:
    with suppress(OSError, ValueError):
        limit = _number(f"{folder}/{files.limit}")
        if not 0 < limit < _UNLIMITED:
            return None
        used = _number(f"{folder}/{files.used}")
        with suppress(OSError, ValueError, IndexError), open(f"{folder}/memory.stat", "rb") as file:
            for line in file:
                name, value = line.split()
                if name == files.reclaimable:
                    used -= int(value)
        return MemoryUse(max(used, 0), limit, "container")
    return None


def _number(path: str) -> int:
    """ValueError for version 2's `max`, which is no limit."""
    with open(path, "rb") as file:
        return int(file.read())


def _asked_of_psutil() -> MemoryUse | None:
    with suppress(ImportError, OSError):
        import psutil

        memory = psutil.virtual_memory()
        return MemoryUse(memory.total - memory.available, memory.total)
    return None
