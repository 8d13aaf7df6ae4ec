"""The list of optimizations and what learning gains: who is shown, in which words, at what cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.models import Arm, Optimization, Recommendation, Study
from featurememory.optimization.effectiveness import Effectiveness
from featurememory.optimization.parameters import digest
from tests.optimization.stored import (
    BASELINE,
    BETTER,
    OTHER,
    PATTERNS,
    SETS,
    USUAL,
    YOUNG,
    Stored,
    store_study,
)

SignIn = Callable[[str], Client]
LIST = "/optimizations/"


def page_of(client: Client, path: str = LIST, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("\u00a0", " ").split())


def shown(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'<li id="optimization-(\d+)"', page)]


def effectiveness(rewards: list[float], expected: float = 0.0) -> list[Any]:
    """The stream of so many operations, every second of them on the baseline."""
    stream = Effectiveness()
    for number, reward in enumerate(rewards):
        on_baseline = number % 2 == 0
        stream.record(expected if on_baseline else reward, on_baseline, expected, 0.5)
    return list(stream.snapshot())


def tell(stored: Stored, snapshot: list[Any]) -> None:
    """Has the study's effectiveness be just this."""
    study = Study.objects.get(pk=stored.study.pk)
    study.state["learner"]["effectiveness"] = snapshot
    study.save(update_fields=["state"])


def test_while_nobody_has_asked_it_says_how_to(db: None, sign_in: SignIn) -> None:
    page = page_of(sign_in("viktor"))

    assert "Nobody has asked for a recommendation yet" in page
    assert "http://testserver/api/v1/recommendations" in page
    assert "op.recommend(" in page


def test_before_anything_was_tried_there_is_no_optimization_yet(sign_in: SignIn, now: datetime) -> None:
    Study.objects.create(operation_type="t", model="m", created_at=now)

    told = text_of(page_of(sign_in("viktor")))

    assert "No operation has shown anything yet." in told
    assert "No optimization yet." in told


def test_what_learning_gains_is_told_as_per_cent_of_the_duration_with_its_interval(
    sign_in: SignIn, now: datetime
) -> None:
    tell(store_study(now), effectiveness([0.3] * 400))

    told = text_of(page_of(sign_in("viktor"), "/optimizations/gains/"))

    assert re.search(
        r"Effective 14 % faster, between 1[0-4] and 1\d % All that is learned by the duration", told
    )
    assert "300 operations taught 3 patterns, 4 parameter sets" in told
    assert re.search(r"An operation saves [\d.]+ s, between [\d.]+ s and [\d.]+ s in all saves \d+ min", told)


def test_a_score_is_told_in_points(sign_in: SignIn, now: datetime) -> None:
    store_study(now, USUAL._replace(aim="score"))

    told = text_of(page_of(sign_in("viktor"), "/optimizations/gains/"))

    assert re.search(r"0\.\d+ points better, between 0\.\d+ and 0\.\d+ points", told)
    assert "All that is learned by the score" in told


def test_harm_is_told_as_plainly(sign_in: SignIn, now: datetime) -> None:
    tell(store_study(now), effectiveness([-0.3] * 400))

    assert re.search(r"Harmful 16 % slower, between 1\d and \d+ %", text_of(page_of(sign_in("viktor"))))


def test_too_little_evidence_is_no_verdict(sign_in: SignIn, now: datetime) -> None:
    tell(store_study(now), effectiveness([0.3] * 40))

    told = text_of(page_of(sign_in("viktor")))

    assert "Not enough evidence yet So far" in told
    assert "40 operations of the 100 that a verdict needs at least" in told
    assert "Effective" not in told


def test_what_is_not_sure_yet_has_no_colour_and_says_so_of_the_time_too(
    sign_in: SignIn, now: datetime
) -> None:
    store_study(now, YOUNG)

    page = page_of(sign_in("viktor"), "/optimizations/gains/")

    assert 'class="interval tone-off"' in page
    assert "tone-ok" not in page
    assert "So far an operation saves" in text_of(page)


def test_an_interval_that_holds_the_baseline_may_as_well_be_none(sign_in: SignIn, now: datetime) -> None:
    tell(store_study(now), effectiveness([0.0, 0.3, 0.0, -0.31] * 60))

    told = text_of(page_of(sign_in("viktor")))

    assert re.search(r"So far [\d.]+ % \w+, between [\d.]+ % slower and [\d.]+ % faster", told)
    assert "it may as well be none" in told


def test_propensities_that_do_not_hold_allow_no_figure(sign_in: SignIn, now: datetime) -> None:
    stream = Effectiveness()
    for _ in range(300):
        stream.record(1.0, True, 0.0, 0.5)
    tell(store_study(now), list(stream.snapshot()))

    told = text_of(page_of(sign_in("viktor"), "/optimizations/gains/"))

    assert (
        "Propensities do not hold The baseline was used more or less often than its propensities say" in told
    )
    assert "The check stands at 2.00" in told
    assert "faster" not in told
    assert "saves" not in told


def test_a_row_says_what_differs_how_it_stands_and_what_it_gains(sign_in: SignIn, now: datetime) -> None:
    found = store_study(now).optimization(PATTERNS[0], BETTER)

    page = page_of(sign_in("viktor"))

    row = page.split(f'<li id="optimization-{found.pk}"')[1].split("</li>")[0]
    told = text_of(row)
    assert "steps=<strong>20</strong>" in row
    assert "guidance" not in row
    assert "Promoted" in told
    assert f"text_to_audio:audioldm2, pattern {PATTERNS[0] % 10**9}" in told
    assert re.search(r"4\d % faster, between 3\d and 5\d % beyond doubt", told)
    assert re.search(r"\d+ trials last", told)
    assert re.search(r"[89]\d(\.\d)? % lately", told)
    assert re.search(r'<svg class="effect-bar"[^>]* role="img" aria-label="4\d', row)


def test_baselines_are_not_listed(sign_in: SignIn, now: datetime) -> None:
    store_study(now)

    listed = shown(page_of(sign_in("viktor")))

    assert listed
    assert not Optimization.objects.filter(pk__in=listed, arm__number=0).exists()
    assert Optimization.objects.filter(arm__number=0).exists()


def test_traffic_of_long_ago_is_not_lately(sign_in: SignIn, now: datetime) -> None:
    store_study(now - timedelta(days=2))

    assert "no traffic lately" in page_of(sign_in("viktor"))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("status=promoted", {"status": "promoted"}),
        ("status=quarantined", {"status": "quarantined"}),
        (f"pattern={PATTERNS[1]}", {"pattern": PATTERNS[1]}),
        ("text=dpm", {"arm__digest": digest(OTHER)}),
        ("text=steps=35", {"arm__digest": digest(OTHER)}),
        ("text=scheduler=dpm%2B%2B,steps=35", {"arm__digest": digest(OTHER)}),
        ("text=STEPS=20", {"arm__digest": digest(BETTER)}),
        (f"status=promoted&pattern={PATTERNS[2]}&text=20", {"status": "promoted", "pattern": PATTERNS[2]}),
    ],
)
def test_the_filter_shows_what_fits(sign_in: SignIn, now: datetime, query: str, fits: dict[str, Any]) -> None:
    store_study(now)
    store_study(now, YOUNG)
    wanted = Optimization.objects.filter(**fits).exclude(arm__number=0)

    listed = shown(page_of(sign_in("viktor"), f"{LIST}?{query}"))

    assert listed == list(wanted.order_by("-pk").values_list("pk", flat=True)) != []


def test_a_study_s_own_list_has_its_parameter_sets(sign_in: SignIn, now: datetime) -> None:
    store_study(now)
    other = store_study(now, YOUNG)

    page = page_of(sign_in("viktor"), f"{LIST}?study={other.study.pk}")

    assert set(Optimization.objects.filter(pk__in=shown(page)).values_list("study", flat=True)) == {
        other.study.pk
    }
    assert "What text_to_audio:musicgen compares 4 parameter sets" in text_of(page)


@pytest.mark.parametrize("query", ["text=nothing", "status=retired", "study=999999", "pattern=7"])
def test_what_is_filtered_out_is_told_from_what_is_not_there(
    sign_in: SignIn, now: datetime, query: str
) -> None:
    store_study(now)

    assert "No optimization fits the filter." in page_of(sign_in("viktor"), f"{LIST}?{query}")


@pytest.mark.parametrize(
    "query",
    [
        "status=%00",
        "study=x",
        f"pattern={10**40}",
        "before=-1",
        "text=%00%22%5C%25_",
        "study=²",
        f"before={10**30}",
    ],
)
def test_nonsense_in_the_address_does_no_harm(sign_in: SignIn, now: datetime, query: str) -> None:
    store_study(now)

    assert sign_in("viktor").get(f"{LIST}?{query}").status_code == 200


def test_names_that_are_not_ascii_are_found(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    Arm.objects.filter(digest=digest(BETTER)).update(parameters=BETTER | {"stimme": "größer"})
    found = stored.study.optimizations.filter(arm__parameters__stimme="größer")

    for text in ("größer", "stimme=größer"):
        assert len(
            shown(page_of(sign_in("viktor") if text == "größer" else _again(), f"{LIST}?text={text}"))
        ) == (found.count())


def _again() -> Client:
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.get(username="viktor"))
    return client


def test_markup_in_parameters_is_text(sign_in: SignIn, now: datetime) -> None:
    store_study(now)
    Arm.objects.filter(digest=digest(BETTER)).update(parameters=BETTER | {"<b>": "<script>alert(1)</script>"})

    assert "<script>alert" not in page_of(sign_in("viktor"))


def many(now: datetime, number: int) -> Stored:
    """A study with so many more optimizations, each in a pattern of its own."""
    stored = store_study(now)
    arm = stored.arm(BETTER)
    Optimization.objects.bulk_create(
        (
            Optimization(
                study=stored.study,
                arm=arm,
                pattern=2_000_000_000 + place,
                status="active",
                trials=place,
                effect=0.1,
                effect_low=-0.1,
                effect_high=0.3,
                created_at=now,
                changed_at=now,
                tried_at=now,
            )
            for place in range(number)
        ),
        batch_size=1_000,
    )
    return stored


def test_pages_follow_one_another_without_gap_or_overlap(sign_in: SignIn, now: datetime) -> None:
    many(now, 120)
    client, seen, path = sign_in("viktor"), [], f"{LIST}?status=active"
    wanted = Optimization.objects.filter(status="active").exclude(arm__number=0).order_by("-pk")

    while path:
        page = page_of(client, path)
        seen += shown(page)
        older = re.search(r'href="\?([^"]*)">Older</a>', page)
        path = f"{LIST}?{older[1].replace('&amp;', '&')}" if older else ""

    assert seen == list(wanted.values_list("pk", flat=True))
    assert "Newest</a>" in page


def test_a_refresh_gets_the_rows_alone(sign_in: SignIn, now: datetime) -> None:
    store_study(now)

    part = page_of(sign_in("viktor"), **{"HX-Request": "true"})

    assert part.lstrip().startswith("<ul")
    assert shown(part)


def test_a_page_asks_as_often_for_many_as_for_few_and_is_quick_with_ten_thousand(
    sign_in: SignIn, now: datetime
) -> None:
    client = sign_in("olga")
    store_study(now, USUAL._replace(model="another", operations=60))

    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(client, path)
        return len(captured)

    few = asked(LIST)
    many(now, 10_000)
    for number in range(20):
        study = Study.objects.create(operation_type=f"t{number}", model="m", created_at=now)
        Arm.objects.create(study=study, number=0, parameters=BASELINE, digest="x", created_at=now)

    assert asked(LIST) == few <= 16
    for path in (LIST, f"{LIST}?text=steps=20", f"{LIST}?status=promoted", "/optimizations/gains/"):
        took = []
        for _ in range(5):
            begun = perf_counter()
            page_of(client, path)
            took.append((perf_counter() - begun) * 1_000)
        print(f"{path}: {min(took):.1f} ms")
        assert min(took) < 150, path  # 50 on a machine of its own


def test_who_is_not_signed_in_is_sent_to_the_login(db: None, client: Client) -> None:
    for path in (LIST, "/optimizations/gains/", "/optimizations/1/", "/learning-settings/"):
        assert client.get(path).headers["Location"].startswith("/login/")


def test_only_operators_are_offered_to_act(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)
    path = f"{LIST}?study={stored.study.pk}"

    assert "Propose one…" not in page_of(sign_in("viktor"), path)
    assert "Retire…" not in page_of(_again(), path)
    assert "/learning-settings/" not in page_of(_again(), path)


def test_operators_are_offered_each_set_but_the_baseline(sign_in: SignIn, now: datetime) -> None:
    stored = store_study(now)

    page = page_of(sign_in("olga"), f"{LIST}?study={stored.study.pk}")

    assert "Propose one…" in page
    assert page.count("Retire…") == len(SETS) - 1
    assert Recommendation.objects.exists()
