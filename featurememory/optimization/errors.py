"""What there is not, when it is asked for."""

from __future__ import annotations

from uuid import UUID

from featurememory.errors import FeatureMemoryError


class UnknownOptimization(FeatureMemoryError):
    """There never was such an optimization."""

    code = "unknown_optimization"

    def __init__(self, id: int) -> None:
        super().__init__(
            f"There is no optimization {id}. One comes into being when its parameters are first tried in a pattern.",
            id=id,
        )


class UnknownRecommendation(FeatureMemoryError):
    """No such recommendation was given, or it is too old to be kept."""

    code = "unknown_recommendation"

    def __init__(self, id: object) -> None:
        super().__init__(f"There is no recommendation {id}, or it is not kept any more.", id=str(id))


class UnknownStudy(FeatureMemoryError):
    """Nobody has asked for recommendations for this operation type and model yet."""

    code = "unknown_study"

    def __init__(self, operation_type: str, model: str) -> None:
        super().__init__(
            f"Nothing is learned of {operation_type!r} with model {model!r} yet: that begins when somebody first asks "
            "for a recommendation.",
            operation_type=operation_type,
            model=model,
        )


class UnknownOperation(FeatureMemoryError):
    """No such operation is stored (yet)."""

    code = "unknown_operation"

    def __init__(self, id: UUID) -> None:
        super().__init__(
            f"No operation has the id {id}: send it first, or again a little later where it is on its way.",
            id=str(id),
        )


class FeedbackRefused(FeatureMemoryError):
    """The operation has its score already, or never ran."""

    code = "feedback_refused"
