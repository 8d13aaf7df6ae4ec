"""What the optimization validator passes can be tried; what it refuses says which field, and what would be right."""

from __future__ import annotations

from datetime import datetime
from math import inf, nan
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.models import LearningSettings
from featurememory.optimization.operator_actions import add_candidate
from featurememory.optimization.registry import studies
from featurememory.optimization.steps import Range
from featurememory.validation.known import optimization_thresholds
from featurememory.validation.optimization import OptimizationThresholds, OptimizationValidator
from featurememory.validation.results import Subject, ValidationResult
from tests.optimization.stored import BASELINE, USUAL, store_study

KNOWN = OptimizationThresholds(
    {"steps": Range(10, 90, 5), "scheduler": Range(choices=("ddim", "dpm++"))}, BASELINE, "score"
)
SUBJECT = Subject(USUAL.operation_type, USUAL.model)


def judged(data: Any, thresholds: OptimizationThresholds = KNOWN) -> ValidationResult:
    return OptimizationValidator(lambda subject: thresholds)(data, Subject())


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"parameters": BASELINE | {"steps": 200}}, "range", "parameters.steps"),
        ({"parameters": BASELINE | {"steps": "20"}}, "range", "parameters.steps"),
        ({"parameters": BASELINE | {"scheduler": "euler"}}, "range", "parameters.scheduler"),
        ({"parameters": BASELINE | {"guidance": nan}}, "value", "parameters.guidance"),
        ({"parameters": {"steps": 20}}, "keys", "parameters"),
        ({"parameters": [1]}, "object", "parameters"),
        ({"score": 1.5}, "range", "score"),
        ({"score": True}, "range", "score"),
        ({"effectiveness": 1.5}, "range", "effectiveness"),
        ({"effectiveness": inf}, "range", "effectiveness"),
        ({"status": "excellent"}, "status", "status"),
        ({"trials": 3}, "extra_forbidden", "trials"),
    ],
)
def test_what_cannot_be_learned_from_is_an_error(changes: dict[str, Any], code: str, field: str) -> None:
    found = judged({"parameters": BASELINE | {"steps": 20}} | changes)
    assert [(each.code, each.field) for each in found.errors] == [(code, field)]


def test_parameters_must_be_there() -> None:
    assert judged({}).code == "missing"
    assert judged(17).code == "object"


def test_a_whole_optimization_passes_and_the_baseline_itself_is_a_warning() -> None:
    data = {"parameters": BASELINE, "score": 0.5, "status": "promoted", "effectiveness": -0.25}
    found = judged(data)
    assert (found.is_valid, [each.code for each in found.warnings]) == (True, ["baseline"])
    assert found.metadata["thresholds"]["keys"] == sorted(BASELINE)


def test_the_effect_on_a_duration_may_be_larger_than_that_on_a_score() -> None:
    data = {"parameters": BASELINE, "effectiveness": 2.0}
    assert judged(data, KNOWN._replace(aim="duration")).is_valid


def test_thresholds_are_the_operation_types_own(db: None, now: Any) -> None:
    store_study(now)
    LearningSettings.objects.create(
        operation_type=USUAL.operation_type,
        values={"steps": {"steps": {"low": 10, "high": 90, "step": 5}}},
        changed_at=now,
    )
    known = optimization_thresholds(SUBJECT)
    assert (dict(known.ranges), known.baseline) == ({"steps": Range(10, 90, 5)}, BASELINE)
    assert optimization_thresholds(Subject("else")).baseline is None


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values |= st.lists(values, max_size=3)
sets = st.fixed_dictionaries({"steps": values, "guidance": values, "scheduler": values})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets | st.dictionaries(st.sampled_from([*BASELINE, "else"]), values))
def test_what_passes_can_be_proposed_and_what_does_not_has_a_field_and_a_fix(
    db: None, now: Any, parameters: dict[str, Any]
) -> None:
    with transaction.atomic():
        study = store_study(now).study
        _propose(parameters, now)
        transaction.set_rollback(True)
    studies().forget([study.pk])


def _propose(parameters: dict[str, Any], now: datetime) -> None:
    found = OptimizationValidator(optimization_thresholds)({"parameters": parameters}, SUBJECT)
    if found.is_valid:
        arm = add_candidate(
            SUBJECT.operation_type, SUBJECT.model, parameters, actor="olga", reason="a test", now=now
        )
        arm.refresh_from_db()
        assert set(arm.parameters) == set(BASELINE)
    else:
        assert all(each.field.startswith("parameters") and each.message for each in found.errors)
