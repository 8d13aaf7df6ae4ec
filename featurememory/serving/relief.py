"""What a process can do itself when memory runs out: forget what it could read again, and hand back what it holds."""

from __future__ import annotations

import gc

from featurememory.ingestion.room import trim_memory
from featurememory.observability import traffic
from featurememory.observability.signals import LOOKS
from featurememory.resource_management.samples import SAMPLES


def give_memory_back() -> None:
    """Pages are a little slower afterwards, until they have read it again."""
    traffic.forget()
    LOOKS.forget()
    SAMPLES.forget()
    gc.collect()
    trim_memory()
