"""What is believed gets worse at once and better only once it has stayed better; it never flaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from featurememory.observability.health import BADNESS, Component, Status
from featurememory.observability.hysteresis import BETTER_FOR, Standing, steady

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
STATUSES = st.sampled_from(Status)
LOOKS = st.lists(st.tuples(STATUSES, st.booleans(), st.integers(-5, 60)), min_size=1, max_size=40)
"""(verdict, whether it jitters, seconds since the look before: the clock may step back)."""


def verdict(status: Status, *, jitters: bool = False) -> Component:
    return Component(status, f"It is {status}.", jitters=jitters)


def believed(
    looks: list[tuple[Status, bool, int]],
) -> list[tuple[datetime, Component, Standing | None, Standing]]:
    """Each look: (when, the verdict, what was believed before, what is believed after)."""
    at, before, steps = NOW, None, []
    for status, jitters, later in looks:
        at += timedelta(seconds=later)
        seen = verdict(status, jitters=jitters)
        after = steady(before, seen, at)
        steps.append((at, seen, before, after))
        before = after
    return steps


def better(one: Status, other: Status) -> bool:
    return BADNESS[one] < BADNESS[other]


@given(LOOKS)
def test_it_is_never_better_than_the_last_verdict_that_was_certain(
    looks: list[tuple[Status, bool, int]],
) -> None:
    for _, seen, before, after in believed(looks):
        if not seen.jitters or before is None:
            assert not better(after.status, seen.status)


@given(LOOKS)
def test_it_never_gets_better_before_all_verdicts_of_that_time_were_better(
    looks: list[tuple[Status, bool, int]],
) -> None:
    steps = believed(looks)
    for place, (at, _, before, after) in enumerate(steps):
        if before is None or not better(after.status, before.status):
            continue
        assert before.better_since is not None
        assert at - before.better_since >= BETTER_FOR
        since = [seen for _, seen, _, _ in steps[: place + 1]][-2:]
        assert all(better(seen.status, before.status) for seen in since)


@given(STATUSES, STATUSES, st.booleans())
def test_a_constant_verdict_is_reached_and_kept(first: Status, constant: Status, jitters: bool) -> None:
    steps = believed([(first, False, 0)] + [(constant, jitters, 15)] * 10)
    assert steps[3][3].status == constant
    assert {after.since for _, _, _, after in steps[3:]} == {steps[3][3].since}


@given(st.lists(STATUSES, min_size=1, max_size=60))
def test_however_verdicts_change_it_gets_better_at_most_every_so_often(verdicts: list[Status]) -> None:
    steps = believed([(status, False, 5) for status in verdicts])
    improved = [
        at for at, _, before, after in steps if before is not None and better(after.status, before.status)
    ]
    assert all(later - earlier >= BETTER_FOR for earlier, later in pairwise(improved))
    moves = sum(before is not None and before.status != after.status for _, _, before, after in steps)
    assert moves <= 2 + 3 * len(improved)


@given(LOOKS)
def test_since_is_when_it_last_changed(looks: list[tuple[Status, bool, int]]) -> None:
    for at, _, before, after in believed(looks):
        if before is None or before.status != after.status:
            assert after.since == at
        else:
            assert after.since == before.since


def test_figures_that_jitter_are_believed_at_the_second_look() -> None:
    well = steady(None, verdict(Status.HEALTHY), NOW)
    slow = verdict(Status.DEGRADED, jitters=True)
    once = steady(well, slow, NOW)
    assert once.status is Status.HEALTHY
    assert steady(once, slow, NOW).status is Status.DEGRADED
    assert steady(steady(once, verdict(Status.HEALTHY), NOW), slow, NOW).status is Status.HEALTHY


def test_it_comes_to_the_worst_that_was_seen_while_it_got_better() -> None:
    after = [
        step[3]
        for step in believed(
            [(Status.UNHEALTHY, False, 0), (Status.HEALTHY, False, 15), (Status.DEGRADED, False, 15)]
            + [(Status.HEALTHY, False, 15)] * 4
        )
    ]
    assert [each.status for each in after] == [
        Status.UNHEALTHY, Status.UNHEALTHY, Status.UNHEALTHY, Status.DEGRADED,
        Status.DEGRADED, Status.DEGRADED, Status.HEALTHY,
    ]  # fmt: skip


def test_what_only_starts_is_well_as_soon_as_a_look_says_so() -> None:
    starting = Component(Status.DEGRADED, "Starting.", passes=True)
    assert steady(steady(None, starting, NOW), verdict(Status.HEALTHY), NOW).status is Status.HEALTHY
    ill = steady(steady(None, starting, NOW), verdict(Status.DEGRADED), NOW)
    assert steady(ill, verdict(Status.HEALTHY), NOW).status is Status.DEGRADED


def test_while_it_is_not_believed_yet_the_words_say_so() -> None:
    standing = steady(steady(None, verdict(Status.UNHEALTHY), NOW), verdict(Status.HEALTHY), NOW)
    assert standing.words == "It is unhealthy. Better since 12:00:00 UTC; believed once it holds for 25 s."
