"""What the caller says about an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from featurememory.circuit_breaker import default_breaker_name
from featurememory.sdk.judgement import Errors, Judgement

if TYPE_CHECKING:
    from featurememory.sdk.validation import Fault

_FEW, _SHORT = 64, 40
"""Keys and values, and characters: even if each is escaped they take less than the 16,384 bytes that are kept."""
_SCALARS = frozenset((int, float, bool, type(None)))


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
        "faults",
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
        self.faults: tuple[Fault, ...] | None = None
        """What is wrong with all this (validation.py); None: nobody has looked yet."""
        judges = (ignore, record, failure_if) != (None, None, None)
        self.judgement = Judgement(ignore, record, failure_if) if judges else None

    def without_features(self) -> OperationContext:
        """The same in all else."""
        other = object.__new__(OperationContext)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.features = None
        return other

    @property
    def is_small(self) -> bool:
        """Whether parameters and attributes are a few short scalars: such can always be sent."""
        return all(map(_are_few_short_scalars, (self._parameters, self._attributes)))

    @property
    def parameters(self) -> dict[str, Any]:
        return _shown(self._parameters)

    @property
    def attributes(self) -> dict[str, Any]:
        return _shown(self._attributes)


def _kept(mapping: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Keys, then values: half the size of a dictionary, of which thousands may wait."""
    return (*mapping, *mapping.values()) if mapping else ()


def _are_few_short_scalars(kept: tuple[Any, ...]) -> bool:
    return len(kept) <= _FEW and all(
        type(each) in _SCALARS or (type(each) is str and len(each) <= _SHORT) for each in kept
    )


def _shown(kept: tuple[Any, ...]) -> dict[str, Any]:
    half = len(kept) // 2
    return dict(zip(kept[:half], kept[half:], strict=True))
