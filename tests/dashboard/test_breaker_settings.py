"""Settings in layers: what each means and inherits, what a change would come to, and the change itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard.breaker_layers import BY_DEFAULT, GROUPS, SETTINGS, flat, resolve
from featurememory.circuit_breaker.config import BreakerConfig, HealthThresholds
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.models import AuditEntry, Breaker, BreakerConfiguration
from tests.dashboard.breakers import closed

SignIn = Callable[[str], Client]
NAME = "t:m"
ALL = "/breaker-settings/"
OF_TYPE = "/breaker-settings/operation-type/t/"
OF_ONE = "/breaker-settings/breaker/t:m/"


@pytest.fixture(autouse=True)
def _two_breakers(db: None, now: datetime) -> None:
    for name in (NAME, "other:x"):
        closed(name, now)


def text_of(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))).replace("\u00a0", " ")


def previewed(client: Client, address: str, **typed: str) -> str:
    response = client.get(address, {"preview": "yes"} | typed)
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


def hidden(page: str) -> dict[str, str]:
    """What the confirmation page would send."""
    found = re.findall(r'<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?', page)
    return {name: unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def applied(client: Client, address: str, **typed: str) -> Any:
    sent = hidden(previewed(client, address, **typed)) | {"reason": "the hosts are slower now"}
    return client.post(address, sent, follow=True)


def stored(scope: str = "default", name: str = "") -> dict[str, Any] | None:
    row = BreakerConfiguration.objects.filter(scope=scope, name=name).first()
    return None if row is None else dict(row.values)


def refusal(client: Client, address: str, field: str, **typed: str) -> str:
    """What is said at the field."""
    response = client.get(address, {"preview": "yes"} | typed)
    assert response.status_code == 200
    said = re.search(rf'id="id_{field}_error">(.*?)</p>', response.content.decode(), re.S)
    assert said is not None
    return text_of(said[1]).strip()


def test_every_field_of_the_configuration_is_explained() -> None:
    explained = {name.partition(".")[0] for name in SETTINGS}
    thresholds = {name.partition(".")[2] for name in SETTINGS if "." in name}

    assert explained == set(BreakerConfig._fields)
    assert thresholds == set(HealthThresholds._fields)
    assert all(setting.title and setting.meaning for group in GROUPS for setting in group.settings)


def test_the_form_shows_meaning_unit_default_and_what_is_inherited(sign_in: SignIn) -> None:
    text = text_of(sign_in("olga").get(ALL).content.decode())

    assert (
        "Failures in a row So many failures one after the other open it; 0 switches this off. max_failures "
        "failures inherits 5 failures , by default"
    ) in text
    assert "health_thresholds.error_rate % inherits off , by default" in text
    assert "inherits all operation types , by default" in text


def test_what_is_inherited_comes_from_the_nearest_layer_beneath(sign_in: SignIn) -> None:
    Breaker.objects.update(declared={"max_failures": 2, "half_open_permits": 4})
    configure(Scope.DEFAULT, "", {"max_failures": 7, "window_size": 60}, actor="olga", reason="x")
    configure(Scope.OPERATION_TYPE, "t", {"window_size": 40}, actor="olga", reason="x")

    text = text_of(sign_in("olga").get(OF_ONE).content.decode())

    assert "inherits 7 failures , for all breakers" in text
    assert "inherits 40 , for operation type t" in text
    assert "inherits 4 probes , by its callers’ SDK" in text
    assert "inherits 1 s , by default" in text


def test_a_declaration_that_does_not_go_with_what_is_set_is_not_inherited(sign_in: SignIn) -> None:
    Breaker.objects.update(declared={"minimum_calls": 90, "max_failures": 2})
    configure(Scope.DEFAULT, "", {"window_size": 60}, actor="olga", reason="x")

    text = text_of(sign_in("olga").get(OF_ONE).content.decode())

    assert "by its callers’ SDK" not in text


def test_what_the_layer_sets_stands_in_the_fields(sign_in: SignIn) -> None:
    values = {
        "max_failures": 0,
        "reset_timeout_ms": 1_500.0,
        "window_type": "time",
        "monitored_operations": ["a", "b"],
        "health_thresholds": {"cpu": 80, "error_rate": None},
    }
    configure(Scope.DEFAULT, "", values, actor="ann", reason="the winter")

    page = sign_in("olga").get(ALL).content.decode()

    assert 'name="max_failures" value="0"' in page
    assert 'name="reset_timeout_ms" value="1500"' in page
    assert '<option value="time" selected>' in page
    assert re.search(r'name="monitored_operations"[^>]*>\s*a\nb</textarea>', page)
    assert 'name="health_thresholds_cpu" value="80"' in page
    assert 'name="health_thresholds_memory" value="95"' in page
    assert 'name="health_thresholds_error_rate" value="off"' in page
    assert "Last set by ann" in page
    assert "the winter" in page


def test_the_preview_shows_before_and_after_and_changes_nothing(sign_in: SignIn) -> None:
    configure(Scope.DEFAULT, "", {"max_failures": 7}, actor="olga", reason="x")
    audits = AuditEntry.objects.count()

    text = text_of(previewed(sign_in("olga"), ALL, window_size="50", reset_timeout_ms="2500"))

    assert "Failures in a row max_failures 7 failures 5 failures, inherited" in text
    assert "Size of the window window_size 100, inherited 50" in text
    assert "Waiting time reset_timeout_ms 1 s, inherited 2.5 s" in text
    assert "It changes 2 breakers, everywhere at once" in text
    assert stored() == {"max_failures": 7}
    assert AuditEntry.objects.count() == audits


def test_the_preview_counts_only_breakers_that_really_change(sign_in: SignIn) -> None:
    configure(Scope.BREAKER, NAME, {"max_failures": 3}, actor="olga", reason="x")

    text = text_of(previewed(sign_in("olga"), ALL, max_failures="8"))

    assert "It changes 1 breaker, everywhere at once" in text
    assert "1 more breaker under these settings stays as it is" in text
    assert "Which other:x" in text


@pytest.mark.parametrize(
    ("address", "scope", "name", "subject"),
    [
        (ALL, "default", "", "default"),
        (OF_TYPE, "operation_type", "t", "operation_type t"),
        (OF_ONE, "breaker", NAME, NAME),
    ],
)
def test_what_was_previewed_is_applied_with_reason_and_audit(
    sign_in: SignIn, address: str, scope: str, name: str, subject: str
) -> None:
    response = applied(sign_in("olga"), address, max_failures="8", jitter="0.25", window_type="time")

    assert response.redirect_chain == [(address, 302)]
    assert "banner-ok" in response.content.decode()
    assert stored(scope, name) == {"max_failures": 8, "jitter": 0.25, "window_type": "time"}
    assert Breaker.objects.get(name=NAME).config["max_failures"] == 8
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.actor, entry.action, entry.subject) == ("olga", "breaker.configure", subject)
    assert entry.reason == "the hosts are slower now"
    assert (entry.before, entry.after["max_failures"]) == ({}, 8)


def test_an_emptied_field_inherits_again(sign_in: SignIn) -> None:
    configure(Scope.OPERATION_TYPE, "t", {"max_failures": 7, "window_size": 50}, actor="olga", reason="x")

    applied(sign_in("olga"), OF_TYPE, window_size="50")

    assert stored("operation_type", "t") == {"window_size": 50}
    assert Breaker.objects.get(name=NAME).config == {"window_size": 50}


def test_health_thresholds_are_set_together_and_keep_what_they_inherit(sign_in: SignIn) -> None:
    configure(Scope.DEFAULT, "", {"health_thresholds": {"cpu": 70, "memory": None}}, actor="olga", reason="x")

    applied(sign_in("olga"), OF_TYPE, health_thresholds_error_rate="40")

    assert stored("operation_type", "t") == {
        "health_thresholds": {"cpu": 70, "memory": None, "error_rate": 40}
    }


def test_a_threshold_is_switched_off_by_a_word(sign_in: SignIn) -> None:
    applied(sign_in("olga"), ALL, health_thresholds_cpu="Off")

    assert stored() == {"health_thresholds": {"cpu": None, "memory": 95.0, "error_rate": None}}


def test_operation_types_are_given_one_a_line_and_a_star_is_all_of_them(sign_in: SignIn) -> None:
    client = sign_in("olga")

    applied(client, ALL, monitored_operations="a\r\n\r\n b c \r\n")
    assert stored() == {"monitored_operations": ["a", "b c"]}
    applied(client, OF_TYPE, monitored_operations="*")

    assert stored("operation_type", "t") == {"monitored_operations": []}


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("max_failures", {"max_failures": "-1"}, "max_failures = -1 is not possible: give a whole number"),
        ("max_failures", {"max_failures": "3.5"}, "Enter a whole number."),
        ("failure_rate_threshold", {"failure_rate_threshold": "150"}, "give a number from 1 to 100"),
        ("reset_timeout_ms", {"reset_timeout_ms": "soon"}, "Enter a number."),
        ("window_type", {"window_type": "moon"}, "is not one of the available choices"),
        ("health_thresholds_cpu", {"health_thresholds_cpu": "hot"}, "Give a number from 1 to 100, or “off”."),
        ("health_thresholds_memory", {"health_thresholds_memory": "0"}, "health_thresholds.memory = 0"),
        ("minimum_calls", {"minimum_calls": "200"}, "can never be reached in a window of 100 calls"),
        ("max_reset_timeout_ms", {"reset_timeout_ms": "90000"}, "max_reset_timeout_ms = 60000 is below"),
        ("monitored_operations", {"monitored_operations": "x" * 201}, "give at most 100 operation types"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_with_the_reason(
    sign_in: SignIn, field: str, typed: dict[str, str], said: str
) -> None:
    assert said in refusal(sign_in("olga"), ALL, field, **typed)
    assert stored() is None


def test_what_only_another_layer_makes_wrong_names_that_layer(sign_in: SignIn) -> None:
    configure(Scope.BREAKER, NAME, {"minimum_calls": 80}, actor="olga", reason="x")

    said = refusal(sign_in("olga"), ALL, "minimum_calls", window_size="50")

    assert said.startswith("Together with breaker 't:m':")


def test_setting_what_is_set_already_is_told_before_a_reason_is_asked(sign_in: SignIn) -> None:
    page = previewed(sign_in("olga"), ALL)

    assert "Nothing would change" in page
    assert '<textarea name="reason"' not in page


def test_a_double_submit_writes_once(sign_in: SignIn) -> None:
    client = sign_in("olga")
    sent = hidden(previewed(client, ALL, max_failures="8")) | {"reason": "once"}

    for _ in range(2):
        assert client.post(ALL, sent).status_code == 302

    assert AuditEntry.objects.filter(action="breaker.configure").count() == 1


def test_what_somebody_else_set_meanwhile_is_not_overwritten_unseen(sign_in: SignIn) -> None:
    client = sign_in("olga")
    sent = hidden(previewed(client, ALL, max_failures="8")) | {"reason": "mine"}
    configure(Scope.DEFAULT, "", {"max_failures": 3}, actor="ann", reason="hers")

    response = client.post(ALL, sent)

    assert response.status_code == 422
    assert "Somebody changed these settings meanwhile" in response.content.decode()
    assert stored() == {"max_failures": 3}


def test_without_a_reason_nothing_is_set_and_the_preview_stays(sign_in: SignIn) -> None:
    client = sign_in("olga")
    sent = hidden(previewed(client, ALL, max_failures="8")) | {"reason": " "}

    response = client.post(ALL, sent)

    assert response.status_code == 422
    assert "Say why" in response.content.decode()
    assert "8 failures" in text_of(response.content.decode())
    assert stored() is None


def test_a_forged_submit_is_judged_like_any_other(sign_in: SignIn) -> None:
    forged = {"max_failures": "-3", "seen": "0", "reason": "x", "request_id": str(uuid4())}

    assert sign_in("olga").post(ALL, forged).status_code == 422
    assert stored() is None


@pytest.mark.parametrize("address", [ALL, OF_TYPE, OF_ONE])
def test_a_viewer_is_refused(sign_in: SignIn, address: str) -> None:
    client = sign_in("viktor")

    assert client.get(address).status_code == 403
    assert client.post(address, {"max_failures": "1"}).status_code == 403


@pytest.mark.parametrize(
    "address", ["/breaker-settings/breaker/nobody/", "/breaker-settings/operation-type/nothing/"]
)
def test_settings_of_nobody_are_not_found(sign_in: SignIn, address: str) -> None:
    assert sign_in("olga").get(address).status_code == 404


def test_operation_types_are_listed_with_their_breakers(sign_in: SignIn) -> None:
    configure(Scope.OPERATION_TYPE, "t", {"max_failures": 7}, actor="olga", reason="x")

    page = sign_in("olga").get(ALL).content.decode()

    assert "t 1 breaker, set otherwise" in text_of(page)
    assert f'href="{OF_TYPE}"' in page


def test_the_admin_links_to_a_breaker_s_settings(sign_in: SignIn) -> None:
    breaker = Breaker.objects.get(name=NAME)

    record = sign_in("admin").get(reverse("admin:featurememory_breaker_change", args=[breaker.pk]))

    assert OF_ONE in record.content.decode()


def test_pages_ask_as_often_for_many_breakers_as_for_few(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("olga")

    def asked(**typed: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(ALL, typed)
        return len(captured)

    few = asked(), asked(preview="yes", max_failures="8")
    for number in range(15):
        closed(f"t{number}:m", now)

    assert (asked(), asked(preview="yes", max_failures="8")) == few


def test_the_health_thresholds_that_a_layer_leaves_out_are_the_defaults_as_for_the_machine() -> None:
    values = {"health_thresholds": {"cpu": 80}}

    assert resolve([BY_DEFAULT])["health_thresholds.memory"].value == 95.0
    assert (
        flat(values)["health_thresholds.memory"]
        == BreakerConfig.from_mapping(values).health_thresholds.memory
    )
