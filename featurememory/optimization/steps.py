"""Small steps around what works: new parameter sets that differ from a good one in one parameter.

Which parameters may move, and how far, is declared for the operation type; others never do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from featurememory.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high` in steps of `step`, or one of `choices`."""

    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    choices: tuple[Any, ...] = ()

    def around(self, value: Any) -> Iterator[Any]:
        """The values one step away, where they lie within."""
        if self.choices:
            yield from (choice for choice in self.choices if choice != value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            whole = isinstance(value, int) and float(self.step).is_integer()
            for moved in (value - self.step, value + self.step):
                if self.low <= moved <= self.high:
                    yield int(moved) if whole else round(moved, 12)

    def holds(self, value: Any) -> bool:
        """Whether the value lies within; steps need not lead to it."""
        if self.choices:
            return any(
                each == value and isinstance(each, bool) == isinstance(value, bool) for each in self.choices
            )
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    @property
    def words(self) -> str:
        """What it holds, behind "must be"."""
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        return f"a number from {self.low:g} to {self.high:g}"

    def to_mapping(self) -> dict[str, Any]:
        if self.choices:
            return {"choices": list(self.choices)}
        return {"low": self.low, "high": self.high, "step": self.step}


def ranges(declared: object) -> dict[str, Range]:
    """From what was declared, by parameter: {"low", "high", "step"} or {"choices"}. ConfigurationError names the
    field that is wrong."""
    if not isinstance(declared, Mapping):
        raise _wrong("steps", declared, "an object of parameters")
    return {str(name): _range(f"steps.{name}", each) for name, each in declared.items()}


def neighbours_of(parameters: Mapping[str, Any], allowed: Mapping[str, Range]) -> Iterator[dict[str, Any]]:
    """The parameter sets one step away from `parameters`, each in one parameter."""
    for name in sorted(allowed):
        if name in parameters:
            for value in allowed[name].around(parameters[name]):
                yield {**parameters, name: value}


def _range(field: str, declared: object) -> Range:
    if isinstance(declared, Range):
        return declared
    if not isinstance(declared, Mapping):
        raise _wrong(field, declared, '{"low", "high", "step"} or {"choices"}')
    if declared.keys() == {"choices"}:
        choices = declared["choices"]
        if not isinstance(choices, list | tuple) or not 2 <= len(choices) <= 32:
            raise _wrong(f"{field}.choices", choices, "a list of 2 to 32 values")
        return Range(choices=tuple(choices))
    if declared.keys() != {"low", "high", "step"}:
        raise _wrong(field, dict(declared), '{"low", "high", "step"} or {"choices"}')
    for name, value in declared.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise _wrong(f"{field}.{name}", value, "a finite number")
    low, high, step = declared["low"], declared["high"], declared["step"]
    if not low < high or not 0 < step <= high - low:
        raise _wrong(field, dict(declared), "low < high and 0 < step <= high - low")
    return Range(low, high, step)


def _wrong(field: str, value: object, right: str) -> ConfigurationError:
    return ConfigurationError(f"{field} is {value!r}; give {right}", field=field, value=value)
