"""How an operation type is learned from: its objective, its safety, and the small steps it may take. A frozen value,
checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from featurememory.errors import ConfigurationError
from featurememory.optimization.policy import PolicyConfig
from featurememory.optimization.reward import Aim, Objective
from featurememory.optimization.steps import Range, ranges

_POLICY = ("control", "unproven", "loss_budget")


@dataclass(frozen=True, slots=True)
class Settings:
    """`aim` None: the score where the first operation that teaches has one, else the duration."""

    aim: Aim | None = None
    weight: float = 0.5
    control: float = PolicyConfig().control
    unproven: float = PolicyConfig().unproven
    loss_budget: float | None = None
    observe: bool = True
    """Whether parameters that callers use without asking become candidates, once they were seen a few times."""
    steps: Mapping[str, Range] = field(default_factory=dict)
    """Of which parameters small steps around what works are tried, and how far."""

    @classmethod
    def of(cls, *layers: Mapping[str, Any]) -> Self:
        """Each layer goes over those before. ConfigurationError names the field that is wrong."""
        values: dict[str, Any] = {}
        for layer in layers:
            values |= layer
        known = cls.__dataclass_fields__
        for name in values:
            if name not in known:
                raise ConfigurationError(
                    f"{name} is no setting of learning; there are {', '.join(known)}",
                    field=name,
                    value=values[name],
                )
        for name in ("weight", "control", "unproven"):
            if name in values:
                _check_number(name, values[name])
        if values.get("loss_budget") is not None:
            _check_number("loss_budget", values["loss_budget"])
        if not isinstance(values.get("observe", True), bool):
            raise ConfigurationError("observe is true or false", field="observe", value=values["observe"])
        values["steps"] = ranges(values.get("steps", {}))
        settings = cls(**values)
        if settings.aim is not None:
            Objective(settings.aim, settings.weight).checked()
        settings.policy.checked()
        return settings

    @property
    def objective(self) -> Objective | None:
        return None if self.aim is None else Objective(self.aim, self.weight)

    @property
    def policy(self) -> PolicyConfig:
        return PolicyConfig(**{name: getattr(self, name) for name in _POLICY})


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError(f"{name} is {value!r}; it is a number in [0, 1]", field=name, value=value)
