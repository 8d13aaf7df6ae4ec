"""Every list as a file: what it holds, in which columns, for whom and at what cost."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from featurememory import models
from featurememory.accounts.keys import make_key
from featurememory.audit import By
from featurememory.models.pattern import PATTERNS_A_SPACE
from tests.browser.pattern_scene import learn_patterns

pytestmark = pytest.mark.django_db
Build = Callable[[str], None]
SignIn = Callable[[str], Client]
Rows = list[dict[str, Any]]
MOST_QUERIES = 9
"""Session and person among them."""
MANY = 2_500
FORMULA = "=HYPERLINK(1)"


class Listed(NamedTuple):
    """One list: its columns, a filter with what all of its rows then are, a text that others write, the table of
    which a row may be copied, with what must differ in a copy, what its address names, and who may see it."""

    header: str
    text: tuple[type[Model], str] | None
    query: str = ""
    fits: Callable[[dict[str, Any]], bool] = lambda row: True
    copied: tuple[type[Model], Callable[[Any, int], None]] | None = None
    of: Callable[[], Any] | None = None
    seen_by: str = "viktor"


def _named(field: str) -> Callable[[Any, int], None]:
    return lambda row, number: setattr(row, field, f"{number}")


def _same(row: Any, number: int) -> None:
    """Its id is enough."""


def _cleanup(row: Any, number: int) -> None:
    row.request_id, row.state = None, "done"


def _run(row: Any, number: int) -> None:
    row.request_id = None


def _rule(row: Any, number: int) -> None:
    row.name, row.shipped_as = f"{number}", None


def _delivery(row: Any, number: int) -> None:
    row.pk, row.event_key = uuid4(), f"copy-{number}"


def _pattern(row: Any, number: int) -> None:
    row.pk = row.space_id * PATTERNS_A_SPACE + 1_000_000 + number


def _optimization_tried() -> models.Optimization:
    return models.Optimization.objects.exclude(arm__number=0).order_by("-trials")[0]


def _recommendation(row: Any, number: int) -> None:
    row.pk = uuid4()


def _optimization(row: Any, number: int) -> None:
    row.pattern = 1_000_000 + number


ALERT = (
    "id name severity state is_silenced inhibited_by is_flapping source labels summary value peak unit started_at "
    "fired_at acknowledged_at acknowledged_by resolved_at runbook_url"
)
STATES = "of from to lasted_s state"
LISTS = {
    "models-export": Listed(
        "operation_type model calls success error timeout cancelled rejected failed_share p50_ms p95_ms p99_ms "
        "longest_ms",
        (models.Series, "model"),
        "text=WHISPER",
        lambda row: row["model"] == "whisper-large-v3",
    ),
    "breakers-export": Listed(
        "name operation_type model state computed_state held_until changed_at last_cause last_message last_actor "
        "last_reason failures_in_a_row judged_calls judged_failures judged_slow_calls failure_rate_percent "
        "slow_call_rate_percent may_probe_at last_result_at created_at",
        (models.BreakerEvent, "reason"),
        "state=not_closed&text=audio",
        lambda row: row["state"] != "closed" and "audio" in row["name"],
        (models.Breaker, _named("name")),
    ),
    "alerts-export": Listed(
        ALERT,
        (models.Alert, "summary"),
        "severity=critical",
        lambda row: row["severity"] == "critical" and row["state"] != "resolved",
        (models.Alert, _named("fingerprint")),
    ),
    "alert-history-export": Listed(
        ALERT,
        (models.Alert, "summary"),
        "severity=warning&before=20000101T000000.0Z-1",
        lambda row: row["severity"] == "warning" and row["state"] == "resolved",
        (models.Alert, _same),
    ),
    "alert-silences-export": Listed(
        "id matchers is_in_force starts_at ends_at window open_alerts_covered comment created_by created_at ended_by",
        (models.AlertSilence, "comment"),
        copied=(models.AlertSilence, _same),
    ),
    "alert-rules-export": Listed(
        "id name is_enabled severity kind signal condition matchers for_s keep_firing_for_s no_data labels summary "
        "runbook_url open_alerts evaluated_at error changed_at changed_by",
        (models.AlertRule, "summary"),
        copied=(models.AlertRule, _rule),
    ),
    "alert-deliveries-export": Listed(
        "id created_at channel kind alerts left_out state attempts answer_status ended_at",
        (models.AlertDelivery, "channel_name"),
        copied=(models.AlertDelivery, _delivery),
    ),
    "patterns-export": Listed(
        "id number label is_pinned is_provisional seen spread first_seen last_seen",
        (models.Pattern, "label"),
        "kind=labelled&after=3",
        lambda row: bool(row["label"]),
        (models.Pattern, _pattern),
    ),
    "optimizations-export": Listed(
        "id operation_type model pattern parameters status trials aim effect_in_reward effect_low_in_reward "
        "effect_high_in_reward gain is_effective created_at changed_at tried_at",
        (models.Study, "operation_type"),
        "status=promoted&before=1",
        lambda row: row["status"] == "promoted",
        (models.Optimization, _optimization),
    ),
    "validations-export": Listed(
        "id at validator source operation_type model space is_valid code errors",
        (models.ValidationRecord, "source"),
        "code=dimension&before=1",
        lambda row: row["code"] == "dimension",
        (models.ValidationRecord, _same),
    ),
    "resource-cleanups-export": Listed(
        "id state cause why actor reason started_at ended_at worked_s removed_rows removed kept freed_bytes error",
        (models.CleanupRun, "reason"),
        copied=(models.CleanupRun, _cleanup),
    ),
    "health-components-export": Listed(
        "component status is_known reason since checked_at metrics", (models.ComponentState, "reason")
    ),
    "health-history-export": Listed(
        "id at component before after reason",
        (models.HealthTransition, "reason"),
        "component=ingestion",
        lambda row: row["component"] == "ingestion",
        (models.HealthTransition, _same),
    ),
    "jobs-export": Listed(
        "name stage every_s result started_at ended_at duration_ms due_at runs failures failures_in_a_row "
        "interruptions failed_at error asked_for_by",
        (models.Job, "error"),
    ),
    "job-runs-export": Listed(
        "id job status asked_at asked_by reason started_at ended_at duration_ms error",
        (models.JobRun, "error"),
        copied=(models.JobRun, _run),
    ),
    "annotations-export": Listed(
        "id at until kind text operation_type model actor created_at",
        (models.Annotation, "text"),
        copied=(models.Annotation, _same),
    ),
    "breaker-history-export": Listed(
        "sequence at from_state to_state computed_state cause message actor reason counts retry_after_ms held_until",
        (models.BreakerEvent, "reason"),
        of=lambda: "text_to_audio:audioldm2",
    ),
    "breaker-states-export": Listed(STATES, None, of=lambda: "text_to_audio:audioldm2"),
    "health-states-export": Listed(STATES, None),
    "optimization-trials-export": Listed(
        "id at source propensity baseline_propensity confidence operation outcome reward learned_at",
        None,
        copied=(models.Recommendation, _recommendation),
        of=lambda: _optimization_tried().pk,
    ),
    "optimization-history-export": Listed(
        "sequence at before after cause is_everywhere actor reason evidence",
        (models.OptimizationEvent, "reason"),
        of=lambda: _optimization_tried().pk,
    ),
    "study-sets-export": Listed(
        "number parameters is_baseline origin created_at patterns",
        None,
        of=lambda: models.Study.objects.values_list("pk", flat=True)[0],
    ),
    "pattern-nearest-export": Listed(
        "id number label seen similarity is_alike",
        (models.Pattern, "label"),
        of=lambda: models.Pattern.objects.order_by("-count").values_list("pk", flat=True)[0],
    ),
    "alert-log-export": Listed(
        "id at kind actor note value",
        (models.AlertEvent, "note"),
        copied=(models.AlertEvent, _same),
        of=lambda: models.AlertEvent.objects.values_list("alert", flat=True)[0],
    ),
    "alert-channels-export": Listed(
        "name kind is_enabled routes stands last_told_at last_state changed_at",
        (models.AlertChannel, "name"),
        copied=(models.AlertChannel, _named("name")),
    ),
    "settings-keys-export": Listed(
        "name begins_with scopes created_at last_used_at revoked_at",
        (models.ApiKey, "name"),
        seen_by="admin",
    ),
    "settings-people-export": Listed(
        "name role email is_active has_drawn_password seen_at sessions joined_at",
        (User, "email"),
        seen_by="admin",
    ),
    "validation-codes-export": Listed("code validator failed", (models.ValidationTally, "code")),
    "validation-sources-export": Listed("source failed passed pass_rate", (models.ValidationTally, "source")),
}
PASSING = ("stage", "due_at", "from", "to", "lasted_s")
"""Columns that time alone changes."""
NEVER_EMPTY = ("jobs-export", "settings-people-export")
BY_TABLE = pytest.mark.parametrize("name", LISTS)


def address(name: str) -> str:
    of = LISTS[name].of if name in LISTS else None
    return reverse(name, args=[of()]) if of else reverse(name)


def json_of(client: Client, name: str, query: str = "") -> Rows:
    response = client.get(f"{address(name)}?format=json&{query}")
    assert response.status_code == 200
    rows: Rows = json.loads(response.getvalue())
    return rows


def csv_of(client: Client, name: str, query: str = "") -> list[list[str]]:
    response = client.get(f"{address(name)}?{query}")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert f"-{datetime.now(UTC):%Y}" in response.headers["Content-Disposition"]
    return list(csv.reader(response.getvalue().decode().splitlines(keepends=True)))


def cell(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@")) else text


@pytest.fixture
def incident(situation: Build, now: datetime) -> None:
    """Something in every list."""
    situation("incident")
    learn_patterns(now)
    pattern = models.Pattern.objects.all()[0]
    models.Pattern.objects.filter(pk=pattern.pk).update(label="drums")
    over = models.Alert.objects.filter(state="resolved")[0]
    over.pk, over.severity = None, "critical"
    over.save()
    channel = models.AlertChannel.objects.create(
        name="pager", kind="webhook", settings={}, created_at=now, changed_at=now
    )
    models.AlertDelivery.objects.create(
        channel=channel, channel_name="pager", kind="firing", event_key="one", alerts=[{"name": "Breaker open"}],
        created_at=now, next_attempt_at=now, error="secret answer", answer="secret answer",
    )  # fmt: skip


@pytest.mark.usefixtures("incident")
@BY_TABLE
def test_csv_and_json_hold_the_same_rows_under_a_header_that_stays(sign_in: SignIn, name: str) -> None:
    client = sign_in(LISTS[name].seen_by)
    head, *lines = csv_of(client, name)
    rows = json_of(client, name)

    assert head == LISTS[name].header.split()
    assert rows
    assert [list(row) for row in rows] == [head] * len(rows)
    passing = {place for place, column in enumerate(head) if column in PASSING}
    for line, row in zip(lines, rows, strict=True):
        told = [cell(value) for value in row.values()]
        assert [each for place, each in enumerate(line) if place not in passing] == [
            each for place, each in enumerate(told) if place not in passing
        ]


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("name", [name for name, each in LISTS.items() if each.query])
def test_it_holds_what_the_list_is_narrowed_to_from_its_beginning(sign_in: SignIn, name: str) -> None:
    client, wanted = sign_in("viktor"), LISTS[name]
    everything, rows = json_of(client, name), json_of(client, name, wanted.query)

    assert rows == [row for row in everything if wanted.fits(row)]
    assert 0 < len(rows) < len(everything)


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("name", [name for name, each in LISTS.items() if each.text])
def test_no_cell_is_taken_for_a_formula(sign_in: SignIn, name: str) -> None:
    written = LISTS[name].text
    assert written is not None
    table, field = written
    newest_failure = models.ValidationTally.objects.exclude(code="").order_by("-hour")
    row = (newest_failure if table is models.ValidationTally else table._default_manager.all())[0]
    table._default_manager.filter(pk=row.pk).update(**{field: FORMULA})
    if name == "breakers-export":
        models.BreakerEvent.objects.update(reason=FORMULA)
    if name.startswith("alert") or LISTS[name].of:
        table._default_manager.update(**{field: FORMULA})
    lines = csv_of(sign_in(LISTS[name].seen_by), name)

    assert any(f"'{FORMULA}" in line for line in lines)
    assert not any(FORMULA in line for line in lines)


@pytest.mark.parametrize(
    "name", [name for name, each in LISTS.items() if name not in NEVER_EMPTY and not each.of]
)
def test_where_nothing_is_there_it_is_the_header_alone(sign_in: SignIn, name: str) -> None:
    models.AlertRule.objects.all().delete()
    client = sign_in(LISTS[name].seen_by)

    assert csv_of(client, name) == [LISTS[name].header.split()]
    assert json_of(client, name) == []


def test_the_schedule_is_there_before_any_job_ran(sign_in: SignIn) -> None:
    rows = json_of(sign_in("viktor"), "jobs-export")
    assert rows
    assert {row["started_at"] for row in rows} == {None}


def asked(client: Client, name: str) -> tuple[int, int]:
    """Rows, and the queries that they took."""
    with CaptureQueriesContext(connection) as queries:
        rows = json_of(client, name)
    return len(rows), len(queries)


@pytest.mark.usefixtures("incident")
@BY_TABLE
def test_it_asks_few_queries(sign_in: SignIn, name: str) -> None:
    assert asked(sign_in(LISTS[name].seen_by), name)[1] <= MOST_QUERIES


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("name", [name for name, each in LISTS.items() if each.copied])
def test_thousands_of_rows_take_as_many_queries_as_a_few(sign_in: SignIn, name: str) -> None:
    client, copied = sign_in(LISTS[name].seen_by), LISTS[name].copied
    assert copied is not None
    few, queries = asked(client, name)
    first = json_of(client, name)[0]
    table, differ = copied
    row = table._default_manager.get(**({"pk": first["id"]} if "id" in first else {"name": first["name"]}))
    copies = [copy(row) for _ in range(MANY)]
    for number, each in enumerate(copies):
        each.pk = None
        differ(each, number)
    table._default_manager.bulk_create(copies)

    assert asked(client, name) == (few + MANY, queries)


def test_a_file_ends_at_so_many_rows(sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.annotation_rows.MOST_ROWS", 3)
    for number in range(5):
        at = now - timedelta(minutes=number)
        models.Annotation.objects.create(kind="note", text=f"{number}", at=at, actor="olga", created_at=now)

    rows = json_of(sign_in("viktor"), "annotations-export")
    assert [row["text"] for row in rows] == ["0", "1", "2"]


@pytest.mark.usefixtures("incident")
def test_numbers_stay_numbers_and_moments_are_in_iso_8601(sign_in: SignIn) -> None:
    client = sign_in("viktor")
    slowest = json_of(client, "models-export", "order=slowest")
    open_breaker = json_of(client, "breakers-export", "state=open")[0]

    p95 = [row["p95_ms"] for row in slowest]
    assert p95 == sorted(p95, reverse=True)
    assert isinstance(slowest[0]["failed_share"], float)
    assert isinstance(slowest[0]["calls"], int)
    assert datetime.fromisoformat(open_breaker["changed_at"]).tzinfo
    assert open_breaker["last_message"]


@pytest.mark.usefixtures("incident")
def test_what_was_answered_to_an_alert_is_in_no_file(sign_in: SignIn) -> None:
    assert "secret" not in json.dumps(json_of(sign_in("viktor"), "alert-deliveries-export"))


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize(
    "page",
    ["/", "/models/", "/breakers/", "/alerts/", "/alerts/history/", "/alerts/silences/", "/alerts/rules/",
     "/alerts/channels/", "/patterns/", "/optimizations/", "/validation/", "/resources/", "/health/", "/jobs/",
     "/annotations/", "/operations/", "/settings/audit/"],
)  # fmt: skip
def test_each_list_leads_to_its_file(sign_in: SignIn, page: str) -> None:
    text = sign_in("admin").get(page).content.decode()

    assert "As a file:" in text
    assert "format=csv" in text
    assert "format=json" in text


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("name", ["breaker-states-export", "health-states-export"])
def test_the_file_of_a_timeline_tells_each_lane_without_gaps_from_now_back(
    sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    later = now + timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    rows = json_of(sign_in("viktor"), name)
    lanes = {row["of"]: [each for each in rows if each["of"] == row["of"]] for row in rows}

    assert any(len(lane) > 1 for lane in lanes.values())
    for lane in lanes.values():
        assert datetime.fromisoformat(lane[0]["to"]) == later
        assert [each["from"] for each in lane[:-1]] == [each["to"] for each in lane[1:]]
        for each in lane:
            lasted = datetime.fromisoformat(each["to"]) - datetime.fromisoformat(each["from"])
            assert each["lasted_s"] == lasted.total_seconds() > 0


@pytest.mark.usefixtures("incident")
def test_a_timeline_leads_to_its_file(sign_in: SignIn) -> None:
    client, breaker = sign_in("viktor"), "text_to_audio:audioldm2"

    assert (
        f'href="{address("breaker-states-export")}?format=csv'
        in client.get(reverse("breaker", args=[breaker])).content.decode()
    )
    assert 'href="/health/states/export/?format=csv' in client.get("/health/").content.decode()


def what_is_known() -> models.Optimization:
    known = models.Optimization.objects.exclude(arm__number=0).filter(pattern__gt=0, effect__isnull=False)
    return known.order_by("-effect", "pk")[0]


def ids_behind(client: Client, page: str) -> set[int]:
    """What is in the file of optimizations that a page leads to."""
    text = client.get(page).content.decode()
    (link,) = re.findall(r'href="(/optimizations/export/[^"]+format=json)"', text)
    return {each["id"] for each in json.loads(client.get(unescape(link)).getvalue())}


@pytest.mark.usefixtures("incident")
def test_what_competes_with_an_optimization_leads_to_the_file_that_has_it(sign_in: SignIn) -> None:
    row = what_is_known()

    assert row.pk in ids_behind(sign_in("viktor"), f"/optimizations/{row.pk}/")


@pytest.mark.usefixtures("incident")
def test_what_works_for_a_pattern_leads_to_the_file_that_has_it(sign_in: SignIn) -> None:
    row, pattern = what_is_known(), models.Pattern.objects.order_by("pk")[0]
    models.Optimization.objects.filter(pattern=pattern.pk).exclude(pk=row.pk).delete()
    models.Optimization.objects.filter(pk=row.pk).update(pattern=pattern.pk)

    assert ids_behind(sign_in("viktor"), f"/patterns/{pattern.pk}/") == {row.pk}


@pytest.mark.usefixtures("incident")
def test_the_failures_of_a_model_lead_to_the_file_that_has_them(sign_in: SignIn) -> None:
    failed = models.Operation.objects.filter(outcome="error")[0]
    series = models.Series.objects.get(operation_type=failed.operation_type, model=failed.model)
    client = sign_in("viktor")
    page = client.get(f"/models/{series.pk}/?range=24h").content.decode()
    (link,) = re.findall(r'href="(/operations/export/[^"]+format=json)"', page)
    rows = json.loads(client.get(unescape(link)).getvalue())
    shown = re.findall(
        r"/operations/([0-9a-f-]{36})/", page.split('id="failed-title"')[1].split("</table>")[0]
    )

    assert shown
    assert [row["id"] for row in rows][: len(shown)] == shown
    assert "success" not in {row["outcome"] for row in rows}


@pytest.mark.usefixtures("incident")
def test_no_secret_is_in_a_file(sign_in: SignIn, now: datetime) -> None:
    row, key = make_key("for the test", ["read"], By("admin", "a test", now))
    assert row is not None
    models.AlertChannel.objects.update(settings={"url": "https://example.com/secret-path"})
    files = {name: json.dumps(json_of(sign_in("admin"), name)) for name in LISTS}

    assert row.prefix in files["settings-keys-export"]
    assert row.digest not in files["settings-keys-export"]
    assert key not in files["settings-keys-export"]
    assert "secret-path" not in "".join(files.values())
    assert "secret answer" not in "".join(files.values())
