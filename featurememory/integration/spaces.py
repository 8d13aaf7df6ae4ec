"""The process's feature spaces, tied to what is learned of their patterns: a pattern stays as long as it is worth most,
and what it taught outlives it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache

from django.conf import settings

from featurememory.core.registry import SpaceRegistry
from featurememory.optimization.upkeep import follow_patterns, gains_of


class _Learning:
    """Core's Heirs."""

    def gains(self, patterns: Collection[int]) -> Mapping[int, float]:
        return gains_of(patterns)

    def leave(self, patterns: Collection[int], now: datetime) -> None:
        follow_patterns(patterns, now)


@cache
def spaces() -> SpaceRegistry:
    """The process's own."""
    return registry_of_spaces()


def registry_of_spaces() -> SpaceRegistry:
    """Another, for who needs it once and not its memory afterwards."""
    configuration = settings.CONFIGURATION
    return SpaceRegistry(configuration.max_spaces, configuration.max_patterns, _Learning())
