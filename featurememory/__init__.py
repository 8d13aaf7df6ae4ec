"""Guards, remembers and improves the operations of a model orchestrator.

This is what runs inside the orchestrator: standard library only, and nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from featurememory.errors import (
        CircuitBreakerError,
        ConfigurationError,
        FeatureMemoryError,
        ResourceConstraintError,
        ValidationError,
    )
    from featurememory.integration.error_handler import FeatureMemoryErrorHandler
    from featurememory.sdk import FeatureMemory, OperationContext

__version__ = "0.1.0"

__all__ = [
    "CircuitBreakerError",
    "ConfigurationError",
    "FeatureMemory",
    "FeatureMemoryError",
    "FeatureMemoryErrorHandler",
    "OperationContext",
    "ResourceConstraintError",
    "ValidationError",
    "__version__",
]

_HOMES = {
    "FeatureMemory": "featurememory.sdk",
    "FeatureMemoryErrorHandler": "featurememory.integration.error_handler",
    "OperationContext": "featurememory.sdk",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "featurememory.errors")), name)
