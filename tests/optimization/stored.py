"""A study as it stands after some hundred operations, stored as the service stores it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import log
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from featurememory.models import Arm, Belief, Optimization, Recommendation, Study
from featurememory.optimization import study as plain
from featurememory.optimization.choosing import Belief as Thought
from featurememory.optimization.lifecycle import Cause, Change, Status
from featurememory.optimization.parameters import digest
from featurememory.optimization.policy import Choice
from featurememory.optimization.registry import KnownStudy
from featurememory.optimization.reward import Objective
from featurememory.optimization.storage import Move, record_moves

BASELINE = {"steps": 50, "guidance": 3.5, "scheduler": "ddim"}
BETTER = BASELINE | {"steps": 20}
WORSE = BASELINE | {"steps": 90}
OTHER = BASELINE | {"steps": 35, "scheduler": "dpm++"}
UNTRIED = BASELINE | {"guidance": 7.5}
SETS = (BASELINE, BETTER, WORSE, OTHER)
SHARES = (1.0, 0.55, 1.6, 0.9)
"""Of the baseline's duration that each of SETS takes."""
PATTERNS = (1_000_000_001, 1_000_000_002, 1_000_000_003)
EVERY = timedelta(seconds=13)
FORBIDDEN_AT = 120
FORBIDDEN_IN = PATTERNS[1]


class Shape(NamedTuple):
    """What a study looks like. After `regresses_at` operations the better set takes twice the baseline's time; after
    FORBIDDEN_AT of them an operator keeps the worse one from a pattern."""

    operation_type: str = "text_to_audio"
    model: str = "audioldm2"
    operations: int = 300
    aim: str = "duration"
    regresses_at: int = 10**9
    seed: int = 5


USUAL = Shape()
YOUNG = USUAL._replace(model="musicgen", operations=60, seed=11)


class Step(NamedTuple):
    pattern: int
    choice: Choice
    seed: int
    outcome: str
    reward: float | None
    thought: Thought | None
    seen: int
    changes: list[Change]


@dataclass(frozen=True)
class Stored:
    study: Study

    def arm(self, parameters: dict[str, Any]) -> Arm:
        return self.study.arms.get(digest=digest(parameters))

    def optimization(self, pattern: int, parameters: dict[str, Any]) -> Optimization:
        return Optimization.objects.get(arm=self.arm(parameters), pattern=pattern)

    @property
    def newest(self) -> Recommendation:
        found = Recommendation.objects.filter(study=self.study).exclude(source="baseline").first()
        assert found is not None
        return found


@lru_cache
def _played(shape: Shape) -> tuple[plain.Study, list[Step]]:
    chance, study = Random(shape.seed), plain.Study(Objective(shape.aim))  # type: ignore[arg-type]
    learner = study.learner
    for _ in SETS[1:]:
        learner.add_arm()
    steps = []
    for number in range(shape.operations):
        told = learner.order(FORBIDDEN_IN, 2, Status.QUARANTINED) if number == FORBIDDEN_AT else []
        pattern, seed = chance.choice((*PATTERNS, PATTERNS[0])), chance.getrandbits(62)
        thought = None
        if learner.estimate is not None:
            believed = learner.believed(pattern)
            refused = frozenset(learner.refused(pattern, believed, 0))
            thought = Thought(believed, (0, 1, 2, 3), refused, learner.preferred(pattern), learner.config)
        choice = study.recommend(pattern, seed)
        share = 2.0 if choice.arm == 1 and number >= shape.regresses_at else SHARES[choice.arm]
        took = 4_000 * share * (1 + PATTERNS.index(pattern) / 4) * chance.uniform(0.85, 1.15)
        score = max(0.0, min(1.0, 0.9 - took / 20_000)) if shape.aim == "score" else None
        outcome = "error" if chance.random() < 0.02 else "success"
        trial = plain.Trial("", pattern, choice, outcome, number * 30.0, took, score)
        seen = learner.operations
        taught = study.take(trial)
        if learner.is_due:
            learner.re_estimate()
        reward = (score if score is not None else -log(took)) if outcome == "success" else None
        changes = [*told, *plain.changes_of(taught)]
        steps.append(Step(pattern, choice, seed, outcome, reward, thought, seen, changes))
    return study, steps


def store_study(now: datetime, shape: Shape = USUAL) -> Stored:
    """Its last operation ended EVERY before `now`; ids are the same whenever it is stored."""
    played, steps = _played(shape)
    first = now - EVERY * len(steps)
    row = Study.objects.create(operation_type=shape.operation_type, model=shape.model, created_at=first)
    arms = Arm.objects.bulk_create(
        Arm(
            study=row,
            number=number,
            parameters=each,
            digest=digest(each),
            origin=Arm.Origin.CALLER if number else Arm.Origin.BASELINE,
            created_at=first,
        )
        for number, each in enumerate(SETS)
    )
    known = KnownStudy()
    known.study, known._arms = played, dict(enumerate(arms))
    played.learner.changed |= set(played.learner.records)
    row.estimated += 1
    tried = {(step.pattern, step.choice.arm) for step in steps}
    tried |= {(each.pattern, each.arm) for step in steps for each in step.changes}
    known.keep(row, (), tried, now)
    row.optimizations.update(created_at=first)
    _keep_recommendations(row, arms, steps, first)
    for number, step in enumerate(steps):
        for cause, who in ((Cause.OPERATOR, ("olga", "it crackles")), (None, ("", ""))):
            moves = [
                Move(arms[each.arm].pk, each.pattern, each.before, each.after, each.cause, {"trials": number})
                for each in step.changes
                if each.arm and (each.cause == cause if cause else each.cause != Cause.OPERATOR)
            ]
            if moves:
                record_moves(row, moves, first + EVERY * number, actor=who[0], reason=who[1])
    return Stored(row)


def _keep_recommendations(row: Study, arms: list[Arm], steps: list[Step], first: datetime) -> None:
    keys = tuple(arm.pk for arm in arms)
    moments = [first + EVERY * number for number in range(len(steps))]
    beliefs = iter(
        Belief.objects.bulk_create(
            Belief(
                study=row,
                pattern=step.pattern,
                revision=step.seen,
                content=step.thought._replace(arms=keys).snapshot()
                | {"operations": step.seen, "aim": row.state["objective"][0]},
                at=at,
            )
            for step, at in zip(steps, moments, strict=True)
            if step.thought is not None
        )
    )
    Recommendation.objects.bulk_create(
        Recommendation(
            id=UUID(int=(row.pk << 64) + number, version=4),
            study=row,
            belief=None if step.thought is None else next(beliefs),
            pattern=step.pattern,
            confidence=0.93,
            arm=arms[step.choice.arm],
            baseline=arms[0],
            seed=step.seed,
            source="baseline" if step.thought is None else step.thought.source(step.choice),
            propensity=step.choice.propensity,
            baseline_propensity=step.choice.baseline_propensity,
            at=at,
            operation=UUID(int=(row.pk << 65) + number, version=4),
            outcome=step.outcome,
            reward=step.reward,
            learned_at=at,
        )
        for number, (step, at) in enumerate(zip(steps, moments, strict=True))
    )
