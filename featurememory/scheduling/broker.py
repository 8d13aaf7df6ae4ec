"""Kombu's transport by files in a folder, with messages that appear whole.

Kombu writes into the file that readers already see: one that looks in between finds half a message, and its worker
ends.
"""

from __future__ import annotations

import logging
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

SCHEME = "folder"


class Channel(filesystem.Channel):
    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{round(monotonic() * 1_000)}_{uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        unfinished = folder / f".{name}.part"
        unfinished.write_text(dumps(message), encoding="utf-8")
        unfinished.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """A message that a loss of power left broken is none: the schedule sends the next."""
        try:
            return super()._get(queue)
        except ValueError as broken:
            logger.warning("a message in %s cannot be read and is left out: %s", self.data_folder_in, broken)
            raise Empty from broken


class Transport(filesystem.Transport):
    Channel = Channel


def register() -> str:
    """Makes it known to Kombu; the address of a broker that uses it."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
    return f"{SCHEME}://localhost"
