"""A bounded number of operation types and models is counted by itself; the rest is `other`, and that is seen."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import transaction

from featurememory.ingestion.series import SeriesRegistry
from featurememory.models import Series
from featurememory.models.rollup import OTHER


def stored() -> set[tuple[str, str]]:
    return set(Series.objects.values_list("operation_type", "model"))


def test_each_type_and_model_has_its_own_series_within_the_limits(db: None, now: datetime) -> None:
    keys = {("a", "m"), ("a", "n"), ("b", "m"), ("b", "")}
    found = SeriesRegistry(2, 2).resolve(keys, now)
    assert stored() == keys
    assert len({each.id for each in found.values()}) == 4
    assert not any(each.folded for each in found.values())


def test_types_beyond_the_limit_are_counted_as_other(db: None, now: datetime) -> None:
    registry = SeriesRegistry(2, 10)
    registry.resolve({("a", "m"), ("b", "m")}, now)
    found = registry.resolve({("c", "m"), ("d", "m"), ("a", "m")}, now)
    assert found["c", "m"] == found["d", "m"]
    assert found["c", "m"].folded
    assert not found["a", "m"].folded
    assert stored() == {("a", "m"), ("b", "m"), (OTHER, "m")}


def test_models_beyond_the_limit_are_counted_as_other_of_their_type(db: None, now: datetime) -> None:
    registry = SeriesRegistry(10, 1)
    found = registry.resolve({("a", "m"), ("a", "n"), ("b", "n"), ("b", "")}, now)
    assert found["a", "n"].folded
    assert stored() == {("a", "m"), ("a", OTHER), ("b", OTHER), ("b", "")}


def test_no_model_takes_no_room_among_models(db: None, now: datetime) -> None:
    found = SeriesRegistry(10, 1).resolve({("a", ""), ("b", ""), ("a", "m")}, now)
    assert not any(each.folded for each in found.values())


def test_a_caller_may_name_its_own_type_other(db: None, now: datetime) -> None:
    found = SeriesRegistry(1, 1).resolve({(OTHER, OTHER), ("a", "m")}, now)
    assert not any(each.folded for each in found.values())
    assert stored() == {(OTHER, OTHER), ("a", "m")}


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_any_number_of_strangers_makes_a_bounded_number_of_series(
    db: None, now: datetime, limit: int
) -> None:
    registry = SeriesRegistry(limit, limit)
    for start in range(0, 60, 20):
        keys = {(f"t{n}", f"m{n}") for n in range(start, start + 20)}
        registry.remember(registry.resolve(keys, now))
    assert Series.objects.count() <= (limit + 1) ** 2
    assert len({operation_type for operation_type, _ in stored()}) == limit + 1


def test_what_is_remembered_is_not_asked_again(
    db: None, now: datetime, django_assert_num_queries: object
) -> None:
    registry = SeriesRegistry(10, 10)
    found = registry.resolve({("a", "m")}, now)
    registry.remember(found)
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert registry.resolve({("a", "m")}, now) == found


def test_a_transaction_rolled_back_leaves_no_trace(transactional_db: None, now: datetime) -> None:
    registry = SeriesRegistry(10, 10)

    with transaction.atomic():
        registry.resolve({("a", "m")}, now)
        transaction.set_rollback(True)
    assert not stored()
    with transaction.atomic():
        again = registry.resolve({("b", "m"), ("a", "m")}, now)
    assert set(again) == {("a", "m"), ("b", "m")}
    assert {each.id for each in again.values()} == set(Series.objects.values_list("pk", flat=True))


def test_another_registry_gives_the_same_series(db: None, now: datetime) -> None:
    keys = {("a", "m"), ("b", "n")}
    assert SeriesRegistry(10, 10).resolve(keys, now) == SeriesRegistry(10, 10).resolve(keys, now)


def test_a_series_keeps_when_it_was_first_seen(db: None, now: datetime) -> None:
    SeriesRegistry(10, 10).resolve({("a", "m")}, now)
    assert Series.objects.get().first_seen == now
