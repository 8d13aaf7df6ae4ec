"""What runs inside the orchestrator. Standard library only."""

from __future__ import annotations

from featurememory.sdk.context import OperationContext
from featurememory.sdk.memory import FeatureMemory
from featurememory.sdk.operation import GuardedOperation
from featurememory.sdk.transport import Stats

__all__ = ["FeatureMemory", "GuardedOperation", "OperationContext", "Stats"]
