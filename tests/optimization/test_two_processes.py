"""What is learned does not depend on how many processes learn it, nor on what is rolled back between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.core.registry import SpaceRegistry
from featurememory.ingestion.operations import Operation
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission
from featurememory.models import FeatureSpace, Optimization, Pattern, PatternEvidence, Study
from featurememory.models import Operation as Stored
from featurememory.optimization.recommending import Question, recommend
from featurememory.optimization.registry import StudyRegistry
from featurememory.optimization.storage import unpacked
from tests.operations import operation

pytestmark = pytest.mark.django_db(transaction=True)
SETS = [{"steps": 50}, {"steps": 20}, {"steps": 90}]
SECONDS = (1.0, 0.6, 1.7)
BEGAN = datetime.now(UTC) - timedelta(hours=2)
CENTRES = [[Random(seed).gauss(0, 1) for _ in range(8)] for seed in range(12)]


def store() -> GroupTransaction:
    """As another process has it: a memory of its own."""
    return GroupTransaction(SeriesRegistry(100, 100), Fleet(100), SpaceRegistry(10, 1_000), StudyRegistry())


def begin() -> None:
    baseline, *others = SETS
    question = Question("t", "m", baseline, others)
    recommend(question, UUID(int=1), 1, timezone.now())


def operations(count: int = 360) -> list[Operation]:
    """The same each time: some fail, some gain, in patterns that each have a level of their own."""
    random = Random(7)
    made = []
    for number in range(count):
        place = random.randrange(len(CENTRES))
        which = random.randrange(len(SETS))
        made.append(
            operation(
                id=str(UUID(int=number + 10)),
                started_at=(BEGAN + timedelta(seconds=10 * number)).isoformat(),
                operation_type="t",
                model="m",
                parameters=SETS[which],
                duration_ms=1_000 * SECONDS[which] * (1 + place / 10) * random.uniform(0.8, 1.2),
                outcome="error" if random.random() < 0.05 else "success",
                space="s",
                features=[each + random.gauss(0, 0.05) for each in CENTRES[place]],
            )
        )
    return made


def learned() -> dict[str, Any]:
    """All that is known in the end, without the times at which it was written."""
    study = Study.objects.get()
    return {
        "state": study.state,
        "estimate": unpacked(bytes(study.estimate or b"")).snapshot(),
        "evidence": list(PatternEvidence.objects.order_by("pattern").values_list("pattern", "record")),
        "optimizations": list(
            Optimization.objects.order_by("pattern", "arm__digest").values_list(
                "pattern", "arm__digest", "status", "trials", "effect", "effect_low", "effect_high"
            )
        ),
        "patterns": [
            (row.pk, bytes(row.centroid), row.count, row.spread) for row in Pattern.objects.order_by("pk")
        ],
    }


def taught_by(stores: list[GroupTransaction], broken: bool = False) -> dict[str, Any]:
    for model in (Study, FeatureSpace, Stored):
        model.objects.all().delete()
    begin()
    told = operations()
    for number, start in enumerate(range(0, len(told), 12)):
        by = stores[number % len(stores)]
        submission = Submission(told[start : start + 12])
        if broken:
            roll_back(by, submission)
        by.store([submission], timezone.now().timestamp())
    found = learned()
    space = FeatureSpace.objects.get().pk
    return normal(found, space)


def roll_back(by: GroupTransaction, submission: Submission) -> None:
    """Everything is learned, then the transaction fails."""

    class Broken(Exception):
        pass

    def fail(*_: Any) -> None:
        raise Broken

    from featurememory.ingestion import transaction

    kept = transaction._note_senders
    transaction._note_senders = fail
    try:
        with pytest.raises(Broken):
            by.store([submission], timezone.now().timestamp())
    finally:
        transaction._note_senders = kept


def normal(found: Any, space: int) -> Any:
    """With numbers of patterns as they are within the space."""
    if isinstance(found, dict):
        return {normal(key, space): normal(each, space) for key, each in found.items()}
    if isinstance(found, list | tuple):
        return [normal(each, space) for each in found]
    if isinstance(found, str) and found.isdigit() and len(found) < 20:
        return str(normal(int(found), space))
    is_pattern = type(found) is int and 0 < found - space * 10**9 < 10**9
    return found - space * 10**9 if is_pattern else found


def test_two_processes_in_turn_learn_what_one_learns() -> None:
    alone = taught_by([store()])
    together = taught_by([store(), store(), store()])
    assert alone["state"]["learner"]["operations"] > 300
    assert len(alone["evidence"]) > 5
    assert together == alone


def test_what_was_rolled_back_has_taught_nothing() -> None:
    alone = taught_by([store()])
    assert taught_by([store()], broken=True) == alone


def test_a_new_process_goes_on_where_the_last_one_was() -> None:
    alone = taught_by([store()])
    assert taught_by([store() for _ in range(40)]) == alone
