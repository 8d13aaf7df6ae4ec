"""What a list is as a file: its columns, and how many rows at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

MOST_ROWS = 10_000
AT_ONCE = 1_000
"""So many rows are held while they are sent."""
Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], Any]]
"""By name, which says the unit of a number: what stands there of a row."""
