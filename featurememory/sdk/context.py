"""What the caller says about an operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from featurememory.circuit_breaker import default_breaker_name


class OperationContext:
    """What is called, with what, and which breaker guards it; one context may serve many calls.

    Mappings and features are copied, so that the caller may go on changing its own. `features` are finite
    numbers of the feature space `space`; `breaker` is for callers who want another one than that of
    (operation_type, model); `trace_id` (32 hex digits) and `span_id` (16) tie the operation to a trace.
    """

    __slots__ = (
        "attributes",
        "breaker",
        "features",
        "model",
        "operation_type",
        "parameters",
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
    ) -> None:
        self.operation_type = operation_type
        self.model = model
        self.parameters: dict[str, Any] | None = dict(parameters) if parameters else None
        self.attributes: dict[str, Any] | None = dict(attributes) if attributes else None
        self.features: tuple[float, ...] | None = None if features is None else tuple(features)
        self.space = space
        self.breaker = breaker
        self.trace_id = trace_id
        self.span_id = span_id

    @property
    def breaker_name(self) -> str:
        return self.breaker or default_breaker_name(self.operation_type, self.model)
