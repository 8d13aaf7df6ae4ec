"""The database, asked from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import OperationalError, close_old_connections

T = TypeVar("T")

ANSWER_WITHIN_S = 10.0
_threads = ThreadPoolExecutor(4, thread_name_prefix="database")


async def ask_database(question: Callable[[], T]) -> T:
    """What `question` answers, in a thread; OperationalError when there is no answer within ten seconds.

    The thread keeps its connection between questions, and looks before each whether it is still good: one that a
    restarted database has cut is replaced.
    """

    def ask() -> T:
        close_old_connections()
        return question()

    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await asyncio.get_running_loop().run_in_executor(_threads, ask)
    except TimeoutError:
        raise OperationalError(f"no answer within {ANSWER_WITHIN_S:.0f} s") from None
