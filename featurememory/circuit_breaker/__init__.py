"""Circuit breakers: the plain state machine with its configuration, and the fleet's registry (fleet.py)."""

from __future__ import annotations

from featurememory.circuit_breaker.events import Kind, kind_of

__all__ = ["Kind", "default_breaker_name", "kind_of"]


def default_breaker_name(operation_type: str, model: str) -> str:
    """The breaker of an operation for which the caller chose none."""
    return f"{operation_type}:{model}" if model else operation_type
