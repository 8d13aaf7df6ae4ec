"""One validation result, and what else its source sent of the kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps

from featurememory.models import Operation, ValidationRecord
from featurememory.validation.records import find_related

RELATED_SHOWN = 10
RELATED_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class ValidationPage:
    record: ValidationRecord
    thresholds: str
    """What was checked and by what, as JSON to read."""
    operation: Operation | None
    """The one whose features it is about, where that is stored."""
    operation_id: str
    related: Sequence[ValidationRecord]
    related_count: int

    @property
    def is_counted_out(self) -> bool:
        """Whether there are more related ones than were counted."""
        return self.related_count == RELATED_COUNTED


def read_validation(record: ValidationRecord) -> ValidationPage:
    """Three queries."""
    related = find_related(record)
    operation_id = str(record.metadata.get("operation", ""))
    about = {name: value for name, value in record.metadata.items() if name != "operation"}
    return ValidationPage(
        record,
        dumps(about, indent=2, ensure_ascii=False) if about else "",
        Operation.objects.filter(id=operation_id).only("id").first() if operation_id else None,
        operation_id,
        list(related.defer("metadata", "warnings")[:RELATED_SHOWN]),
        related.order_by()[:RELATED_COUNTED].count(),
    )
