"""What an error of ours leads to: its metric, its notification and its remedy; what is not ours goes to a base handler.

The same for the SDK and for the server. Handling an error never raises another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final, Literal

from featurememory.errors import (
    CircuitBreakerError,
    ConfigurationError,
    ResourceConstraintError,
    ValidationError,
)

ErrorKind = Literal["validation", "circuit_breaker", "resource", "unknown"]
Notify = Callable[[ErrorKind, BaseException, object], object]
Remedy = Callable[[BaseException], object]
BaseHandler = Callable[[BaseException, object], object]

KINDS: Final[tuple[ErrorKind, ...]] = ("validation", "circuit_breaker", "resource", "unknown")


def kind_of_error(error: BaseException) -> ErrorKind:
    match error:
        case ValidationError() | ConfigurationError():
            return "validation"
        case CircuitBreakerError():
            return "circuit_breaker"
        case ResourceConstraintError():
            return "resource"
        case _:
            return "unknown"


class FeatureMemoryErrorHandler:
    """Thread-safe. `base` gets what is no error of ours, with the context it happened in; `notify` hears of each error
    with its kind; `remedies` has what is done about errors of a kind. None of them may harm the caller: what they
    raise is logged."""

    def __init__(
        self,
        base: BaseHandler | None = None,
        *,
        notify: Notify | None = None,
        remedies: Mapping[ErrorKind, Remedy] | None = None,
    ) -> None:
        self._base = base
        self._notify = notify
        self._remedies: dict[ErrorKind, Remedy] = dict(remedies or {})
        self._counts: dict[ErrorKind, int] = dict.fromkeys(KINDS, 0)
        self._lock = Lock()

    @property
    def counts(self) -> dict[ErrorKind, int]:
        """Errors handled so far, by kind."""
        with self._lock:
            return dict(self._counts)

    def remedy(self, kind: ErrorKind, remedy: Remedy) -> None:
        """What is done about errors of a kind from now on, unless something is already."""
        self._remedies.setdefault(kind, remedy)

    def handle(self, error: BaseException, context: object = None) -> ErrorKind:
        """Counts it, tells of it, and does what can be done about it."""
        kind = kind_of_error(error)
        with self._lock:
            self._counts[kind] += 1
        if self._notify is not None:
            self._safely(self._notify, kind, error, context)
        if (remedy := self._remedies.get(kind)) is not None:
            self._safely(remedy, error)
        if kind == "unknown" and self._base is not None:
            self._safely(self._base, error, context)
        return kind

    @staticmethod
    def _safely(act: Callable[..., object], *arguments: object) -> None:
        try:
            act(*arguments)
        except Exception:
            import logging  # 1 MB, which hosts of the SDK need not spend before something goes wrong

            logging.getLogger(__name__).exception("handling an error failed: %r", act)
