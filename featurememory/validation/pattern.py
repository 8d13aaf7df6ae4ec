"""Whether a feature vector can become, or be recognised as, a pattern of its space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from featurememory.core.features import Vector, checked_features
from featurememory.errors import ValidationError
from featurememory.validation.results import (
    Finding,
    Subject,
    ValidationResult,
    error,
    findings_of,
    warning,
)

CHECKED: Final = ("type", "size", "dimension", "finite", "zero", "norm", "constant", "magnitude", "novelty")
FAR = 10.0
"""How many times longer or shorter than is usual in its space a vector may be before it looks odd."""


class Likeness(NamedTuple):
    """What a space's patterns say of a vector."""

    verdict: str
    """`match`, `ambiguous` or `novel`."""
    similarity: float


class PatternThresholds(NamedTuple):
    """Those of one feature space."""

    max_size: int
    """Numbers in a vector."""
    dimension: int | None = None
    """None for a space that the vector would be the first of."""
    min_norm: float = 1e-12
    """Of what is shorter no direction can be told."""
    typical_norm: float | None = None
    """Of the space's vectors; None before it is calibrated."""


class PatternValidator:
    """Data: a list of numbers, or {"features": [...]}."""

    def __init__(
        self,
        thresholds: Callable[[Subject], PatternThresholds],
        likeness: Callable[[Subject, Vector], Likeness | None] = lambda subject, vector: None,
    ) -> None:
        self._thresholds = thresholds
        self._likeness = likeness

    def __call__(self, data: Any, subject: Subject) -> ValidationResult:
        thresholds = self._thresholds(subject)
        metadata: dict[str, Any] = {"checked": CHECKED, "thresholds": thresholds._asdict()}
        if isinstance(data, Mapping):
            if "features" not in data:
                missing = error("missing", "features", "features is missing: give a list of numbers.")
                return ValidationResult.of([missing], metadata)
            data = data["features"]
        try:
            vector = checked_features(data, thresholds.dimension, max_dimensions=thresholds.max_size)
        except ValidationError as wrong:
            return ValidationResult.of(findings_of(wrong, {"features": data}), metadata)
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        metadata["norm"] = norm
        if norm < thresholds.min_norm:
            message = (
                f"has the length {norm:.3g}, below {thresholds.min_norm:g}: send it unscaled, or not at all"
            )
            return ValidationResult.of([error("norm", "features", message, data)], metadata)
        return ValidationResult.of(self._oddities(vector, norm, thresholds, subject), metadata)

    def _oddities(
        self, vector: Vector, norm: float, thresholds: PatternThresholds, subject: Subject
    ) -> Iterator[Finding]:
        if len(vector) > 1 and bool((vector == vector[0]).all()):
            message = (
                f"all {len(vector):,} numbers are the same: see whether the model that makes them has run"
            )
            yield warning("constant", "features", message, float(vector[0]))
        typical = thresholds.typical_norm
        if typical and not typical / FAR <= norm <= typical * FAR:
            message = f"its length {norm:.3g} is far from the space's {typical:.3g}: see whether it is scaled as usual"
            yield warning("magnitude", "features", message, norm)
        like = self._likeness(subject, vector)
        if like is not None and like.verdict == "novel":
            message = f"it is like no pattern (the nearest: {like.similarity:.3f}) and would become a new one"
            yield warning("novelty", "features", message, like.similarity)
