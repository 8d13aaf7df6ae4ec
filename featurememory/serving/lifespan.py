"""What a web process starts before its first request and ends after its last."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from featurememory.ingestion.receive import close_intake, intake
from featurememory.live.hub import Hub
from featurememory.serving.checkpoints import Checkpoints
from featurememory.serving.heartbeat import Heartbeat, web_metrics
from featurememory.serving.preparation import read_spaces

logger = logging.getLogger(__name__)

STORE_WITHIN_S = 30.0


class Lifespan:
    """The ASGI lifespan protocol around the hub, the writer and the heartbeat."""

    hub: Hub

    async def __call__(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        await receive()
        self.hub = Hub(asyncio.get_running_loop())
        self.hub.start()
        intake()
        threading.Thread(target=read_spaces, name="read-spaces", daemon=True).start()
        checkpoints = Checkpoints()
        checkpoints.start()
        heartbeat = Heartbeat("web", metrics=lambda: web_metrics(self.hub))
        heartbeat.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.hub.stop()
        if not await asyncio.to_thread(close_intake, STORE_WITHIN_S):
            logger.error("operations that were not answered are left unstored: the database takes too long")
        await asyncio.to_thread(checkpoints.stop)
        await asyncio.to_thread(heartbeat.stop)
        await send({"type": "lifespan.shutdown.complete"})

    def end_streams(self) -> None:
        """Lets every open stream end now, so that a stopping server need not wait for them."""
        if hasattr(self, "hub"):
            self.hub.end_streams()
