"""An operator's hand on what is learned: once for each submit, and honest about what it changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from featurememory.models import AuditEntry, LearningSettings, Optimization
from featurememory.optimization.configuration import configure_learning, starting_anew
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.operator_actions import ACTIONS, add_candidate, order, retire_arm
from tests.optimization.stored import BETTER, OTHER, PATTERNS, UNTRIED, store_study

pytestmark = pytest.mark.django_db


def test_an_act_given_again_makes_one_audit_row(now: datetime) -> None:
    found, request_id = store_study(now).optimization(PATTERNS[0], BETTER), uuid4()

    for _ in range(2):
        done = order(
            found.pk, ACTIONS["quarantine"], actor="olga", reason="x", now=now, request_id=request_id
        )
        assert done.optimization.status == Status.QUARANTINED

    assert AuditEntry.objects.filter(request_id=request_id).count() == 1


def test_an_act_is_no_trial_of_what_it_is_about_nor_of_its_rival(now: datetime) -> None:
    stored = store_study(now)
    promoted = stored.study.optimizations.filter(status="promoted")[0]
    arm = stored.arm(OTHER if promoted.arm == stored.arm(BETTER) else BETTER)
    rival, _ = Optimization.objects.get_or_create(
        arm=arm,
        pattern=promoted.pattern,
        defaults={"study": stored.study, "created_at": now, "changed_at": now},
    )
    others = [promoted, rival]
    before = [each.tried_at for each in others]
    assert before[0] is not None

    order(rival.pk, ACTIONS["promote"], actor="olga", reason="x", now=now + timedelta(hours=1))

    for each, tried_at in zip(others, before, strict=True):
        each.refresh_from_db()
        assert each.tried_at == tried_at
    assert [each.status for each in others] == ["active", "promoted"]


def test_a_proposal_given_again_makes_one_audit_row(now: datetime) -> None:
    stored, request_id = store_study(now), uuid4()
    given = (stored.study.operation_type, stored.study.model, UNTRIED)

    arms = [add_candidate(*given, actor="olga", reason="x", now=now, request_id=request_id) for _ in range(2)]

    assert arms[0] == arms[1]
    assert AuditEntry.objects.filter(action="candidate.add", request_id=request_id).count() == 1


def test_a_proposal_given_again_does_not_bring_back_what_was_retired_since(now: datetime) -> None:
    stored, request_id = store_study(now), uuid4()
    given = (stored.study.operation_type, stored.study.model, UNTRIED)
    arm = add_candidate(*given, actor="olga", reason="x", now=now, request_id=request_id)
    retire_arm(arm.pk, actor="olga", reason="x", now=now)

    again = add_candidate(*given, actor="olga", reason="x", now=now, request_id=request_id)

    assert again.pk == arm.pk
    assert again.number is None


def test_a_retirement_given_again_makes_one_audit_row_and_does_not_retire_what_came_back(
    now: datetime,
) -> None:
    stored, request_id = store_study(now), uuid4()
    arm = stored.arm(BETTER)
    retire_arm(arm.pk, actor="olga", reason="x", now=now, request_id=request_id)
    add_candidate(stored.study.operation_type, stored.study.model, BETTER, actor="olga", reason="x", now=now)

    again = retire_arm(arm.pk, actor="olga", reason="x", now=now, request_id=request_id).arm

    assert again.number is not None
    assert AuditEntry.objects.filter(action="candidate.retire").count() == 1


def test_settings_given_again_are_set_once(now: datetime) -> None:
    request_id = uuid4()
    configure_learning("t", {"control": 0.2}, actor="olga", reason="x", now=now, request_id=request_id)
    configure_learning("t", {"control": 0.3}, actor="olga", reason="x", now=now, request_id=request_id)

    assert LearningSettings.objects.get().values == {"control": 0.2}
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("operation_type", "values", "number"),
    [
        ("", {"aim": "score"}, 1),
        ("", {"aim": "duration"}, 0),
        ("", {"control": 0.5}, 0),
        ("text_to_audio", {"aim": "both", "weight": 0.3}, 1),
        ("another", {"aim": "score"}, 0),
    ],
)
def test_who_would_begin_anew_is_known_before(
    now: datetime, operation_type: str, values: dict[str, object], number: int
) -> None:
    stored = store_study(now)

    told = starting_anew(operation_type, values)

    assert len(told) == number
    configure_learning(operation_type, values, actor="olga", reason="x", now=now)
    stored.study.refresh_from_db()
    assert (stored.study.operations == 0) == bool(number)
