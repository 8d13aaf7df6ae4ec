"""What the host's log hears of us: each kind of thing once a minute, at most."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

_PERIOD_S = 60.0
_last: dict[str, float] = {}


def warn(kind: str, message: str) -> None:
    """A warning to the logger `featurememory`, unless there was one of its kind within the minute. Where the
    host's handlers fail, nothing is said, and nothing raised."""
    now = monotonic()
    if now - _last.get(kind, -_PERIOD_S) < _PERIOD_S:
        return
    _last[kind] = now
    with suppress(Exception):
        import logging  # 1 MB, so it is loaded with the first warning

        logging.getLogger("featurememory").warning("Feature Memory: %s", message)
