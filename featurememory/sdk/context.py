"""What the caller says about an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from featurememory.circuit_breaker import default_breaker_name
from featurememory.sdk.judgement import Errors, Judgement


class OperationContext:
    """What is called, with what, and which breaker guards it; one context may serve many calls.

    Mappings and features are copied, so that the caller may go on changing its own. `features` are finite
    numbers of the feature space `space`; `breaker` is for callers who want another one than that of
    (operation_type, model); `trace_id` (32 hex digits) and `span_id` (16) tie the operation to a trace. `ignore`,
    `record` and `failure_if` say which results are failures to the breaker (Judgement documents them).
    """

    __slots__ = (
        "_attributes",
        "_parameters",
        "breaker",
        "breaker_name",
        "features",
        "judgement",
        "model",
        "operation_type",
        "space",
        "span_id",
        "trace_id",
    )

    def __init__(
        self,
        operation_type: str,
        *,
        model: str = "",
        parameters: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        features: Iterable[float] | None = None,
        space: str = "",
        breaker: str = "",
        trace_id: str = "",
        span_id: str = "",
        ignore: Errors | None = None,
        record: Errors | None = None,
        failure_if: Callable[[Any], bool] | None = None,
    ) -> None:
        self.operation_type = operation_type
        self.model = model
        self._parameters = _kept(parameters)
        self._attributes = _kept(attributes)
        self.features: tuple[float, ...] | None = None if features is None else tuple(features)
        self.space = space
        self.breaker = breaker
        self.breaker_name = breaker or default_breaker_name(operation_type, model)
        self.trace_id = trace_id
        self.span_id = span_id
        judges = (ignore, record, failure_if) != (None, None, None)
        self.judgement = Judgement(ignore, record, failure_if) if judges else None

    @property
    def parameters(self) -> dict[str, Any]:
        return _shown(self._parameters)

    @property
    def attributes(self) -> dict[str, Any]:
        return _shown(self._attributes)


def _kept(mapping: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Keys, then values: half the size of a dictionary, of which thousands may wait."""
    return (*mapping, *mapping.values()) if mapping else ()


def _shown(kept: tuple[Any, ...]) -> dict[str, Any]:
    half = len(kept) // 2
    return dict(zip(kept[:half], kept[half:], strict=True))
