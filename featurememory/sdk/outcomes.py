"""How a call ended, by the exception it ended with."""

from __future__ import annotations

from featurememory.circuit_breaker.events import Kind, kind_of
from featurememory.errors import FeatureMemoryError
from featurememory.sdk.encoding import MAX_MESSAGE, Outcome


def outcome_of(error: BaseException) -> Outcome:
    """Cancelled: whatever is meant to end more than this call (KeyboardInterrupt, SystemExit, GeneratorExit,
    and the cancellation of asyncio, trio and futures). Rejected: our own refusals, such as an inner
    breaker's."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, FeatureMemoryError):
        return "rejected"
    if not isinstance(error, Exception) or type(error).__name__ == "CancelledError":
        return "cancelled"
    return "error"


def outcome_kind(error: BaseException) -> Kind:
    """What the exception means to a breaker."""
    return kind_of(outcome_of(error))


def described(error: BaseException) -> tuple[str, str]:
    """(type, message as far as it is sent), kept instead of the exception, which would keep its frames
    alive."""
    try:
        message = str(error)
    except Exception:
        message = ""
    return type(error).__name__, message[:MAX_MESSAGE]
