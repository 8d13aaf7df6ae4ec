"""What the patterns of one (model, operation type) have in common, as of one moment: made in the background, used by
every recommendation until the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from featurememory.optimization import neighbours, pooling
from featurememory.optimization.neighbours import Neighbourhood, Residual, Residuals
from featurememory.optimization.pooling import Pooled
from featurememory.optimization.posterior import Normal


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """`residuals`: how each pattern's arms differ from what is common; `omega`: how far that of neighbours can be
    trusted."""

    pooled: Pooled
    residuals: Residuals
    omega: float = 0.0

    def effect_priors(self, near: Neighbourhood) -> list[Normal]:
        """Of the arms' own effects in a pattern with these neighbours."""
        return neighbours.effect_priors(self.pooled.gamma, neighbours.told(near, self.residuals), self.omega)

    @classmethod
    def of(cls, pooled: Pooled, evidence: pooling.Evidence, near: Mapping[int, Neighbourhood]) -> Self:
        """`near`: the neighbours of each pattern in `evidence`."""
        residuals = {pattern: pooling.residuals(seen, pooled) for pattern, seen in evidence.items()}
        told_of = {pattern: neighbours.told(near[pattern], residuals) for pattern in evidence}
        return cls(pooled, residuals, neighbours.usefulness(told_of, residuals))

    def with_arm(self, pessimism: float) -> Estimate:
        """With one more arm, of which nothing is known."""
        return Estimate(self.pooled.with_arm(pessimism), self.residuals, self.omega)

    def without(self, arm: int, pessimism: float) -> Estimate:
        """With nothing known of `arm` any more."""
        residuals = {
            pattern: {other: each for other, each in own.items() if other != arm}
            for pattern, own in self.residuals.items()
        }
        return Estimate(self.pooled.without(arm, pessimism), residuals, self.omega)

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it, floats exactly."""
        return {
            "pooled": self.pooled.snapshot(),
            "omega": self.omega,
            "residuals": {
                str(pattern): {str(arm): list(each) for arm, each in own.items()}
                for pattern, own in self.residuals.items()
            },
        }

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> Self:
        residuals = {
            int(pattern): {int(arm): Residual(*each) for arm, each in own.items()}
            for pattern, own in snapshot["residuals"].items()
        }
        return cls(Pooled.restored(snapshot["pooled"]), residuals, snapshot["omega"])
