"""Why a recommendation was what it was, from what was stored at the time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from featurememory.models import Arm, Recommendation
from featurememory.optimization.choosing import Belief
from featurememory.optimization.effectiveness import PatternLift, pattern_lift
from featurememory.optimization.errors import UnknownRecommendation


@dataclass(frozen=True, slots=True)
class Candidate:
    """One arm as it stood. `lift` over the baseline; None for the baseline itself."""

    arm: Arm
    propensity: float
    lift: PatternLift | None
    refused: bool


@dataclass(frozen=True, slots=True)
class Reason:
    recommendation: Recommendation
    aim: str | None
    candidates: list[Candidate]
    same_again: bool | None
    """Whether making it again gives the same; None where nothing was known."""
    words: str


def why(id: UUID) -> Reason:
    """UnknownRecommendation where there is none."""
    kept = (
        Recommendation.objects.select_related("study", "belief", "arm", "baseline")
        .defer("study__state", "study__estimate")
        .filter(pk=id)
        .first()
    )
    if kept is None:
        raise UnknownRecommendation(id)
    if kept.belief is None:
        return Reason(
            kept, None, [Candidate(kept.arm, kept.propensity, None, refused=False)], None, words(kept.source)
        )
    belief = Belief.restored(kept.belief.content)
    baseline = belief.arms.index(kept.baseline_id)
    shares = belief.shares(baseline, kept.seed, kept.among)
    arms = Arm.objects.in_bulk([key for key in belief.arms if key is not None])
    candidates = [
        Candidate(
            arms[key],
            shares.get(number, 0.0),
            None if number == baseline else pattern_lift(belief.believed.lift(number, baseline)),
            number in belief.refused,
        )
        for number, key in enumerate(belief.arms)
        if key in arms and (kept.among is None or number in {*kept.among, baseline})
    ]
    again = belief.choose(baseline, kept.seed, kept.among)
    same = belief.arms[again.arm] == kept.arm_id and again.propensity == kept.propensity
    seen = kept.belief.content["operations"]
    return Reason(
        kept,
        kept.belief.content["aim"],
        sorted(candidates, key=lambda each: -each.propensity),
        same,
        words(kept.source, belief.believed.visits, seen),
    )


def words(source: str, visits: int | None = None, operations: int = 0) -> str:
    """The reason in a sentence; `visits` None: before anything was known."""
    if visits is None:
        return "Nothing was known yet: the first operations stay on the baseline."
    seen = f"after {visits:,} of this pattern and {operations:,} in all"
    return {
        "baseline": f"The baseline: thought best, or its turn as the control group ({seen}).",
        "promoted": f"Promoted for this pattern ({seen}).",
        "learned": f"Thought best for this pattern ({seen}).",
        "explored": f"Tried, to learn more about it ({seen}).",
    }[source]
