"""The page of health: how each component is and since when, its day, what moved, and who runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.health_page import HISTORY_SHOWN, figures_of
from featurememory.models import ComponentState, HealthSnapshot, HealthTransition
from featurememory.observability.health_snapshot import STALE_AFTER
from tests.dashboard.test_optimizations import page_of, text_of

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
HEALTH = "/health/"
EVERY_PAGE = ("/breakers/", "/patterns/", "/optimizations/", "/jobs/", "/health/", "/breaker-settings/")


def test_each_component_is_shown_with_its_reason_and_since_when(sign_in: SignIn, situation: Build) -> None:
    situation("incident")

    page = page_of(sign_in("viktor"), HEALTH)

    assert "Ingestion The queue is 75% full. Degraded for" in text_of(page) or "queue is" in text_of(page)
    assert 'id="component-live-bus"' in page
    assert "Queue fill" in page
    assert text_of(page).count("Degraded") >= 3
    assert "studio-1:4711" in page


def test_before_the_first_look_the_page_says_so(sign_in: SignIn) -> None:
    told = text_of(page_of(sign_in("viktor"), HEALTH))

    assert "Nobody has looked yet." in told
    assert "No process was heard of in the last hour." in told
    assert "Nothing has changed yet" in told
    assert "Health is unknown. No health snapshot was ever taken" in told


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_page_says_when_nobody_looks_any_more(
    sign_in: SignIn, situation: Build, now: datetime, path: str
) -> None:
    situation("normal")
    client = sign_in("olga")
    assert 'id="unwatched"' not in page_of(client, path)
    HealthSnapshot.objects.filter(at__gt=now - STALE_AFTER - timedelta(seconds=5)).delete()

    told = page_of(client, path)

    assert 'id="unwatched"' in told
    assert "Nobody has looked since" in told
    assert 'id="unwatched"' in page_of(client, reverse("health-watch"))


def test_what_nobody_looks_at_is_never_green(sign_in: SignIn, situation: Build, now: datetime) -> None:
    situation("normal")
    HealthSnapshot.objects.filter(at__gt=now - timedelta(minutes=10)).delete()
    ComponentState.objects.update(checked_at=now - timedelta(minutes=10))

    page = page_of(sign_in("olga"), HEALTH)

    components = page[page.index('id="components"') : page.index("</section>", page.index('id="components"'))]
    assert "chip-ok" not in components
    assert components.count("chip-off") == ComponentState.objects.count() - 1
    assert "unknown for 10" in text_of(page)


def test_the_list_of_moves_is_narrowed_and_paged(sign_in: SignIn, now: datetime) -> None:
    for number in range(HISTORY_SHOWN + 2):
        HealthTransition.objects.create(
            component="jobs", before="healthy", after="degraded", reason=f"number {number}.", at=now
        )
    HealthTransition.objects.create(
        component="all", before="healthy", after="degraded", reason="all.", at=now
    )
    client = sign_in("viktor")

    jobs = page_of(client, f"{HEALTH}?component=jobs")
    older = page_of(
        client, f"{HEALTH}?component=jobs&before={HealthTransition.objects.get(reason='number 2.').pk}"
    )

    assert "number 31." in jobs
    assert "all." not in text_of(jobs[jobs.index("What changed") :]).replace("wall.", "")
    assert "number 1." not in jobs
    assert "number 1." in older
    assert "has not changed, as far back as is known" in page_of(client, f"{HEALTH}?component=database")


@pytest.mark.parametrize(
    "query", ["?component=%00", "?component=nobody&before=x", "?before=99999999999999999999"]
)
def test_what_makes_no_sense_in_the_address_is_passed_over(sign_in: SignIn, query: str) -> None:
    assert sign_in("viktor").get(HEALTH + query).status_code == 200


def test_the_page_takes_few_queries_however_much_moved(
    sign_in: SignIn, situation: Build, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("olga")
    with django_assert_max_num_queries(12):
        page_of(client, HEALTH)
    with django_assert_max_num_queries(6):
        page_of(client, HEALTH, **{"HX-Request": "true"})


def test_an_operator_has_it_looked_at_now(sign_in: SignIn) -> None:
    client = sign_in("olga")
    assert "Check now" in page_of(client, HEALTH)

    answer = client.post("/health/check/", follow=True)

    assert answer.redirect_chain == [("/health/", 302)]
    assert "Health was looked at just now." in answer.content.decode()
    assert HealthSnapshot.objects.count() == 1


def test_a_viewer_may_not(sign_in: SignIn) -> None:
    client = sign_in("viktor")
    assert "Check now" not in page_of(client, HEALTH)
    assert client.post("/health/check/").status_code == 403
    assert sign_in("olga").get("/health/check/").status_code == 405


def test_figures_are_told_in_their_unit() -> None:
    told = dict(
        figures_of(
            {
                "commit_ms_p99": 12.5, "size_bytes": 3 * 2**20, "queue_fill": 0.25, "writers": 1, "write_ms": None,
                "silent_s": 2.5, "transport": "Redis",
            }
        )
    )  # fmt: skip
    assert {name: value.replace("\u00a0", " ") for name, value in told.items()} == {
        "commit p99": "12.5 ms", "size": "3 MB", "queue fill": "25 %", "writers": "1", "write": "–",
        "silent": "2.5 s", "transport": "Redis",
    }  # fmt: skip
