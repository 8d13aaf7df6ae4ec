"""Why a recommendation was what it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.models import Belief, Recommendation
from tests.dashboard.test_optimizations import page_of, text_of
from tests.optimization.stored import BETTER, PATTERNS, Stored, store_study

SignIn = Callable[[str], Client]


def address(kept: Recommendation) -> str:
    return f"/recommendations/{kept.pk}/"


def candidates(page: str) -> list[str]:
    part = page.split('id="candidates-title"')[1]
    return [text_of(each) for each in re.findall(r"<li(.*?)</li>", part, re.S)]


def after_the_ban(stored: Stored) -> Recommendation:
    """The newest one in the pattern from which an operator keeps a parameter set."""
    found = Recommendation.objects.filter(
        study=stored.study, pattern=PATTERNS[1], arm=stored.arm(BETTER)
    ).first()
    assert found is not None
    return found


def test_it_says_for_what_why_and_how_likely(sign_in: SignIn, now: datetime) -> None:
    kept = after_the_ban(store_study(now))

    told = text_of(page_of(sign_in("viktor"), address(kept)))

    assert "Why steps=20?" in told
    assert re.search(r"Thought best for this pattern \(after \d+ of this pattern and \d+ in all\)\.", told)
    assert (
        f"text_to_audio:audioldm2, pattern {PATTERNS[1] % 10**9} recognised with a confidence of 93 %" in told
    )
    assert re.search(r"Propensity 9\d % the baseline’s \d+ %", told)
    assert "from what is stored: the same" in told
    assert "Success Taught a reward of -" in told
    assert str(kept.operation) in told


def test_candidates_have_belief_propensity_and_the_reason_of_a_refusal(
    sign_in: SignIn, now: datetime
) -> None:
    kept = after_the_ban(store_study(now))

    page = page_of(sign_in("viktor"), address(kept))

    told = candidates(page)
    assert len(told) == 4
    assert re.search(r"Chosen steps= 20 [34]\d % faster, between \d+ and \d+ % 9\d % propensity", told[0])
    assert any(re.search(r"the baseline \d+ % propensity", each) for each in told)
    (refused,) = [each for each in told if "Refused" in each]
    assert "steps= 90 In quarantine: an operator decided so" in refused
    assert refused.endswith("0 % propensity")
    assert page.count("<meter") == 4


def test_what_was_not_reported_yet_says_so(sign_in: SignIn, now: datetime) -> None:
    kept = after_the_ban(store_study(now))
    Recommendation.objects.filter(pk=kept.pk).update(operation=None, outcome="", reward=None, learned_at=None)

    told = text_of(page_of(sign_in("viktor"), address(kept)))

    assert "No operation that followed it was reported yet." in told
    assert "Taught nothing (yet)" in told


def test_what_cannot_be_made_again_is_told(sign_in: SignIn, now: datetime) -> None:
    kept = after_the_ban(store_study(now))
    Recommendation.objects.filter(pk=kept.pk).update(propensity=0.123)

    assert "from what is stored: not the same" in text_of(page_of(sign_in("viktor"), address(kept)))


def test_the_first_ones_rest_on_nothing(sign_in: SignIn, now: datetime) -> None:
    store_study(now)
    kept = Recommendation.objects.filter(belief=None).last()
    assert kept is not None

    told = text_of(page_of(sign_in("viktor"), address(kept)))

    assert "Nothing was known yet: the first operations stay on the baseline." in told
    assert "there was nothing to make it from" in told


def test_an_input_like_no_pattern_is_told_as_such(sign_in: SignIn, now: datetime) -> None:
    kept = after_the_ban(store_study(now))
    Recommendation.objects.filter(pk=kept.pk).update(pattern=None)

    assert "like no pattern yet" in page_of(sign_in("viktor"), address(kept))


def test_it_asks_a_handful_of_times(sign_in: SignIn, now: datetime) -> None:
    kept, client = after_the_ban(store_study(now)), sign_in("viktor")

    with CaptureQueriesContext(connection) as captured:
        page_of(client, address(kept))

    assert Belief.objects.count() > 200
    assert len(captured) <= 10


def test_an_unknown_one_is_not_found(db: None, sign_in: SignIn) -> None:
    assert sign_in("viktor").get(f"/recommendations/{uuid4()}/").status_code == 404
