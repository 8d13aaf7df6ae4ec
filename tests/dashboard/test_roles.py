"""Who may open what, for every address of the pages, the admin and the API: a new one without an entry here fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse

from featurememory import models
from featurememory.access import KEYS, create_api_key
from featurememory.api import api
from tests.browser.pattern_scene import learn_patterns
from tests.browser.scenarios import KINDS

Build = Callable[[str], None]
SignIn = Callable[[str], Client]

ANYONE, VIEWER, OPERATOR, ADMINISTRATOR = range(4)
ROLES: Final = {VIEWER: "viktor", OPERATOR: "olga", ADMINISTRATOR: "admin"}


class Door(NamedTuple):
    """The least role that is let in, and what it gets for a GET and for a POST that says nothing. Who may not gets
    403, and a stranger is sent to the login; a method that there is not is refused before anybody is looked at."""

    least: int = VIEWER
    get: int = 200
    post: int = 405


NOTHING_SAID: Final = {"reason": ""}
PAGE: Final = Door()
ACT: Final = Door(OPERATOR, 200, 422)
ADMINISTRATION: Final = Door(ADMINISTRATOR, 200, 422)
ADMINISTRATORS_PAGE: Final = Door(ADMINISTRATOR)

DOORS: Final = {
    **dict.fromkeys(
        (
            "overview", "overview-status", "overview-signals", "first-operation", "chart-csv", "alerts", "alert",
            "alert-csv", "alert-history", "alert-silences", "alert-rules", "breakers",
            "breaker", "breaker-event", "optimizations", "optimization-gains", "optimization",
            "optimization-rewards-csv", "optimization-why", "patterns", "pattern-map", "pattern-map-csv", "pattern",
            "resources", "resource-panels", "resource-chart-csv", "resource-cleanup-run", "health", "health-watch",
            "jobs", "alert-channels", "validations", "validation-signals", "validations-csv", "validation",
            "settings", "settings-audit", "settings-audit-export", "operations", "operations-csv", "operations-export",
            "operation", "models", "model", "model-csv", "models-compare", "models-compare-csv", "annotations",
            "alerts-export", "alert-history-export", "alert-silences-export", "alert-rules-export",
            "alert-deliveries-export", "models-export", "breakers-export", "optimizations-export", "patterns-export",
            "resource-cleanups-export", "health-components-export", "health-history-export", "jobs-export",
            "job-runs-export", "validations-export", "annotations-export", "breaker-history-export",
            "breaker-states-export", "health-states-export",
            "optimization-trials-export", "optimization-history-export", "study-sets-export", "pattern-nearest-export",
            "alert-log-export", "alert-channels-export", "validation-codes-export", "validation-sources-export",
        ),
        PAGE,
    ),
    **dict.fromkeys(
        (
            "alert-acknowledge", "alert-note", "alert-unacknowledge", "alert-close", "alert-silence-new",
            "alert-silence-end", "alert-silence", "alert-rule", "alert-rule-switch", "alert-rule-delete",
            "alerts-acknowledge",
            "alerts-note", "alerts-unacknowledge", "alerts-close", "breaker-reset", "breaker-release",
            "breaker-force-open", "breaker-disable", "breaker-metrics-only", "breaker-resets", "breaker-settings",
            "breaker-settings-of-type", "breaker-settings-of", "optimization-promote", "optimization-activate",
            "optimization-quarantine", "optimization-retire", "optimization-propose", "optimization-retire-set",
            "optimization-settings", "optimization-settings-of-type", "pattern-change", "pattern-merge",
            "pattern-forget", "resource-limits", "resource-cleanup", "annotation-new", "annotation-remove",
        ),
        ACT,
    ),
    **dict.fromkeys(
        (
            "job-run", "alert-channel-add", "alert-channel-change", "alert-channel-delete", "alert-channel-test",
            "alert-route-add", "alert-route-change", "alert-route-delete", "settings-key-new", "settings-key-revoke",
            "settings-person-add", "settings-person-role", "settings-person-password", "settings-person-deactivate",
            "settings-person-activate", "settings-lockout-release",
        ),
        ADMINISTRATION,
    ),
    "alert-rule-new": Door(OPERATOR, 200, 200),
    "settings-keys": ADMINISTRATORS_PAGE,
    "settings-people": ADMINISTRATORS_PAGE,
    "settings-keys-export": ADMINISTRATORS_PAGE,
    "settings-people-export": ADMINISTRATORS_PAGE,
    "health-check": Door(OPERATOR, 405, 302),
    "view-save": Door(VIEWER, 405, 302),
    "view-forget": Door(VIEWER, 405, 302),
    "account": Door(VIEWER, 200, 302),
    "account-password": Door(VIEWER, 200, 200),
    "account-password-later": Door(VIEWER, 405, 302),
    "account-session-end": Door(VIEWER, 405, 404),
    "account-sessions-end": Door(VIEWER, 405, 302),
    "login": Door(ANYONE, 302, 302),
    "logout": Door(ANYONE, 405, 302),
}  # fmt: skip
ASKED_FOR: Final = {
    "chart-csv": "?signal=latency",
    "resource-chart-csv": "?signal=memory",
    "operations-csv": "?signal=latency",
    "model-csv": "?signal=latency",
}
DIFFERENT_FOR_STRANGERS: Final = {"login": (200, 200), "logout": (405, 302)}

RECORDS: Final = {
    "operation", "rollup", "series", "source", "breaker", "breakerevent", "alertrule", "alert", "alertevent",
    "alertsilence", "featurespace", "pattern", "study", "arm", "optimization", "optimizationevent", "recommendation",
    "feedback", "learningsettings", "validationrecord", "validationtally", "healthsnapshot", "componentstate",
    "healthtransition", "processrecord", "resourcesettings", "resourcesample", "cleanuprun", "job", "jobrun",
    "annotation", "savedview", "alertchannel", "alertroute", "alertgroup", "alertdelivery", "alertheartbeat", "apikey",
    "auditentry",
}  # fmt: skip
FOR_ADMINISTRATORS: Final = {"apikey"}
RECORD_PAGES: Final = {"changelist": 200, "history": 200, "change": 200, "add": 403, "delete": 403}
ADMIN_ACTS: Final = {
    **{
        f"featurememory_breaker_{act}": OPERATOR
        for act in ("reset", "release", "force-open", "disable", "metrics-only")
    },
    "featurememory_apikey_revoke": ADMINISTRATOR,
}
ADMIN_OWN: Final = {
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site",
    "app_list", None,
}  # fmt: skip

INGEST, READ, CONTROL = "ingest", "read", "control"
CALLS: Final = {
    "POST /operations": {INGEST},
    "GET /operations": {READ},
    "GET /operations/{operation_id}": {READ},
    "POST /operations/{operation_id}/feedback": {INGEST},
    "POST /alerts/alertmanager": {INGEST, CONTROL},
    "GET /alerts": {READ},
    "GET /alerts/{id}": {READ},
    "POST /alerts/{id}/acknowledge": {CONTROL},
    "POST /alerts/{id}/unacknowledge": {CONTROL},
    "POST /alerts/{id}/resolve": {CONTROL},
    "POST /alerts/{id}/note": {CONTROL},
    "GET /silences": {READ},
    "POST /silences": {CONTROL},
    "GET /silences/{id}": {READ},
    "DELETE /silences/{id}": {CONTROL},
    "GET /alert-rules": {READ},
    "POST /alert-rules": {CONTROL},
    "POST /alert-rules/test": {READ},
    "GET /alert-rules/{id}": {READ},
    "PUT /alert-rules/{id}": {CONTROL},
    "DELETE /alert-rules/{id}": {CONTROL},
    "GET /annotations": {READ},
    "POST /annotations": {INGEST},
    "DELETE /annotations/{id}": {CONTROL},
    "GET /breakers": {READ},
    "POST /breakers/{name}/reset": {CONTROL},
    "POST /breakers/{name}/force-open": {CONTROL},
    "POST /breakers/{name}/disable": {CONTROL},
    "POST /breakers/{name}/metrics-only": {CONTROL},
    "POST /breakers/{name}/release": {CONTROL},
    "POST /breakers/{name}/permits": {INGEST},
    "POST /breakers/{name}/trip": {INGEST},
    "GET /breakers/{name}": {READ},
    "PUT /breakers/{name}": {CONTROL},
    "GET /breakers/stream": {READ},
    "GET /breaker-configurations": {READ},
    "PUT /breaker-configurations/default": {CONTROL},
    "PUT /breaker-configurations/operation-types/{operation_type}": {CONTROL},
    "POST /breaker-followers/acknowledgements": {READ},
    "POST /breaker-followers/transitions": {INGEST},
    "POST /patterns/recognize": {READ},
    "POST /patterns/confirmations": {CONTROL},
    "GET /patterns": {READ},
    "GET /patterns/{pattern_id}": {READ},
    "PATCH /patterns/{pattern_id}": {CONTROL},
    "DELETE /patterns/{pattern_id}": {CONTROL},
    "POST /patterns/{pattern_id}/merge": {CONTROL},
    "GET /feature-spaces": {READ},
    "POST /recommendations": {INGEST},
    "GET /recommendations/{recommendation_id}": {READ},
    "GET /optimizations": {READ},
    "GET /optimizations/{optimization_id}": {READ},
    "POST /optimizations/{optimization_id}/promote": {CONTROL},
    "POST /optimizations/{optimization_id}/activate": {CONTROL},
    "POST /optimizations/{optimization_id}/quarantine": {CONTROL},
    "POST /optimizations/{optimization_id}/retire": {CONTROL},
    "GET /learning": {READ},
    "GET /learning/settings": {READ},
    "PUT /learning/settings": {CONTROL},
    "POST /learning/candidates": {CONTROL},
    "POST /learning/candidates/{arm_id}/retire": {CONTROL},
    "GET /learning/study": {READ},
    "GET /resources": {READ},
    "GET /resources/samples": {READ},
    "GET /constraints": {READ},
    "PUT /constraints": {CONTROL},
    "POST /cleanup": {CONTROL},
    "GET /cleanup": {READ},
    "GET /metrics": {READ},
    "GET /health": {READ},
    "GET /health/history": {READ},
    "POST /health/check": {CONTROL},
    "GET /jobs": {READ},
    "POST /jobs/{name}/run": {CONTROL},
    "GET /validations": {READ},
    "GET /validations/summary": {READ},
    "POST /validations/{validator_type}": {READ},
}
SERVED_BESIDE_DJANGO: Final = {"GET /breakers/stream"}
"""By the ASGI application itself (tests/serving); Django answers for a breaker of that name, to the same keys."""
OUTSIDE: Final = {"api-docs": 401, "openapi": 401, "healthz": 200, "readyz": 200, "metrics": 401}
"""Beside pages, admin and API: what a stranger gets."""


def patterns_of(resolver: Any, above: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from patterns_of(each, f"{above}{each.pattern}")
        else:
            yield f"{above}{each.pattern}", each


def names_of_pages() -> set[str]:
    from dashboard.urls import urlpatterns

    return {str(each.name) for each in urlpatterns}


def names_of_the_admin() -> set[str | None]:
    return {each.name for route, each in patterns_of(get_resolver()) if route.startswith("admin/")}


@pytest.fixture
def addresses(situation: Build, now: datetime) -> dict[str, str]:
    """One for each name, of something that is there."""
    situation("incident")
    learn_patterns(now)
    of_space = f"?space={models.Pattern.objects.select_related('space')[0].space.name}"
    one, other = models.Series.objects.values_list("pk", flat=True)[:2]
    both = f"?one={one}&other={other}&signal=p95"
    asked = {**ASKED_FOR, "models-compare-csv": both, "pattern-map": of_space, "pattern-map-csv": of_space}
    return {name: reverse(name, kwargs=_arguments(name)) + asked.get(name, "") for name in names_of_pages()}


def _arguments(name: str) -> dict[str, Any]:
    alert = models.Alert.objects.filter(state=models.Alert.State.FIRING).first()
    shown = models.Optimization.objects.exclude(arm__number=0).exclude(status="quarantined").first()
    recommended = models.Recommendation.objects.exclude(source="baseline").first()
    event, record = models.BreakerEvent.objects.first(), models.ValidationRecord.objects.first()
    run, rule = models.CleanupRun.objects.first(), models.AlertRule.objects.filter(shipped_as=None).first()
    silence = models.AlertSilence.objects.first()
    series = models.Series.objects.values_list("pk", flat=True)
    assert None not in (alert, shown, recommended, event, record, run, rule, silence)
    channel, _ = models.AlertChannel.objects.get_or_create(
        name="pager",
        defaults={
            "kind": "webhook", "settings": {"url": "https://example.com/hook"}, "created_at": alert.started_at,
            "changed_at": alert.started_at,
        },
    )  # fmt: skip
    route, _ = models.AlertRoute.objects.get_or_create(channel=channel)
    by_prefix: dict[str, dict[str, Any]] = {
        "annotation-new": {},
        "annotations": {},
        "annotation": {"pk": models.Annotation.objects.values_list("pk", flat=True)[0]},
        "operations": {},
        "operation": {"id": models.Operation.objects.values_list("id", flat=True)[0]},
        "models": {},
        "model": {"pk": series[0]},
        "view-save": {},
        "view-forget": {"pk": 10**6},
        "alert-silence-new": {},
        "alert-silences": {},
        "alert-silence": {"pk": silence.pk},
        "alert-rule-new": {},
        "alert-rules": {},
        "alert-rule": {"pk": rule.pk},
        "alert-channels": {},
        "alert-channel-add": {"kind": "webhook"},
        "alert-channel": {"pk": channel.pk},
        "alert-route-add": {},
        "alert-route": {"pk": route.pk},
        "alert-history": {},
        "alert-deliveries-export": {},
        "alerts": {},
        "alert": {"pk": alert.pk},
        "breakers": {},
        "breaker-resets": {},
        "breaker-event": {"sequence": event.sequence},
        "breaker-settings-of-type": {"name": KINDS[0].operation_type},
        "breaker-settings-of": {"name": KINDS[0].breaker},
        "breaker-settings": {},
        "breaker": {"name": KINDS[0].breaker},
        "optimizations": {},
        "optimization-gains": {},
        "study-sets-export": {"study": shown.study_id},
        "optimization-propose": {"study": shown.study_id},
        "optimization-retire-set": {"pk": shown.arm_id},
        "optimization-why": {"pk": recommended.pk},
        "optimization-settings-of-type": {"name": KINDS[0].operation_type},
        "optimization-settings": {},
        "optimization": {"pk": shown.pk},
        "pattern-map": {},
        "patterns": {},
        "pattern": {"id": models.Pattern.objects.values_list("pk", flat=True)[0]},
        "resource-cleanup-run": {"pk": run.pk},
        "job-runs-export": {},
        "job-run": {"name": "merge_patterns"},
        "validations": {},
        "validation-signals": {},
        "validation-codes-export": {},
        "validation-sources-export": {},
        "validation": {"pk": record.pk},
        "account-session-end": {"pk": 10**6},
        "settings-key-new": {},
        "settings-keys": {},
        "settings-key": {"pk": models.ApiKey.objects.get(name="orchestrator-1").pk},
        "settings-person-add": {},
        "settings-person": {"pk": User.objects.get(username="nadia").pk},
        "settings-lockout": {"pk": AccessAttempt.objects.values_list("pk", flat=True)[0]},
    }
    return next((by_prefix[each] for each in by_prefix if name.startswith(each)), {})


def test_every_page_has_a_door() -> None:
    assert names_of_pages() == set(DOORS)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_the_login(
    db: Any, sign_in: SignIn, addresses: dict[str, str], method: str
) -> None:
    wrong = {}
    for name, address in addresses.items():
        door = DOORS[name]
        expected = DIFFERENT_FOR_STRANGERS.get(name, (0, 0))[method == "post"]
        expected = expected or (405 if getattr(door, method) == 405 else 302)
        answer = getattr(Client(), method)(address, NOTHING_SAID)
        if answer.status_code != expected or (
            expected == 302 and "/login/" not in answer.headers["Location"]
        ):
            wrong[name] = answer.status_code

    assert wrong == {}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_each_role_opens_what_is_meant_for_it(
    sign_in: SignIn, addresses: dict[str, str], role: int, method: str
) -> None:
    client, wrong = sign_in(ROLES[role]), {}
    for name, address in addresses.items():
        door = DOORS[name]
        expected = getattr(door, method)
        if expected != 405 and role < door.least:
            expected = 403
        if name == "logout":
            continue
        found = (client.get(address) if method == "get" else client.post(address, NOTHING_SAID)).status_code
        if found != expected and not (name == "first-operation" and found == 204):
            wrong[name] = f"{found}, not {expected}: {address}"

    assert wrong == {}


def test_every_record_of_the_admin_has_a_door() -> None:
    pages = {f"featurememory_{record}_{page}" for record in RECORDS for page in RECORD_PAGES}

    assert names_of_the_admin() == pages | set(ADMIN_ACTS) | ADMIN_OWN


def _records() -> dict[str, Any]:
    tables = {each._meta.model_name: each for each in (getattr(models, name) for name in models.__all__)}
    return {record: tables[record].objects.values_list("pk", flat=True).first() for record in sorted(RECORDS)}


@pytest.mark.parametrize("who", ["stranger", "viewer", "operator", "administrator"])
def test_the_admin_is_for_those_who_act(sign_in: SignIn, situation: Build, who: str) -> None:
    """Records are read; none is added, changed or deleted there but keys, by administrators."""
    situation("incident")
    role = ["stranger", "viewer", "operator", "administrator"].index(who)
    client = sign_in(ROLES[role]) if role else Client()
    wrong = {}
    for record, pk in _records().items():
        for page, status in RECORD_PAGES.items():
            needs_row = page in ("history", "change", "delete")
            if needs_row and pk is None:
                continue
            address = reverse(f"admin:featurememory_{record}_{page}", args=[pk] if needs_row else [])
            expected = status
            if record in FOR_ADMINISTRATORS:
                expected = 403 if role < ADMINISTRATOR else 200 if page == "add" else status
            expected = 302 if role == ANYONE else 403 if role == VIEWER else expected
            found = client.get(address).status_code
            if role == VIEWER and found == 302:  # to the login, which says 403 to who is signed in
                found = client.get(address, follow=True).status_code
            if found != expected:
                wrong[address] = f"{found}, not {expected}"
            if page != "changelist":
                changed = client.post(address, {"post": "yes"}, follow=role == VIEWER).status_code
                meant = 422 if page == "add" and expected == 200 else 302 if role == ANYONE else 403
                if changed != meant and not (page == "history" and changed == expected):
                    wrong[f"POST {address}"] = f"{changed}, not {meant}"

    assert wrong == {}


@pytest.mark.parametrize("name", sorted(ADMIN_ACTS))
def test_acts_in_the_admin_are_for_who_may(sign_in: SignIn, situation: Build, name: str) -> None:
    situation("incident")
    table: Any = models.Breaker if "breaker" in name else models.ApiKey
    address = reverse(f"admin:{name}", args=[table.objects.values_list("pk", flat=True)[0]])

    for role in (OPERATOR, ADMINISTRATOR):
        may = role >= ADMIN_ACTS[name]
        client = sign_in(ROLES[role])
        assert client.get(address).status_code == (200 if may else 403)
        assert client.post(address, NOTHING_SAID).status_code == (422 if may else 403)


def calls_of_the_document() -> set[str]:
    paths = api.get_openapi_schema()["paths"]
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
    }


def test_every_call_of_the_api_has_its_scopes_and_is_documented() -> None:
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.removeprefix("api/v1"))
        for route, each in patterns_of(get_resolver())
        if route.startswith("api/v1/") and each.name not in ("api-docs", "openapi", "api-root")
    }
    assert calls_of_the_document() == set(CALLS)
    assert {call.partition(" ")[2] for call in set(CALLS) - SERVED_BESIDE_DJANGO} == routes


@pytest.mark.django_db(transaction=True)  # the writer has a connection of its own
@pytest.mark.parametrize("scope", ["", "wrong", INGEST, READ, CONTROL])
def test_a_key_does_what_its_scope_says(db: Any, situation: Build, scope: str) -> None:
    """An empty body does nothing; whoever may is told what is wrong with it."""
    situation("incident")
    key = create_api_key("k", [scope])[1] if scope in (INGEST, READ, CONTROL) else "fm_nobody"
    KEYS.forget()
    headers = {"Authorization": f"Bearer {key}"} if scope else {}
    wrong = {}
    for call, scopes in CALLS.items():
        method, path = call.split(" ")
        address = "/api/v1" + re.sub(r"{(\w+)}", lambda found: _INSTEAD.get(found[1], "1"), path)
        answer = Client().generic(method, address, "{}", "application/json", headers=headers)
        refused = 401 if scope in ("", "wrong") else None if scope in scopes else 403
        if refused is None and answer.status_code in (401, 403, 405, 500):
            wrong[call] = answer.status_code
        if refused is not None and answer.status_code != refused:
            wrong[call] = answer.status_code

    assert wrong == {}


_INSTEAD: Final = {
    "operation_id": "00000000-0000-4000-8000-000000000001",
    "recommendation_id": "00000000-0000-4000-8000-000000000001",
    "name": "a:b",
    "operation_type": "a",
    "validator_type": "pattern",
}


def test_a_session_is_no_key(sign_in: SignIn) -> None:
    assert sign_in("admin").get("/api/v1/breakers").status_code == 401


def test_what_lies_outside_is_open_only_where_it_says_so(db: Any) -> None:
    assert {name: Client().get(reverse(name)).status_code for name in OUTSIDE} == OUTSIDE
    known = {*DOORS, *OUTSIDE}
    others = {
        each.name
        for route, each in patterns_of(get_resolver())
        if not route.startswith(("admin/", "api/v1/", "^api/v1/"))
    }
    assert others <= known


class Offers(HTMLParser):
    """Where a page leads: links, and forms with their method."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.forms: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.add(str(given["href"]))
        if tag in ("form", "button") and (given.get("action") or given.get("formaction") or tag == "form"):
            method = given.get("formmethod") or given.get("method") or "get"
            self.forms.add((method.lower(), given.get("action") or given.get("formaction") or ""))
        for attribute in ("hx-get", "data-csv"):
            if given.get(attribute):
                self.links.add(str(given[attribute]))


NOT_FOLLOWED: Final = {"logout", "api-docs", "openapi"}
NOT_LINKED: Final = {
    "alert-deliveries-export",  # only where something was delivered
    "login",
    "first-operation",
    "settings-person-activate",
    "account-password-later",
    "account-session-end",
    "account-sessions-end",
    "alert-unacknowledge",
    "breaker-release",
}
"""Offered only where there is something of the kind: asked for by tests of their own."""
MOST_OF_A_KIND: Final = 3
"""Pages of one name whose addresses ask for the same."""
MOST_OF_A_NAME: Final = 8


def _walk(client: Client, *begin: str) -> tuple[set[str], list[str]]:
    """The names of all that is offered from there on, and what of it is refused."""
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    by_name = Counter[str]()
    offered, refused, waiting, known = set(), [], [*begin], {*begin}
    while waiting:
        page = waiting.pop()
        answer = client.get(page)
        if answer.status_code not in (200, 204, 302):
            refused.append(f"{answer.status_code}: {page}")
            continue
        if "html" not in answer.headers.get("Content-Type", ""):
            continue
        offers = Offers()
        offers.feed(answer.content.decode())
        for method, action in sorted(offers.forms):
            address = urljoin(page, action)
            name = resolve(urlsplit(address).path).url_name
            offered.add(str(name))
            if method == "post" and name not in NOT_FOLLOWED and ("POST " + address) not in known:
                known.add("POST " + address)
                status = client.post(address, NOTHING_SAID).status_code
                if status in (401, 403, 404, 405, 500):
                    refused.append(f"{status}: POST {address} on {page}")
        for link in sorted(offers.links):
            address = urljoin(page, link).partition("#")[0]
            parts = urlsplit(address)
            if parts.netloc or parts.path.startswith(("/static/", "/admin/")) or address in known:
                continue
            name = str(resolve(parts.path).url_name)
            offered.add(name)
            kind = name, tuple(sorted({key for key, _ in parse_qsl(parts.query)}))
            seen[kind] = seen.get(kind, 0) + 1
            by_name[name] += 1
            known.add(address)
            is_new = seen[kind] <= MOST_OF_A_KIND and by_name[name] <= MOST_OF_A_NAME
            if name not in NOT_FOLLOWED and is_new:
                waiting.append(address)
    return offered, refused


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_offered_that_is_refused_and_all_that_may_be_done_is_offered(
    sign_in: SignIn, addresses: dict[str, str], role: int
) -> None:
    quarantined = models.Optimization.objects.filter(status="quarantined").values_list("pk", flat=True)[0]
    client = sign_in(ROLES[role])
    client.post("/views/save/", {"name": "mine", "page": "/"})
    compared = addresses["models-compare-csv"].replace("chart.csv", "")
    offered, refused = _walk(client, "/", f"/optimizations/{quarantined}/", compared)

    assert refused == []
    allowed = {name for name, door in DOORS.items() if door.least <= role}
    assert offered - NOT_FOLLOWED <= allowed
    assert allowed - offered - NOT_LINKED == set()


def test_the_json_of_the_audit_is_json(sign_in: SignIn, situation: Build) -> None:
    situation("incident")
    found = json.loads(sign_in("viktor").get("/settings/audit/export/?format=json").getvalue())

    assert {"olga", "admin", "key deploys"} == {each["actor"] for each in found}
