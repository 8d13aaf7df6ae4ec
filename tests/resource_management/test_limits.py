"""Constraints, retention and the pace of cleanup: values that are checked as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.errors import ConfigurationError
from featurememory.resource_management.constraints import ResourceConstraints, ResourceUsage
from featurememory.resource_management.pace import BATCH_S, LEAST, MOST, PAUSES, Pace
from featurememory.resource_management.readings import RELIEF, Admission, readings
from featurememory.resource_management.retention import KINDS, Keep, Retention

T = TypeVar("T")


def taken_or_refused(of: Callable[[dict[str, Any]], T], values: dict[str, Any], also: set[str]) -> T | None:
    """None where it is refused, by the name of a value or one of `also`, which stands for how they go together."""
    try:
        return of(values)
    except ConfigurationError as wrong:
        refused = wrong
    assert refused.data["field"].split(".")[0] in {*values, *also}
    assert refused.data["field"] in str(refused)
    return None


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.lists(st.integers()),
)


@given(st.dictionaries(st.sampled_from([*ResourceConstraints._fields, "max_joy"]), ANYTHING, max_size=4))
def test_constraints_are_taken_whole_or_refused_by_name(values: dict[str, Any]) -> None:
    taken = taken_or_refused(ResourceConstraints.of, values, {"cleanup_low"})
    if taken is not None:
        assert taken.to_mapping() == ResourceConstraints().to_mapping() | values
        assert ResourceConstraints.of(taken.to_mapping()) == taken
        assert taken.cleanup_low < taken.cleanup_high


def test_a_low_mark_that_is_not_low_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"not below cleanup_high = 0\.5: cleanup would never end"):
        ResourceConstraints.of({"cleanup_high": 0.5, "cleanup_low": 0.5})


KEEPS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries({}, optional={"days": ANYTHING, "megabytes": ANYTHING, "weeks": ANYTHING}),
    st.fixed_dictionaries({"days": st.floats(0, 50_000)}),
)


@given(st.dictionaries(st.sampled_from([*(kind.name for kind in KINDS), "dreams"]), KEEPS, max_size=3))
def test_retention_is_taken_whole_or_refused_by_name(values: dict[str, Any]) -> None:
    taken = taken_or_refused(Retention.of, values, {"hours", "days"})
    if taken is not None:
        assert Retention.of(taken.to_mapping()) == taken
        assert taken["minutes"].days < taken["hours"].days < taken["days"].days
        for kind, keep in taken:
            assert keep.days >= kind.least_days


def test_what_is_not_named_keeps_its_default() -> None:
    taken = Retention.of({"operations": {"megabytes": 500}})
    assert taken["operations"] == Keep(30, 500)
    assert taken["audit"] == Keep(730)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"minutes": {"days": 400}}, r"hours.days = 400 is not more than minutes.days = 400"),
        ({"audit": {"days": 30}}, r"audit.days = 30 is not a number from 90 to 36,500"),
        ({"health_history": {"megabytes": 5}}, "these are few; limit their days"),
        ({"operations": 30}, "give an object with days and megabytes"),
    ],
)
def test_refusals_say_what_would_be_right(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Retention.of(values)


USED = st.floats(0, 2_000)


@given(st.lists(USED, min_size=1, max_size=50))
def test_admission_turns_only_beyond_the_limit_and_clearly_below_it(used: list[float]) -> None:
    constraints, admission = ResourceConstraints(max_memory_mb=1_000), Admission()
    refused = False
    for memory_mb in used:
        reading = admission.judge(ResourceUsage(memory_mb=memory_mb), constraints)
        if memory_mb >= 1_000:
            refused = True
        elif memory_mb < 1_000 * (1 - RELIEF):
            refused = False
        assert (reading is not None) == refused
        assert reading is None or "max_memory_mb" in reading.words


def test_a_disk_that_fills_up_refuses_though_its_figure_falls() -> None:
    constraints = ResourceConstraints(min_free_disk_mb=100)
    admission = Admission()
    free = [150.0, 100.0, 104.0, 106.0, 0.0]
    refused = [admission.judge(ResourceUsage(disk_free_mb=each), constraints) is not None for each in free]
    assert refused == [False, True, True, False, True]


def test_cleanups_own_limits_refuse_nobody() -> None:
    full = ResourceUsage(database_mb=1e9, operations=10**12, patterns=10**9, optimizations=10**9)
    assert Admission().judge(full, ResourceConstraints()) is None
    assert [each.share > 1 for each in readings(full, ResourceConstraints())] == [True] * 4


@given(st.floats(1e-7, 1e-2), st.integers(1, 5_000))
def test_batches_come_to_take_as_long_as_they_may(row_s: float, size: int) -> None:
    pace = Pace(size=size)
    for _ in range(40):
        took = pace.size * row_s
        assert pace.after(took) == PAUSES * took, "others have the field for longer than they were held up"
    fitting = BATCH_S / row_s
    assert pace.size == pytest.approx(max(LEAST, min(MOST, fitting)), rel=0.2, abs=1)
