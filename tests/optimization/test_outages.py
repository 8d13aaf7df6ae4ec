"""While a model is away its operations fail whatever their parameters: that says nothing about these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission
from featurememory.models import Breaker, Optimization, OptimizationEvent, Study
from featurememory.optimization.learner import WARM_UP
from featurememory.optimization.policy import Choice
from featurememory.optimization.recommending import Question, recommend
from featurememory.optimization.registry import StudyRegistry
from featurememory.optimization.study import OUTAGE_RUN, Trial
from featurememory.optimization.study import Study as PlainStudy
from tests.operations import operation

SETS = [{"steps": 50}, {"steps": 20}, {"steps": 90}, {"steps": 30}]
SECONDS = (1.0, 0.6, 1.7, 0.8)


class Model:
    """Sends an operation a second, by a clock of its own."""

    def __init__(self, guarded: bool = True) -> None:
        self.now = datetime.now(UTC) - timedelta(hours=1)
        self.random = Random(5)
        self.number = 100
        self.breaker = {} if guarded else {"breaker": "nobody-s"}
        self.store = GroupTransaction(SeriesRegistry(10, 10), Fleet(10), studies=StudyRegistry())
        baseline, *others = SETS
        recommend(Question("t", "m", baseline, others), UUID(int=1), 1, self.now)

    def works(self, seconds: int, *, fails: bool = False) -> None:
        for _ in range(seconds):
            self.now += timedelta(seconds=4)
            self.number += 1
            which = self.random.randrange(len(SETS))
            took = SECONDS[which] * self.random.uniform(0.9, 1.1)
            sent = operation(
                id=str(UUID(int=self.number)),
                operation_type="t",
                model="m",
                parameters=SETS[which],
                started_at=(self.now - timedelta(seconds=took)).isoformat(),
                duration_ms=50.0 if fails else took * 1_000,
                outcome="error" if fails else "success",
            )
            self.store.store([Submission([sent])], self.now.timestamp())


def ranking() -> list[tuple[int, float | None]]:
    rows = Optimization.objects.exclude(effect=None).order_by("-effect", "arm__id")
    return [(row.arm.parameters["steps"], row.effect) for row in rows.select_related("arm")]


@pytest.mark.django_db(transaction=True)
def test_ten_minutes_of_outage_change_nothing_that_is_believed_of_parameters() -> None:
    model = Model()
    model.works(150)
    before, learned = ranking(), Study.objects.get().state["learner"]
    assert before[0][0] == 20
    model.works(150, fails=True)
    assert Breaker.objects.get().computed_state != Breaker.State.CLOSED
    assert ranking() == before
    assert Study.objects.get().state["learner"] == learned
    model.works(60)
    assert [steps for steps, _ in ranking()] == [steps for steps, _ in before]
    assert not OptimizationEvent.objects.filter(after="quarantined").exclude(arm__parameters={"steps": 90})


@pytest.mark.django_db(transaction=True)
def test_a_parameter_set_that_always_fails_while_others_work_is_found_out() -> None:
    model = Model()
    model.works(80)
    for _ in range(40):
        model.works(3)
        model.number += 1
        model.now += timedelta(seconds=4)
        broken = operation(
            id=str(UUID(int=model.number)),
            operation_type="t",
            model="m",
            parameters=SETS[1],
            started_at=model.now.isoformat(),
            duration_ms=50.0,
            outcome="error",
        )
        model.store.store([Submission([broken])], model.now.timestamp())
    steps = [steps for steps, _ in ranking()]
    assert steps[0] == 30, "20 was the fastest, but fails half of the time"


def trial(number: int, outcome: str, arm: int = 1) -> Trial:
    choice = Choice(arm, 0.0, 0.0, 0)
    return Trial(str(number), 0, choice, outcome, 10.0 * number, 1_000.0)


@pytest.fixture
def study() -> PlainStudy:
    study = PlainStudy()
    study.learner.add_arm()
    for number in range(WARM_UP):
        study.take(trial(number, "success", 0))
    study.learner.re_estimate()
    return study


def test_a_failure_teaches_once_a_later_success_has_shown_that_the_model_was_there(study: PlainStudy) -> None:
    assert study.take(trial(10, "error")) == []
    first, second = study.take(trial(11, "success", 0))
    assert (first.trial.token, second.trial.token) == ("10", "11")
    assert first.reward <= second.reward


def test_a_success_that_began_before_the_failure_shows_nothing(study: PlainStudy) -> None:
    study.take(trial(10, "error"))
    long = trial(9, "success", 0)._replace(duration_ms=60_000.0)
    assert [each.trial.token for each in study.take(long)] == ["9"]
    assert [each.trial.token for each in study.take(trial(12, "success"))] == ["10", "12"]


def test_a_breaker_that_opens_takes_back_the_failures_that_led_to_it(study: PlainStudy) -> None:
    study.take(trial(10, "error"))
    assert study.take(trial(11, "error")._replace(is_outage=True)) == []
    assert [each.trial.token for each in study.take(trial(12, "success"))] == ["12"]


def test_a_long_run_of_failures_is_an_outage_even_without_a_breaker(study: PlainStudy) -> None:
    for number in range(10, 10 + OUTAGE_RUN + 30):
        study.take(trial(number, "timeout"))
    assert [each.trial.token for each in study.take(trial(90, "success"))] == ["90"]


@pytest.mark.parametrize("outcome", ["rejected", "cancelled"])
def test_what_never_ran_to_its_end_teaches_nothing(study: PlainStudy, outcome: str) -> None:
    assert study.take(trial(10, outcome)) == []
    assert len(study.take(trial(11, "success"))) == 1
