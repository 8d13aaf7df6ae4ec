"""Parameter sets as they are compared: what differs from the baseline, and how values read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any

from featurememory.optimization.parameters import canonical

LONGEST = 80


@dataclass(frozen=True, slots=True)
class Parameter:
    """`differs` from the baseline's, whose value is `baseline`; None where it has none."""

    name: str
    value: str
    baseline: str | None
    differs: bool


@dataclass(frozen=True, slots=True)
class ParameterSet:
    parameters: tuple[Parameter, ...]

    @property
    def changed(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if each.differs)

    @property
    def unchanged(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if not each.differs)

    @property
    def words(self) -> str:
        """What differs; all of it where nothing does."""
        told = ", ".join(f"{each.name}={each.value}" for each in self.changed or self.parameters)
        return told or "no parameters"


def compared(parameters: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> ParameterSet:
    """`baseline` None: there is none to compare with."""
    like = baseline or {}
    return ParameterSet(
        tuple(
            Parameter(
                name,
                value_words(value),
                value_words(like[name]) if name in like else None,
                baseline is not None
                and (name not in like or canonical({"": like[name]}) != canonical({"": value})),
            )
            for name, value in sorted(parameters.items())
        )
    )


def value_words(value: Any) -> str:
    """As short as it can be said; a text without its quotes."""
    text = value if isinstance(value, str) else dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
