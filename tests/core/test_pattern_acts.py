"""An operator's acts on patterns, given twice."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from featurememory.core.errors import UnknownPattern
from featurememory.core.operator_actions import change_pattern, merge_pattern, remove_pattern
from featurememory.models import AuditEntry, FeatureSpace, Pattern
from tests.core.test_registry import BY_OLGA, ready

pytestmark = pytest.mark.django_db(transaction=True)
ACTS: dict[str, Callable[[int, int, UUID], object]] = {
    "pattern.change": lambda first, _, id: change_pattern(first, label="rain", request_id=id, **BY_OLGA),
    "pattern.merge": lambda first, second, id: merge_pattern(first, second, request_id=id, **BY_OLGA),
    "pattern.remove": lambda first, _, id: remove_pattern(first, request_id=id, **BY_OLGA),
}


@pytest.mark.parametrize("action", ACTS)
def test_given_again_with_the_same_id_an_act_does_nothing(action: str) -> None:
    ready()
    first, second = Pattern.objects.values_list("pk", flat=True)[:2]
    request_id = uuid4()

    ACTS[action](first, second, request_id)
    then = (FeatureSpace.objects.get().revision, list(Pattern.objects.values_list("pk", "count", "label")))
    ACTS[action](first, second, request_id)

    assert (
        FeatureSpace.objects.get().revision,
        list(Pattern.objects.values_list("pk", "count", "label")),
    ) == then
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.actor, entry.request_id) == (action, "olga", request_id)


def test_given_again_with_another_id_it_is_another_act() -> None:
    ready()
    first, second = Pattern.objects.values_list("pk", flat=True)[:2]

    ACTS["pattern.merge"](first, second, uuid4())
    with pytest.raises(UnknownPattern):
        ACTS["pattern.merge"](first, second, uuid4())

    assert AuditEntry.objects.count() == 1
