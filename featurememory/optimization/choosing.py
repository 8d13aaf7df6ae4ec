"""Choosing from a belief as it is stored and handed out: the same belief and seed give the same choice, wherever it is
made, on the server or in a caller's own process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import Any, NamedTuple

from featurememory.optimization.policy import Choice, PolicyConfig, choose, propensities
from featurememory.optimization.posterior import PatternPosterior


class Belief(NamedTuple):
    """What is believed of a pattern's arms at one moment. `arms` has the key of each number, None where it stands for
    none; `refused` are numbers."""

    believed: PatternPosterior
    arms: tuple[int | None, ...]
    refused: frozenset[int]
    preferred: int | None
    config: PolicyConfig

    def choose(self, baseline: int, seed: int, among: Collection[int] | None = None) -> Choice:
        """`baseline` and `among`, the arms to choose from beside it, by number."""
        return choose(
            self.believed,
            baseline,
            self.config,
            Random(seed),  # noqa: S311
            self._refused(among),
            self.preferred,
        )

    def shares(self, baseline: int, seed: int, among: Collection[int] | None = None) -> dict[int, float]:
        """The propensities that `choose` chose by."""
        return propensities(
            self.believed,
            baseline,
            self.config,
            Random(seed),  # noqa: S311
            self._refused(among),
            self.preferred,
        )

    def source(self, choice: Choice) -> str:
        """`baseline`, `promoted`, `learned` (what is thought best) or `explored`."""
        if choice.arm == choice.baseline:
            return "baseline"
        if choice.arm == self.preferred:
            return "promoted"
        effects = self.believed.effects
        best = max(range(len(effects)), key=lambda arm: effects[arm].mean)
        return "learned" if choice.arm == best else "explored"

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it, floats exactly."""
        return {
            "believed": self.believed.snapshot(),
            "arms": list(self.arms),
            "refused": sorted(self.refused),
            "preferred": self.preferred,
            "config": self.config._asdict(),
        }

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> Belief:
        return cls(
            PatternPosterior.restored(snapshot["believed"]),
            tuple(snapshot["arms"]),
            frozenset(snapshot["refused"]),
            snapshot["preferred"],
            PolicyConfig(**snapshot["config"]),
        )

    def _refused(self, among: Collection[int] | None) -> frozenset[int]:
        others = frozenset() if among is None else frozenset(range(len(self.arms))) - frozenset(among)
        return self.refused | others
