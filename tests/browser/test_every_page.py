"""What holds for every page, in every situation, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page

from featurememory.models import (
    Alert,
    AlertRule,
    AlertSilence,
    Annotation,
    ApiKey,
    Breaker,
    BreakerEvent,
    CleanupRun,
    Pattern,
    Recommendation,
    Series,
    Study,
    ValidationRecord,
)
from tests.browser.conftest import Ear
from tests.browser.operation_scene import TOLD
from tests.browser.pattern_scene import CALIBRATING
from tests.browser.scenarios import KINDS

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
NAME, HELD, PROBING, DISABLED, IDLE = (KINDS[place].breaker for place in (0, 1, 2, 3, 5))
ALERT_PAGES = (
    "/alerts/",
    "/alerts/?severity=critical&text=nobody",
    "/alerts/history/",
    "/alerts/silences/",
    "/alerts/silences/new/",
    "/alerts/silences/new/?preview=yes&matchers=model%3D~.%2A&minutes=60",
    "/alerts/silences/new/?preview=yes&matchers=nonsense&begin=25:00&lasts=9999",
    "/alerts/rules/",
    "/alerts/rules/new/",
    *(f"/alerts/rules/new/?kind={kind}" for kind in ("threshold", "change", "absence", "burn_rate", "event")),
    "/alerts/rules/new/?kind=threshold&preview=yes&name=Slow&signal=latency_p95&severity=warning&operator=above"
    "&threshold=5000&no_data=keep",
    "/alerts/rules/new/?kind=threshold&preview=yes&threshold=much",
    "/alert-acts/acknowledge/",
)
PAGES = (
    "/",
    "/?range=1y&compare=week",
    *ALERT_PAGES,
    "/models/",
    "/models/?text=nobody&order=slowest&range=1y",
    "/models/compare/",
    "/annotations/",
    "/annotations/new/",
    "/operations/",
    "/operations/?range=any&order=slowest&min_ms=1",
    "/operations/?error_type=Nothing&instance=nobody&range=7d",
    "/operations/?id=nonsense",
    "/breakers/",
    "/breaker-settings/",
    "/breaker-settings/?preview=yes&max_failures=8",
    "/breaker-resets/",
    "/optimizations/",
    "/learning-settings/",
    "/learning-settings/?preview=yes&control=3&steps=nonsense",
    "/patterns/",
    "/resources/?range=24h",
    "/resources/cleanup/",
    "/resources/limits/",
    "/resources/limits/?preview=yes&max_operations=1000&operations-days=2&protected_hours=0.01",
    "/resources/limits/?preview=yes&cleanup_low=0.95&audit-days=3&max_memory_mb=much",
    "/health/",
    "/health/?component=jobs",
    "/jobs/",
    "/alerts/channels/",
    "/validation/",
    "/settings/",
    "/settings/audit/",
    "/account/",
)
NORMAL_PAGES = (
    f"/operations/{TOLD}/",
    f"/breakers/{NAME}/",
    f"/breakers/{NAME}/force-open/",
    "/breaker-settings/operation-type/text_to_audio/",
    f"/patterns/?space={CALIBRATING}",
    "/patterns/?kind=pinned&order=seen",
    "/patterns/?text=nobody",
    "/validation/?shown=passed&range=7d",
    "/validation/?code=nothing",
)
INCIDENT_PAGES = (
    f"/operations/{TOLD}/",
    "/operations/?outcome=failed&breaker=text_to_audio:audioldm2",
    *(f"/breakers/{name}/" for name in (NAME, HELD, PROBING, DISABLED, IDLE)),
    *(f"/breakers/{HELD}/{act}/" for act in ("reset", "release", "disable", "metrics-only")),
    f"/breakers/{IDLE}/force-open/",
    "/breakers/?text=nobody",
    "/breaker-resets/?all=yes&state=not_closed",
    f"/breaker-resets/?name={NAME}&name=nobody",
    f"/breaker-settings/breaker/{NAME}/",
    f"/breaker-settings/breaker/{NAME}/?preview=yes&minimum_calls=200",
    f"/breaker-settings/breaker/{NAME}/?preview=yes&max_failures=8&health_thresholds_cpu=off",
    "/validation/?code=dimension",
    "/account/password/",
    "/settings/audit/?action=breaker.force_open&range=7d",
    "/settings/audit/?text=nobody&from=nonsense",
)
LEARNED_PAGES = (
    "/optimizations/?study={study}",
    "/optimizations/?text=nothing",
    "/studies/{study}/propose/",
    "/learning-settings/?preview=yes&aim=both&control=0.2",
    "/learning-settings/operation-type/text_to_audio/",
    *(f"/optimizations/{{{which}}}/" for which in ("shown", "quarantined", "baseline")),
    "/optimizations/{shown}/quarantine/",
    "/parameter-sets/{arm}/retire/",
    "/recommendations/{recommendation}/",
)
ADMIN_PAGES = (
    "/jobs/merge_patterns/run/",
    "/alerts/channels/add/email/",
    "/alerts/routes/add/",
    "/admin/",
    "/admin/featurememory/breaker/",
    "/admin/featurememory/apikey/add/",
)
ADMIN_PAGES += tuple(
    f"/admin/featurememory/{each}/"
    for each in (
        "cleanuprun",
        "study",
        "arm",
        "optimization",
        "optimizationevent",
        "recommendation",
        "job",
        "healthtransition",
        "alertrule",
        "alert",
        "alertevent",
        "alertsilence",
        "validationrecord",
    )
)
ACCESS_PAGES = (
    "/settings/",
    "/settings/keys/",
    "/settings/keys/new/",
    "/settings/keys/{key}/revoke/",
    "/settings/people/",
    "/settings/people/add/",
    *(f"/settings/people/{{person}}/{act}/" for act in ("role", "password", "deactivate", "activate")),
    "/settings/lockouts/{lockout}/release/",
    "/settings/audit/",
)
WIDTHS = {"phone": 360, "zoomed to 200 %": 720, "desk": 1440}
_TOO_SMALL = """() => [...document.querySelectorAll("a[href], button, summary, input, textarea")]
    .filter((element) => element.checkVisibility() && getComputedStyle(element).display !== "inline")
    .filter((element) => !element.matches(".skip, [type=hidden]"))
    .map((element) => [element, element.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
    .map(([element, box]) => `${element.outerHTML.slice(0, 90)} is ${box.width} x ${box.height}`)"""


def _visit(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))"
    )


def _axe_violations(page: Page, **options: Any) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(
        "options => axe.run({resultTypes: ['violations'], ...options})", options
    )
    return [
        f"{violation['id']}: {node['html'][:140]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _inspect(page: Page, ear: Ear, path: str) -> None:
    """Colours are all that the dark theme changes."""
    page.emulate_media(color_scheme="light")
    _visit(page, path)
    assert _axe_violations(page) == [], path
    page.emulate_media(color_scheme="dark")
    assert _axe_violations(page, runOnly=["color-contrast"]) == [], f"{path} in the dark"
    assert ear.heard() == [], path
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} scrolls sideways {name}: {wide} px"
        assert page.evaluate(_TOO_SMALL) == [], f"{path} {name}"


def _pages_of_models() -> list[str]:
    """Of one, of two side by side, and the form that removes a note; none where there is none."""
    ids = list(Series.objects.order_by("pk").values_list("pk", flat=True)[:2])
    notes = Annotation.objects.values_list("pk", flat=True)[:1]
    return [
        *(f"/models/{id}/?compare=day" for id in ids[:1]),
        *([f"/models/compare/?one={ids[0]}&other={ids[1]}&range=24h"] if len(ids) > 1 else []),
        *(f"/annotations/{id}/remove/" for id in notes),
    ]


def _pages_of_alerts() -> list[str]:
    """Those of each alert, of a silence and of a rule."""
    ids = list(Alert.objects.values_list("pk", flat=True))
    acts = [
        f"/alerts/{id}/{act}/" for id in ids[:1] for act in ("acknowledge", "note", "unacknowledge", "close")
    ]
    silences = list(AlertSilence.objects.values_list("pk", flat=True)[:1])
    rules = list(AlertRule.objects.filter(shipped_as=None).values_list("pk", flat=True)[:1])
    return [
        *(f"/alerts/{id}/" for id in ids),
        *acts,
        *(f"/alerts/silences/{id}/{act}" for id in silences for act in ("", "end/")),
        *(f"/alerts/rules/{id}/{act}" for id in rules for act in ("", "switch/", "delete/")),
        f"/alert-acts/close/?{'&'.join(f'alert={id}' for id in ids)}",
    ]


def _learned_pages() -> list[str]:
    """Of what the situation has learned; none where it has learned nothing."""
    study = Study.objects.first()
    if study is None:
        return []
    quarantined = study.optimizations.filter(status="quarantined").first()
    shown = study.optimizations.exclude(arm__number=0).exclude(status="quarantined").first()
    recommendation = Recommendation.objects.filter(study=study).exclude(source="baseline").first()
    assert quarantined is not None
    assert shown is not None
    assert recommendation is not None
    return [
        page.format(
            study=study.pk,
            shown=shown.pk,
            quarantined=quarantined.pk,
            baseline=study.optimizations.filter(arm__number=0)[0].pk,
            arm=shown.arm_id,
            recommendation=recommendation.pk,
        )
        for page in LEARNED_PAGES
    ]


def _pages_of_validations() -> list[str]:
    """One of each kind that there is."""
    found = ValidationRecord.objects.order_by("pk")
    kinds = {(each.validator, each.code): each.pk for each in found}
    return [f"/validation/{pk}/" for pk in kinds.values()]


def _pages_of_a_pattern() -> list[str]:
    """Where there is one."""
    found = Pattern.objects.filter(pinned=True).values_list("pk", flat=True)
    return [f"/patterns/{pk}/{act}" for pk in found[:1] for act in ("", "change/", "merge/", "forget/")]


@pytest.mark.parametrize("situation_name", ["empty", "normal", "incident"])
def test_pages_are_accessible_silent_and_fit_every_width(
    situation: Callable[[str], None],
    context_of: Callable[..., BrowserContext],
    live_server: Any,
    situation_name: str,
) -> None:
    situation(situation_name)
    page = context_of("olga").new_page()
    ear = Ear(page)

    more = {"empty": (), "normal": NORMAL_PAGES, "incident": INCIDENT_PAGES}[situation_name]
    changes = BreakerEvent.objects.filter(name__in=(NAME, HELD)).values_list("sequence", flat=True)
    for path in (
        *PAGES,
        *more,
        *_learned_pages(),
        *_pages_of_models(),
        *_pages_of_alerts(),
        *(f"/breaker-events/{sequence}/" for sequence in (*changes[:2], *changes[::-1][:1])),
        *_pages_of_a_pattern(),
        *(f"/resources/cleanups/{pk}/" for pk in CleanupRun.objects.values_list("pk", flat=True)),
        *_pages_of_validations(),
    ):
        _inspect(page, ear, path)

    assert ear.origins == {live_server.url.removeprefix("http://")}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admin_keeps_the_content_security_policy_and_fits_a_phone(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], theme: str
) -> None:
    situation("incident")
    page = context_of("admin", color_scheme=theme, viewport={"width": 360, "height": 740}).new_page()
    ear = Ear(page)

    record = f"/admin/featurememory/breaker/{Breaker.objects.get(name=HELD).pk}"
    for path in (*ADMIN_PAGES, f"{record}/change/", f"{record}/metrics-only/"):
        page.goto(path)
        assert ear.heard() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_what_administrators_alone_see_is_accessible_silent_and_fits_every_width(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("incident")
    page = context_of("admin").new_page()
    ear = Ear(page)
    ids = {
        "key": ApiKey.objects.get(name="orchestrator-1").pk,
        "person": User.objects.get(username="nadia").pk,
        "lockout": AccessAttempt.objects.get().pk,
    }

    for path in ACCESS_PAGES:
        _inspect(page, ear, path.format(**ids))


def test_a_key_is_shown_once_and_a_person_added_on_pages_as_good_as_others(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("empty")
    page = context_of("admin").new_page()
    ear = Ear(page)
    forms = {
        "/settings/keys/new/": ("the studio's second orchestrator", "#id_scopes_0"),
        "/settings/people/add/": ("petra", "#id_role_1"),
    }

    for path, (name, choice) in forms.items():
        page.goto(path)
        page.fill("#id_name", name)
        page.check(choice)
        page.fill("#id_reason", "there is one more")
        page.click("main button[type=submit]")
        page.wait_for_selector(".snippet")
        assert _axe_violations(page) == [], path
        assert ear.heard() == [], path
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(_TOO_SMALL) == [], path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_doors_are_accessible(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], theme: str
) -> None:
    situation("empty")
    context = context_of("olga", color_scheme=theme)
    context.clear_cookies()
    page = context.new_page()

    for path in ("/login/", "/no-such-page/"):
        page.goto(path)
        assert _axe_violations(page) == [], path


def test_every_chart_is_a_named_figure_with_a_row_for_each_point(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, "/")

    for figure in page.locator("figure").all():
        assert figure.get_attribute("aria-labelledby")
        points = figure.locator(".plot").evaluate("(plot) => plot.data[0].x.length")
        assert figure.locator("tbody tr").count() == points
    assert page.locator("figure").count() == 6


def test_the_evidence_of_an_optimization_is_a_named_figure_with_a_row_for_each_point(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, next(each for each in _learned_pages() if re.fullmatch(r"/optimizations/\d+/", each)))

    figure = page.get_by_role("figure", name="Evidence over time")
    points = figure.locator(".plot").evaluate("(plot) => plot.data[0].x.length")
    assert figure.locator("tbody tr").count() == points > 20
    for bar in page.locator("svg.effect-bar").all():
        assert "between" in (bar.get_attribute("aria-label") or "")


def test_the_day_of_a_breaker_is_a_named_figure_with_a_row_for_each_stretch(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("incident")
    page = context_of("viktor").new_page()
    page.goto(f"/breakers/{HELD}/")

    figure = page.get_by_role("figure", name="States over the last 24 hours")
    lanes = [lane.get_attribute("aria-label") for lane in figure.get_by_role("img").all()]
    assert [(lane or "").split(" for ")[0] for lane in lanes] == ["Callers met: Closed", "By itself: Closed"]
    assert figure.locator("tbody tr").count() == figure.locator("svg > rect[class^=tone]").count()


def test_the_day_of_a_breaker_follows_the_theme(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("incident")
    page = context_of("viktor", color_scheme="light").new_page()
    page.goto(f"/breakers/{NAME}/")
    drawn = page.locator(".lane-plot .tone-bad").first
    light = drawn.evaluate("(rect) => getComputedStyle(rect).fill")

    page.emulate_media(color_scheme="dark")

    assert drawn.evaluate("(rect) => getComputedStyle(rect).fill") != light


def test_no_chart_offers_to_upload_anything(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, "/")
    page.locator(".plot").first.hover()

    assert page.locator(".modebar-btn, [class*=cloud]").count() == 0
