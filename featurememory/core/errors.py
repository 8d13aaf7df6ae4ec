"""What there is not, when it is asked for."""

from __future__ import annotations

from featurememory.errors import FeatureMemoryError


class UnknownSpace(FeatureMemoryError):
    """No vector of this feature space was ever taken in."""

    code = "unknown_space"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no feature space {name!r}: it comes into being with the first vector that is learned in it.",
            name=name,
        )


class UnknownPattern(FeatureMemoryError):
    """There never was such a pattern, or it has made room for others."""

    code = "unknown_pattern"

    def __init__(self, pattern: int) -> None:
        super().__init__(f"There is no pattern {pattern}, or not any more.", pattern=pattern)
