"""What the host's log hears of us: each thing once a minute, at most."""

from __future__ import annotations

from time import monotonic

_PERIOD_S = 60.0
_last: dict[str, float] = {}


def warn(subject: str, message: str) -> None:
    """A warning to the logger `featurememory`. `logging` takes 1 MB, so it is loaded with the first of
    them."""
    now = monotonic()
    if now - _last.get(subject, -_PERIOD_S) < _PERIOD_S:
        return
    _last[subject] = now
    import logging

    logging.getLogger("featurememory").warning("%s: %s", subject, message)
