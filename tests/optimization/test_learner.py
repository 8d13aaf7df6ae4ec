"""A learner finds what works, takes back what gets worse, and can be asked again what it recommended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from featurememory.optimization.effectiveness import ENOUGH
from featurememory.optimization.learner import WARM_UP, Alarm, Learner, Lesson
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.neighbours import Neighbourhood
from featurememory.optimization.policy import Choice, PolicyConfig
from featurememory.optimization.pooling import sister_of, sisters_prior

EFFECTS = (0.0, 0.6, -0.8, 0.1)


def play(
    learner: Learner,
    operations: int,
    *,
    seed: int = 1,
    effects: Callable[[int], tuple[float, ...]] = lambda pattern: EFFECTS,
    patterns: int = 8,
    started: int = 0,
    alarms: list[Alarm] | None = None,
) -> Counter[int]:
    """Operations on patterns of different levels, with noise; gives how often each arm was chosen."""
    random, chosen = Random(seed), Counter[int]()
    for operation in range(started, started + operations):
        pattern = random.randrange(patterns)
        choice = learner.recommend(pattern, operation)
        chosen[choice.arm] += 1
        teach(learner, pattern, choice, pattern + effects(pattern)[choice.arm] + random.gauss(0, 0.2), alarms)
    return chosen


def teach(
    learner: Learner,
    pattern: int,
    choice: Choice,
    reward: float,
    alarms: list[Alarm] | None = None,
    near: Neighbourhood | None = None,
) -> None:
    lesson = learner.learn(pattern, choice, reward, near)
    if alarms is not None:
        alarms += lesson.alarms
    if learner.is_due:
        learner.re_estimate()


def test_the_first_operations_stay_on_the_baseline() -> None:
    assert play(Learner(4, 0), WARM_UP) == {0: WARM_UP}


def test_most_operations_get_what_works_and_the_control_group_its_share() -> None:
    learner = Learner(4, 0, PolicyConfig(sure_control=1))
    play(learner, 300)
    chosen = play(learner, 600, started=300)
    assert chosen[1] > 500
    assert 35 <= chosen[0] <= 90


def test_what_works_in_one_pattern_is_not_forced_upon_another() -> None:
    learner = Learner(3, 0, PolicyConfig(control=0.0))

    def effects(pattern: int) -> tuple[float, ...]:
        return (0.0, 1.0, -1.0) if pattern % 2 else (0.0, -1.0, 1.0)

    play(learner, 1_500, effects=effects)
    for pattern in range(8):
        assert learner.recommend(pattern, 1).arm == (1 if pattern % 2 else 2)


def test_a_past_recommendation_can_be_had_again() -> None:
    one, other = Learner(4, 0), Learner(4, 0)
    for learner in (one, other):
        play(learner, 200)
    assert [one.recommend(3, seed) for seed in range(50)] == [other.recommend(3, seed) for seed in range(50)]
    assert one.recommend(3, 7) == one.recommend(3, 7), "recommending changes nothing"


def test_what_teaches_nothing_changes_nothing() -> None:
    learner = Learner(4, 0)
    play(learner, 200)
    believed, operations, effect = learner.believed(2), learner.operations, learner.effectiveness.effect()
    for _ in range(50):
        assert learner.learn(2, Choice(1, 0.9, 0.1), None) == Lesson()
    assert (learner.believed(2), learner.operations, learner.effectiveness.effect()) == (
        believed,
        operations,
        effect,
    )


def test_an_arm_that_gets_worse_everywhere_is_noticed_and_left() -> None:
    learner = Learner(4, 0)
    play(learner, 600)
    alarms: list[Alarm] = []
    chosen = play(learner, 300, started=600, effects=lambda pattern: (0.0, -1.0, -0.8, 0.1), alarms=alarms)
    noticed = [alarm for alarm in alarms if alarm.direction == "down"]
    assert noticed
    assert noticed[0].arm == 1
    assert chosen[1] <= 25


def test_no_promotion_survives_that_an_arm_falls_everywhere() -> None:
    learner = Learner(4, 0)
    play(learner, 600)
    promoted = [pattern for pattern, record in learner.records.items() if record.promoted == 1]
    for pattern in promoted[:4]:
        learner.order(pattern, 1, Status.PROMOTED)
    alarms: list[Alarm] = []

    operations = 600
    while not any(alarm.pattern is None and alarm.direction == "down" for alarm in alarms):
        play(
            learner,
            1,
            seed=operations,
            started=operations,
            effects=lambda _: (0, -0.1, -0.8, 0),
            alarms=alarms,
        )
        operations += 1

    assert len(promoted) == 8
    assert [pattern for pattern, record in learner.records.items() if record.promoted == 1] == []
    assert {learner.preferred(pattern) for pattern in promoted} == {None}


def test_an_arm_in_quarantine_is_not_recommended_until_its_visits_are_over() -> None:
    learner = Learner(4, 0)
    play(learner, 600)
    operation = 600
    alarms: list[Alarm] = []
    while not any(alarm.quarantined for alarm in alarms):
        play(
            learner,
            1,
            seed=operation,
            started=operation,
            effects=lambda pattern: (0.0, -3.0, -0.8, 0.1),
            alarms=alarms,
        )
        operation += 1
    alarm = alarms[-1]
    assert alarm.arm == 1
    pattern = 0 if alarm.pattern is None else alarm.pattern
    assert all(learner.recommend(pattern, seed).arm != 1 for seed in range(50))


def test_one_gross_outlier_does_not_change_what_is_recommended() -> None:
    learner = Learner(4, 0, PolicyConfig(control=0.0))
    play(learner, 600)
    lesson = learner.learn(3, Choice(1, 1.0, 0.1), -1e6)
    assert learner.recommend(3, 1).arm == 1
    assert not lesson.alarms


def test_identical_arms_lead_to_no_claim_and_real_gains_do() -> None:
    same, better = Learner(4, 0), Learner(4, 0)
    play(same, 1_000, effects=lambda pattern: (0.0,) * 4)
    play(better, 1_000)
    assert not any(claim.told.effective for claim in same.claims())
    assert sum(claim.told.effective for claim in better.claims()) >= 6
    assert {claim.arm for claim in better.claims() if claim.told.effective} == {1}


def test_the_overall_gain_is_told_with_a_sequence_that_holds_it() -> None:
    learner = Learner(4, 0)
    chosen = play(learner, 1_500)
    truth = sum(EFFECTS[arm] * count for arm, count in chosen.items()) / 1_500
    effect = learner.effectiveness.effect()
    assert effect.operations == 1_500 > ENOUGH
    assert effect.sequence.low <= truth <= effect.sequence.high
    assert learner.effectiveness.propensities_hold()


def test_a_new_pattern_starts_with_what_others_taught() -> None:
    learner = Learner(4, 0, PolicyConfig(control=0.0))
    play(learner, 600)
    assert learner.recommend(99, 1).arm == 1


def test_near_patterns_teach_more_than_far_ones() -> None:
    learner = Learner(3, 0, PolicyConfig(control=0.0))
    random = Random(2)
    for operation in range(1_200):
        pattern = random.randrange(12)
        near = tuple((other, 0.9) for other in range(12) if other % 2 == pattern % 2 and other != pattern)
        choice = learner.recommend(pattern, operation, near)
        effect = (0.0, 1.0, -1.0)[choice.arm] * (1 if pattern % 2 else -1)
        teach(learner, pattern, choice, effect + random.gauss(0, 0.2), near=near)
    odd = tuple((other, 0.9) for other in range(1, 12, 2))
    even = tuple((other, 0.9) for other in range(0, 12, 2))
    assert learner.recommend(100, 1, odd).arm == 1
    assert learner.recommend(101, 1, even).arm == 2


def test_a_new_model_begins_where_its_sisters_are() -> None:
    sister = Learner(4, 0)
    play(sister, 600)
    assert sister.pooled is not None
    prior = sisters_prior([sister_of(sister.pooled, range(4), 0)])
    cold, warm = Learner(4, 0), Learner(4, 0, beta_prior=prior)
    assert play(warm, 60, seed=3)[1] > play(cold, 60, seed=3)[1]


def test_a_pattern_let_go_is_known_no_more_but_what_it_taught_in_general_stays() -> None:
    learner = Learner(4, 0)
    play(learner, 600)
    for pattern in range(8):
        learner.forget(pattern)
        assert not learner.statistics(pattern)
    learner.re_estimate()
    assert learner.pooled is not None
    assert learner.pooled.beta[1].mean > 0.3
    assert learner.pooled.beta[2].mean < -0.3


def test_a_pattern_let_go_can_leave_its_evidence_to_a_near_one() -> None:
    learner = Learner(4, 0)
    play(learner, 400)
    together = learner.statistics(1)[1].n + learner.statistics(2)[1].n
    learner.forget(2, into=1)
    assert learner.statistics(1)[1].n == together


def test_a_loss_budget_keeps_losses_small() -> None:
    def loss(config: PolicyConfig) -> float:
        chosen = play(Learner(4, 0, config), 400, effects=lambda pattern: (0.0, -1.0, -1.0, -1.0))
        return float(sum(count for arm, count in chosen.items() if arm))

    assert loss(PolicyConfig(loss_budget=0.005)) <= 3
    assert loss(PolicyConfig()) > 3
