"""A file of what has not been answered yet, so that it survives the end of the process."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from json import JSONDecodeError, loads

from featurememory.errors import ConfigurationError

MAX_BYTES = 256 * 1024 * 1024


class Spool:
    """JSON lines, one operation each, appended before they are sent and cut off when all have been answered.

    Written, not synced: it survives a crash of the process, not one of the machine. What is sent again after a
    restart is counted once, since the server knows the ids. It belongs to one process at a time.
    """

    def __init__(self, path: str) -> None:
        """ConfigurationError where the file cannot be used, or another process uses it."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"spool_path = {path!r} cannot be used ({error.strerror}): give each process a file of its own, in "
                "a directory it may write to.",
                field="spool_path",
            ) from None

    def left_over(self) -> Iterator[str]:
        """The operations of before, whole ones only: the last line may have been cut off by a crash."""
        with open(os.dup(self._file), encoding="utf-8", errors="replace") as lines:
            lines.seek(0)
            for line in lines:
                text = line.rstrip("\n")
                if _is_object(text):
                    yield text

    def append(self, texts: Iterable[str]) -> None:
        """OSError where the disk does not take it, or the file is full; the file is as it was then."""
        size = os.fstat(self._file).st_size
        if size > MAX_BYTES:
            raise OSError(f"the spool file is larger than {MAX_BYTES:,} bytes")
        data = "".join(text + "\n" for text in texts).encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, size)  # half a line would spoil the next one
            raise

    def clear(self) -> None:
        """All has been answered."""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _is_object(text: str) -> bool:
    try:
        return isinstance(loads(text), dict)
    except (JSONDecodeError, RecursionError):
        return False
