"""Which results are failures to a breaker, where the caller knows better than the exception's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from featurememory.circuit_breaker.events import Kind
from featurememory.sdk.host_log import warn

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


class Judgement:
    """`ignore`: errors that say nothing about the model; `record`: the only ones that do; either as classes, or as a
    predicate. `failure_if` judges results that were returned. A predicate that fails itself decides nothing."""

    __slots__ = ("_failure_if", "_ignore", "_record")

    def __init__(
        self,
        ignore: Errors | None = None,
        record: Errors | None = None,
        failure_if: Callable[[Any], bool] | None = None,
    ) -> None:
        self._ignore = ignore
        self._record = record
        self._failure_if = failure_if

    def over(self, others: Judgement) -> Judgement:
        """This one where it says something, else `others`."""
        return Judgement(
            others._ignore if self._ignore is None else self._ignore,
            others._record if self._record is None else self._record,
            others._failure_if if self._failure_if is None else self._failure_if,
        )

    def of_error(self, error: BaseException, kind: Kind) -> Kind:
        """What `error` means, which by its class alone is `kind`."""
        if kind == "failure" and (
            _matches(self._ignore, error) or (self._record is not None and not _matches(self._record, error))
        ):
            return "ignored"
        return kind

    def is_failure(self, result: object) -> bool:
        return self._failure_if is not None and _says_yes(self._failure_if, result)


PLAIN = Judgement()


def _matches(errors: Errors | None, error: BaseException) -> bool:
    if errors is None:
        return False
    if isinstance(errors, type | tuple):
        return isinstance(error, errors)
    return _says_yes(errors, error)


def _says_yes(predicate: Callable[[Any], bool], value: object) -> bool:
    try:
        return bool(predicate(value))
    except Exception as error:
        warn("judgement", f"{predicate!r} failed and decides nothing: {error!r}")
        return False
