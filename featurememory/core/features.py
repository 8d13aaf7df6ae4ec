"""Feature vectors as callers give them: checked by name, held as float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurememory.errors import ValidationError

Vector = NDArray[np.float32]
"""Shape (dimension,)."""
Matrix = NDArray[np.float32]
"""Shape (vectors, dimension)."""

MAX_DIMENSIONS = 16_384
STORED = np.dtype("<f4")
"""How vectors are kept as bytes, whatever the machine's own order is."""
_LARGEST = float(np.finfo(np.float32).max)


def checked_features(
    values: Sequence[float] | NDArray[Any],
    dimension: int | None = None,
    *,
    max_dimensions: int = MAX_DIMENSIONS,
    field: str = "features",
) -> Vector:
    """`values` as a float32 vector of its own; ValidationError names the first number that cannot be taken.

    `dimension` is that of the feature space, None for a space's first vector. A vector of zeros is refused: it is
    what a model gives that has not run, and it has no direction to compare.
    """
    _check_shape(values, field)
    if not len(values):
        raise _fault(field, "empty", "is empty: give at least one number")
    if len(values) > max_dimensions:
        raise _fault(
            field,
            "too_long",
            f"has {len(values):,} numbers, more than the {max_dimensions:,} allowed: reduce the embedding",
        )
    if dimension is not None and len(values) != dimension:
        raise _fault(
            field,
            "dimension",
            f"has {len(values):,} numbers, but its feature space has {dimension:,}: "
            "send what the same model gives, or name another space",
        )
    numbers = _as_numbers(values, field)
    vector = numbers.astype(np.float32)
    if not vector.any():
        raise _fault(
            field, "zero", "is zero throughout, which says nothing: leave it away where there is none"
        )
    return vector


def _check_shape(values: object, field: str) -> None:
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise _fault(field, "shape", f"has {values.ndim} dimensions: give one flat list of numbers")
    elif isinstance(values, (str, bytes, bytearray)) or not isinstance(values, Sequence):
        raise _fault(field, "type", f"is of type {type(values).__name__}: give a list of numbers")


def _as_numbers(values: Sequence[float] | NDArray[Any], field: str) -> NDArray[np.float64]:
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiu":
            raise _fault(field, "type", f"holds values of type {values.dtype}: give real numbers")
    elif not {type(value) for value in values} <= {float, int}:
        _refuse_other_types(values, field)
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except OverflowError:
        raise _fault(field, "range", "holds a whole number beyond what float32 can hold") from None
    # Written so that NaN, which compares with nothing, is caught too.
    beyond = ~(np.abs(numbers) <= _LARGEST)
    if beyond.any():
        index = int(beyond.argmax())
        raise _fault(
            f"{field}[{index}]",
            "finite",
            f"is {numbers[index]:g}: give a finite number that float32 can hold",
        )
    return numbers


def _refuse_other_types(values: Sequence[Any], field: str) -> None:
    """Of subclasses and numpy's own scalars only real numbers pass; a bool is a yes or no, no measurement."""
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (float, int, np.floating, np.integer)):
            what = "null" if value is None else f"of type {type(value).__name__}"
            raise _fault(f"{field}[{index}]", "type", f"is {what}: give a number")


def _fault(field: str, code: str, what: str) -> ValidationError:
    message = f"{field} {what}."
    return ValidationError(message, errors=[{"field": field, "code": code, "message": message}])
