"""Failures are kept, up to so many; all are counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from featurememory.models import ValidationRecord, ValidationTally
from featurememory.models.rollup import OTHER
from featurememory.validation import storage
from featurememory.validation.passes import SAMPLED, Passes
from featurememory.validation.records import find_records, find_related
from featurememory.validation.results import Judged, Subject, ValidationResult, error
from featurememory.validation.storage import record_failures, record_passes
from featurememory.validation.summary import Counts, read_summary

pytestmark = pytest.mark.django_db
HOUR = datetime(2026, 11, 27, 9, tzinfo=UTC)
NOW = HOUR + timedelta(minutes=20)


def failure(source: str = "a", code: str = "zero", validator: str = "pattern") -> Judged:
    result = ValidationResult((error(code, "features", "give one that is not", [0.0]),))
    return Judged(validator, source, Subject("t", "m", "s"), result)


def tallies() -> Counter[tuple[str, str, str]]:
    return Counter(
        {(each.validator, each.source, each.code): each.count for each in ValidationTally.objects.all()}
    )


def test_a_failure_is_kept_with_all_that_is_known_of_it() -> None:
    record_failures([failure()], NOW)
    kept = ValidationRecord.objects.get()
    assert (kept.validator, kept.source, kept.code, kept.is_valid, kept.at) == (
        "pattern",
        "a",
        "zero",
        False,
        NOW,
    )
    assert (kept.operation_type, kept.model, kept.space) == ("t", "m", "s")
    assert kept.errors == [
        {
            "code": "zero",
            "field": "features",
            "message": "give one that is not",
            "severity": "error",
            "value": "1 values: 0",
        }
    ]
    assert tallies() == {("pattern", "a", "zero"): 1}


def test_of_a_flood_so_many_are_kept_in_an_hour_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "KEPT_AN_HOUR", 10)
    for _ in range(5):
        record_failures([failure()] * 7 + [failure("b")], NOW)
    assert ValidationRecord.objects.filter(source="a").count() == 10
    assert ValidationRecord.objects.filter(source="b").count() == 5
    assert tallies() == {("pattern", "a", "zero"): 35, ("pattern", "b", "zero"): 5}
    record_failures([failure()], NOW + timedelta(hours=1))
    assert ValidationRecord.objects.filter(source="a").count() == 11


def test_sources_beyond_the_limit_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_SOURCES", 3)
    record_failures([failure(f"source {n}") for n in range(5)], NOW)
    record_failures([failure("source 0"), failure("source 4")], NOW)
    assert tallies() == {
        ("pattern", "source 0", "zero"): 2,
        ("pattern", "source 1", "zero"): 1,
        ("pattern", "source 2", "zero"): 1,
        ("pattern", OTHER, "zero"): 3,
    }
    assert ValidationRecord.objects.filter(source="source 4").count() == 2, "their records keep their names"


def test_names_that_no_database_holds_are_kept_as_far_as_they_go() -> None:
    odd = failure("a\0" + "x" * 300)._replace(subject=Subject("\ud800", "m" * 300, ""))
    record_failures([odd], NOW)
    kept = ValidationRecord.objects.get()
    assert (len(kept.source), len(kept.model), kept.operation_type) == (200, 200, "?")


def test_what_passes_is_counted_by_the_hour_with_a_sample_of_it() -> None:
    passes, at = Passes(), NOW.timestamp()
    for _ in range(3):
        passes.add("operation", "a", 5, Subject("t"), at)
    passes.add("operation", "b", 1, Subject("t"), at + 3_600)
    record_passes(passes.drain())
    counted = ValidationTally.objects.values_list("source", "hour", "code", "count").order_by("source")
    assert list(counted) == [("a", HOUR, "", 15), ("b", HOUR + timedelta(hours=1), "", 1)]
    assert [(each.source, each.is_valid) for each in ValidationRecord.objects.order_by("source")] == [
        ("a", True),
        ("b", True),
    ]


def test_the_first_of_an_hour_is_a_sample_then_one_in_a_hundred_at_most() -> None:
    passes, at = Passes(), NOW.timestamp()

    def samples(count: int, later_s: float = 0) -> int:
        for _ in range(count):
            passes.add("operation", "a", 1, Subject(), at + later_s)
        return len(passes.drain().samples)

    assert [samples(1), samples(SAMPLED - 1), samples(1), samples(1)] == [1, 0, 1, 0]
    assert samples(1, later_s=3_600) == 1


def test_what_could_not_be_stored_is_put_back() -> None:
    passes = Passes()
    passes.add("operation", "a", 5, Subject(), NOW.timestamp())
    passes.put_back(passes.drain())
    passes.add("operation", "a", 5, Subject(), NOW.timestamp())
    assert sum(passes.drain().counts.values()) == 10


def test_a_summary_counts_whole_hours_by_code_and_by_source() -> None:
    passes = Passes()
    passes.add("pattern", "a", 8, Subject(), NOW.timestamp())
    passes.add("pattern", "c", 1, Subject(), NOW.timestamp())
    record_passes(passes.drain())
    record_failures([failure(), failure("b"), failure(code="dimension")], NOW)
    record_failures([failure()], NOW - timedelta(hours=2))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = read_summary(HOUR, HOUR + timedelta(hours=1))
    assert len(queries) == 3
    assert (found.counts, found.counts.pass_rate) == (Counts(9, 3), 0.75)
    assert dict(found.by_hour) == {HOUR: Counts(9, 3)}
    assert [each[1:] for each in found.by_code] == [("zero", 2), ("dimension", 1)]
    assert list(found.by_source) == [("a", Counts(8, 2)), ("b", Counts(0, 1))]


def test_nothing_validated_is_no_pass_rate() -> None:
    assert read_summary(HOUR, HOUR + timedelta(hours=1)).counts.pass_rate is None


def test_records_are_found_by_what_is_asked_and_related_ones_by_code_and_source() -> None:
    for days in range(3):
        record_failures([failure(), failure("b"), failure(code="dimension")], NOW - timedelta(days=days))
    newest = find_records(source="a", code="zero", is_valid=False)[2]
    assert find_records(validator="optimization").count() == 0
    assert find_records(since=NOW).count() == 3
    assert {each.at for each in find_related(newest)} == {NOW - timedelta(days=1)}
