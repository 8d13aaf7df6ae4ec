"""What the memory uses is held against its limits, each by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.resource_management.constraints import ResourceConstraints, ResourceUsage
from featurememory.validation.resource import ResourceValidator
from featurememory.validation.results import Subject, ValidationResult

LIMITS = ResourceConstraints()


def judged(data: Any) -> ValidationResult:
    return ResourceValidator(lambda: LIMITS)(data, Subject())


@pytest.mark.parametrize(
    ("used", "code"),
    [
        ({"memory_mb": 1_025}, "max_memory_mb"),
        ({"host_memory_percent": 95.5}, "max_host_memory_percent"),
        ({"disk_free_mb": 255}, "min_free_disk_mb"),
        ({"database_mb": 5_000}, "max_database_mb"),
        ({"operations": 5_000_001}, "max_operations"),
        ({"patterns": 50_001}, "max_patterns"),
        ({"optimizations": 50_001}, "max_optimizations"),
    ],
)
def test_each_limit_that_is_passed_is_an_error_that_names_it_and_what_is_used(
    used: dict[str, float], code: str
) -> None:
    (found,) = judged(used).errors
    ((resource, value),) = used.items()
    assert (found.code, found.field, found.value) == (
        code,
        resource,
        f"{value:.6g}" if value % 1 else str(value),
    )
    assert code in found.message
    assert f"{value:,.6g}" in found.message


@pytest.mark.parametrize("used", [{"memory_mb": 921.6}, {"disk_free_mb": 280}, {"patterns": 45_000}])
def test_near_a_limit_where_cleanup_begins_is_a_warning(used: dict[str, float]) -> None:
    found = judged(used)
    assert (found.is_valid, [each.code for each in found.warnings]) == (True, ["near_limit"])


@pytest.mark.parametrize("used", [{"memory_mb": 921}, {"disk_free_mb": 290}, {"patterns": 44_999}, {}])
def test_what_lies_well_within_says_nothing(used: dict[str, float]) -> None:
    found = judged(used)
    assert (found.errors, found.warnings) == ((), ())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"ram": 1}, "extra_forbidden"),
        ({"patterns": "many"}, "number"),
        ({"patterns": -1}, "number"),
        ({"memory_mb": float("nan")}, "number"),
        ([1], "object"),
        (None, "object"),
    ],
)
def test_what_is_no_usage_is_an_error(data: Any, code: str) -> None:
    assert judged(data).code == code


measured = st.none() | st.floats(0, 1e7)


@given(st.builds(ResourceUsage, *[measured] * 4, *[st.none() | st.integers(0, 10**8)] * 3))
def test_a_usage_is_valid_exactly_where_no_limit_is_passed(used: ResourceUsage) -> None:
    passed = sum(
        value is not None and value > getattr(LIMITS, f"max_{name}")
        for name, value in used._asdict().items()
        if name != "disk_free_mb"
    )
    passed += used.disk_free_mb is not None and used.disk_free_mb < LIMITS.min_free_disk_mb
    found = judged(used)
    assert len(found.errors) == passed
    assert all(each.field and each.message for each in found.errors + found.warnings)
