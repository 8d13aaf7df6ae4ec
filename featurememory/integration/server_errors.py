"""What errors lead to on the server: each is counted (the heartbeat tells of it), a lack of room is logged and has the
constraints checked at once, and what nobody has foreseen is logged whole."""

from __future__ import annotations

import logging
from threading import Lock
from time import monotonic

from kombu.exceptions import OperationalError

from featurememory.integration.error_handler import FeatureMemoryErrorHandler

logger = logging.getLogger(__name__)

ENFORCE = "featurememory.enforce_constraints"
ASK_EVERY_S = 10.0


class ConstraintCheck:
    """Has the constraints checked by a worker, every ten seconds at most; the schedule does it anyway."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked = -ASK_EVERY_S

    def ask(self, because: object = None) -> None:
        with self._lock:
            if monotonic() - self._asked < ASK_EVERY_S:
                return
            self._asked = monotonic()
        if because is not None:
            logger.warning("no room: %s", because)
        from featurememory.celery import app

        try:
            app.send_task(ENFORCE, expires=60, retry=False)
        except (OperationalError, OSError) as failure:
            logger.warning("the check of constraints waits for the schedule: %s", failure)


def _log(error: BaseException, context: object) -> None:
    logger.error("%s failed", context, exc_info=error)


CHECK = ConstraintCheck()
ERRORS = FeatureMemoryErrorHandler(_log, remedies={"resource": CHECK.ask})
"""Of this process."""
