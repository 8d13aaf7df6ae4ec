"""What validation says of the operations of one transaction: failures, which are stored with it, and passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import loads
from typing import TYPE_CHECKING
from uuid import UUID

from featurememory.ingestion.operations import Operation
from featurememory.validation.passes import PASSES
from featurememory.validation.results import Finding, Judged, Subject, ValidationResult, error

if TYPE_CHECKING:
    from featurememory.core.registry import Learned
    from featurememory.ingestion.transaction import Submission

REFUSED_BY_SDK = "ValidationError"
"""The error type of operations that an SDK did not let run for what their caller gave (sdk/validation.py)."""
SDK_ERRORS = "validation_errors"
"""The attribute in which it says what was wrong."""
SDK_CODES = frozenset(("empty", "finite", "object", "too_long", "type", "zero"))
"""Others that callers may think of are counted as one: their number must stay bounded."""
_OTHER_CODE = "refused_by_caller"


def failures_of(
    submissions: Sequence[Submission], news: Sequence[Operation], found: Mapping[UUID, Learned]
) -> list[Judged]:
    """What the requests held that was refused; of the new operations those that their callers' SDK refused, and those
    whose features their space does."""
    failures = [each for submission in submissions for each in submission.refused]
    sources = _Sources(submissions)
    failures += [
        sources.judged("operation", each, _sdk_findings(each))
        for each in news
        if each.outcome == "rejected" and each.error_type == REFUSED_BY_SDK
    ]
    for each in news if found else ():
        learned = found.get(each.id)
        if learned is not None and learned.fault is not None:
            failures.append(sources.judged("pattern", each, [learned.fault]))
    return failures


def count_fits(fits: Iterable[Operation], submissions: Sequence[Submission], now: float) -> None:
    """Operations whose features their spaces took; once they are on disk."""
    sources = _Sources(submissions)
    by_source: dict[str, list[Operation]] = {}
    for each in fits:
        by_source.setdefault(sources.of(each), []).append(each)
    for source, operations in by_source.items():
        PASSES.add("pattern", source, len(operations), subject_of_operation(operations[0]), now)


def subject_of_operation(operation: Operation) -> Subject:
    return Subject(operation.operation_type, operation.model, operation.space)


class _Sources:
    """Who sent an operation: the process, where it says its name, else whose key it came by."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self._submissions = submissions
        self._keys: dict[UUID, str] | None = None

    def of(self, operation: Operation) -> str:
        if operation.instance:
            return operation.instance
        if self._keys is None:
            self._keys = {each.id: given.key for given in self._submissions for each in given.operations}
        return self._keys[operation.id]

    def judged(self, validator: str, operation: Operation, findings: Sequence[Finding]) -> Judged:
        result = ValidationResult.of(findings, {"operation": str(operation.id)})
        return Judged(validator, self.of(operation), subject_of_operation(operation), result)


def _sdk_findings(operation: Operation) -> list[Finding]:
    told = loads(operation.attributes).get(SDK_ERRORS)
    found = list(_readable(told if isinstance(told, list) else []))
    return found or [error(_OTHER_CODE, "operation", operation.error_message)]


def _readable(told: list[object]) -> Iterator[Finding]:
    for each in told:
        if isinstance(each, dict) and all(
            isinstance(each.get(name), str) for name in ("code", "field", "message")
        ):
            code = each["code"] if each["code"] in SDK_CODES else _OTHER_CODE
            yield error(code, each["field"][:100], each["message"][:500])
