"""A span of time, cut into steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until before `end`, cut into whole steps of `step_s` seconds. Each begins with a minute; one of
    whole hours with an hour, one of whole days with a day."""

    start: datetime
    end: datetime
    step_s: int

    @classmethod
    def covering(cls, start: datetime, end: datetime, step_s: int) -> Span:
        """The smallest span of whole steps that holds both moments."""
        first = int(start.timestamp()) // step_s * step_s
        last = -(-int(end.timestamp()) // step_s) * step_s
        return cls(
            datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(max(last, first + step_s), UTC), step_s
        )

    def __len__(self) -> int:
        return int((self.end - self.start).total_seconds()) // self.step_s

    def __iter__(self) -> Iterator[datetime]:
        """When each step begins."""
        return (self.start + timedelta(seconds=self.step_s * index) for index in range(len(self)))

    def index_of(self, moment: datetime) -> int:
        return int((moment - self.start).total_seconds()) // self.step_s
