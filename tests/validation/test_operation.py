"""The operation validator says what ingestion would."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.operations import Operation, check_operation
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission
from featurememory.validation.operation import OperationValidator
from featurememory.validation.results import Subject, ValidationResult
from tests.operations import operation_json

MAX_AGE = timedelta(days=30)


def judged(data: Any, now: datetime) -> ValidationResult:
    return OperationValidator(MAX_AGE, lambda: now)(data, Subject())


@pytest.mark.parametrize(
    ("changes", "code", "field", "value"),
    [
        ({"outcome": "splendid"}, "literal_error", "outcome", '"splendid"'),
        ({"score": 7}, "less_than_equal", "score", "7"),
        ({"started_at": "2001-01-01T00:00:00Z"}, "too_old", "started_at", "2001-01-01T00:00:00+00:00"),
        ({"colour": "red"}, "extra_forbidden", "colour", '"red"'),
    ],
)
def test_an_error_has_the_field_and_the_value(
    now: datetime, changes: dict[str, Any], code: str, field: str, value: str
) -> None:
    (found,) = judged(operation_json(**changes), now).errors
    assert (found.code, found.field) == (code, field)
    assert found.value.startswith(value[:20])


junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
junk |= st.lists(junk, max_size=3) | st.dictionaries(st.text(max_size=3), junk, max_size=3)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(list(Operation.model_fields)), junk, max_size=2) | junk)
def test_what_passes_is_stored_and_what_does_not_has_a_field_and_a_fix(
    db: None, now: datetime, changes: Any
) -> None:
    data = operation_json(**changes) if isinstance(changes, dict) else changes
    found = judged(data, now)
    if found.is_valid:
        operation = check_operation(data, now, MAX_AGE)
        assert isinstance(operation, Operation)
        (written,) = GroupTransaction(SeriesRegistry(100, 100), Fleet(100)).store(
            [Submission([operation])], now.timestamp()
        )
        assert written.accepted + written.duplicates == 1
    else:
        assert all(each.field and each.message for each in found.errors)
