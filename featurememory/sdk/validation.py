"""What a caller gives with an operation, looked at before the operation runs: bad input is no failure of a model.

Without numpy: 768 numbers take about 10 us, as C reads them.
"""

from __future__ import annotations

from array import array
from math import isfinite
from typing import Any, Final, NamedTuple

from featurememory.errors import ValidationError
from featurememory.sdk.context import OperationContext
from featurememory.sdk.encoding import text_of, why_omitted

MAX_FEATURES: Final = 8_192


SOUND: Final[tuple[Fault, ...]] = ()
"""The faults of a context that was looked at and has none; this very object, so that calls need not look into it."""


class Fault(NamedTuple):
    field: str
    code: str
    message: str
    """Completes the field's name, and says what would be right."""


def faults_of(context: OperationContext) -> tuple[Fault, ...]:
    """What cannot be kept of what the caller said; it is looked for once, however many calls a context serves."""
    if context.faults is None:
        found = [None if context.features is None else _of_features(context.features)]
        if not context.is_small:
            found += [_of_object(name, getattr(context, name)) for name in ("parameters", "attributes")]
        context.faults = tuple(fault for fault in found if fault is not None) or SOUND
    return context.faults


def refusal(faults: tuple[Fault, ...]) -> ValidationError:
    told = "; ".join(f"{fault.field} {fault.message}" for fault in faults)
    return ValidationError(f"The operation did not run: {told}.", [fault._asdict() for fault in faults])


def _of_features(features: tuple[Any, ...]) -> Fault | None:
    if not features:
        return Fault("features", "empty", "is empty: give at least one number, or None")
    if len(features) > MAX_FEATURES:
        message = (
            f"has {len(features):,} numbers, more than the {MAX_FEATURES:,} allowed: reduce the embedding"
        )
        return Fault("features", "too_long", message)
    try:
        numbers = array("f", features)  # as they are kept: what is too large becomes infinite
    except Exception:
        return _first_that_is_no_number(features)
    if not isfinite(sum(numbers)):
        return _first_that_is_not_finite(features, numbers)
    if not any(numbers):
        return Fault(
            "features", "zero", "is zero throughout, which says nothing: give None where there is none"
        )
    return None


def _first_that_is_no_number(features: tuple[Any, ...]) -> Fault:
    for index, value in enumerate(features):
        try:
            array("f", (value,))
        except Exception:
            message = f"is of type {type(value).__name__}: give a number"
            return Fault(f"features[{index}]", "type", message)
    return Fault("features", "type", "cannot be read as numbers: give a flat list of them")


def _first_that_is_not_finite(features: tuple[Any, ...], numbers: array[float]) -> Fault:
    index = next(index for index, number in enumerate(numbers) if not isfinite(number))
    message = f"is {text_of(features[index])[:40]}: give a finite number that 32-bit floating point can hold"
    return Fault(f"features[{index}]", "finite", message)


def _of_object(name: str, value: dict[str, Any]) -> Fault | None:
    why = why_omitted(value)
    return Fault(name, "object", f"cannot be sent ({why}): give less, or plain values") if why else None
