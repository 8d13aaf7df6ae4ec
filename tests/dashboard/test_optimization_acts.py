"""An operator's hand on optimizations and parameter sets: with a reason, once, by who may."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from featurememory.models import Arm, AuditEntry, Optimization, OptimizationEvent
from featurememory.optimization.operator_actions import ACTIONS, add_candidate, order
from featurememory.optimization.registry import MAX_ARMS
from tests.dashboard.test_optimizations import page_of, text_of
from tests.optimization.stored import BASELINE, BETTER, PATTERNS, UNTRIED, WORSE, Stored, store_study

SignIn = Callable[[str], Client]
SUCCESS = 'class="banner banner-ok" role="status" tabindex="-1" autofocus'


@pytest.fixture
def stored(db: None, now: datetime) -> Stored:
    return store_study(now)


@pytest.fixture
def found(stored: Stored) -> Optimization:
    return stored.optimization(PATTERNS[0], BETTER)


def given(reason: str = "it sounds better", **more: str) -> dict[str, str]:
    return {"reason": reason, "request_id": str(uuid4())} | more


def hidden(page: str) -> dict[str, str]:
    """What the confirmation page would send of itself."""
    return dict(re.findall(r'<input type="hidden" name="(request_id|looked_at)" value="([^"]*)"', page))


def act_on(found: Optimization, action: str) -> str:
    return reverse(f"optimization-{action}", args=[found.pk])


def propose_to(stored: Stored) -> str:
    return reverse("optimization-propose", args=[stored.study.pk])


def retire(arm: Arm) -> str:
    return reverse("optimization-retire-set", args=[arm.pk])


@pytest.mark.parametrize(
    ("action", "status"),
    [("promote", "promoted"), ("activate", "active"), ("quarantine", "quarantined"), ("retire", "retired")],
)
def test_an_operator_acts_with_a_reason_and_it_is_audited(
    stored: Stored, sign_in: SignIn, action: str, status: str
) -> None:
    found = stored.optimization(PATTERNS[1], WORSE if action != "quarantine" else BETTER)
    client, sent = sign_in("olga"), given()

    response = client.post(act_on(found, action), sent, follow=True)

    found.refresh_from_db()
    assert found.status == status
    assert response.redirect_chain == [(reverse("optimization", args=[found.pk]), 302)]
    assert SUCCESS in response.content.decode()
    assert f"The optimization {ACTIONS[action].done}" in response.content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.reason, entry.subject) == ("olga", "it sounds better", str(found.pk))
    assert entry.request_id == UUID(sent["request_id"])


def test_a_double_submit_acts_once(found: Optimization, sign_in: SignIn) -> None:
    client, sent = sign_in("olga"), given()
    events = OptimizationEvent.objects.count()

    for _ in range(2):
        assert client.post(act_on(found, "quarantine"), sent).status_code == 302

    assert OptimizationEvent.objects.count() == events + 1
    assert AuditEntry.objects.count() == 1


def test_asking_for_the_confirmation_changes_nothing(found: Optimization, sign_in: SignIn) -> None:
    page = page_of(sign_in("olga"), act_on(found, "retire"))

    assert "Retire: steps=20?" in text_of(page) or "Retire steps=20?" in text_of(page)
    assert ACTIONS["retire"].consequence in page
    assert f"text_to_audio:audioldm2, pattern {PATTERNS[0] % 10**9}" in text_of(page)
    assert Optimization.objects.get(pk=found.pk).status == "promoted"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
def test_without_a_proper_reason_nothing_happens(
    stored: Stored, found: Optimization, sign_in: SignIn, reason: str
) -> None:
    client = sign_in("olga")
    sent = given(reason, parameters=json.dumps(UNTRIED))

    for path in (act_on(found, "quarantine"), propose_to(stored), retire(stored.arm(BETTER))):
        response = client.post(path, sent)
        assert response.status_code == 422
        assert 'role="alert"' in response.content.decode()

    assert Optimization.objects.get(pk=found.pk).status == "promoted"
    assert not AuditEntry.objects.exists()


def test_what_another_operator_did_meanwhile_is_not_undone_unseen(
    found: Optimization, sign_in: SignIn
) -> None:
    client, path = sign_in("olga"), act_on(found, "quarantine")
    sent = hidden(page_of(client, path)) | {"reason": "it crackles"}
    order(found.pk, ACTIONS["activate"], actor="bob", reason="let us see", now=timezone.now())

    refused = client.post(path, sent)

    assert refused.status_code == 422
    assert "bob has acted on it meanwhile: “let us see”" in refused.content.decode()
    assert Optimization.objects.get(pk=found.pk).status == "active"
    meant = hidden(refused.content.decode()) | {"reason": "it does not"}
    for _ in range(2):
        assert client.post(path, meant).status_code == 302
    assert Optimization.objects.get(pk=found.pk).status == "quarantined"
    assert AuditEntry.objects.filter(actor="olga").count() == 1


def test_news_that_could_not_be_handed_on_is_never_plain_success(
    found: Optimization, stored: Stored, sign_in: SignIn, deaf_bus: None
) -> None:
    client = sign_in("olga")

    for path in (act_on(found, "quarantine"), retire(stored.arm(BETTER))):
        told = client.post(path, given(), follow=True).content.decode()
        assert "The news could not be handed on at once" in told
        assert "banner-ok" not in told


def test_the_baseline_cannot_be_acted_on(stored: Stored, sign_in: SignIn) -> None:
    baseline = stored.optimization(PATTERNS[0], BASELINE)
    client = sign_in("olga")

    acted = client.post(act_on(baseline, "quarantine"), given())
    retired = client.post(retire(stored.arm(BASELINE)), given())

    assert acted.status_code == retired.status_code == 422
    assert "these are the baseline&#x27;s parameters" in acted.content.decode()
    assert "this one is the baseline" in retired.content.decode()


def test_a_parameter_set_is_proposed_from_the_baseline(stored: Stored, sign_in: SignIn) -> None:
    client = sign_in("olga")
    page = page_of(client, propose_to(stored))
    assert (
        json.loads(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1].replace("&quot;", '"'))
        == BASELINE
    )  # type: ignore[index]
    sent = given(parameters=json.dumps(UNTRIED))

    for _ in range(2):
        response = client.post(propose_to(stored), sent, follow=True)
        assert response.redirect_chain == [(f"/optimizations/?study={stored.study.pk}", 302)]
        assert "guidance=7.5 was proposed to text_to_audio:audioldm2" in text_of(response.content.decode())

    arm = stored.arm(UNTRIED)
    assert (arm.origin, arm.number) == (Arm.Origin.OPERATOR, 4)
    assert AuditEntry.objects.filter(action="candidate.add").count() == 1


def test_what_is_compared_already_is_said_to_be(stored: Stored, sign_in: SignIn) -> None:
    sent = given(parameters=json.dumps(BETTER))

    told = text_of(sign_in("olga").post(propose_to(stored), sent, follow=True).content.decode())

    assert "text_to_audio:audioldm2 compares steps=20 already; nothing was changed." in told
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("{steps: 20}", "This is no JSON"),
        ("", "Write the parameters as a JSON object."),
        ('{"steps": NaN}', "NaN is no number that JSON has"),
        ("[1]", "an object of parameters, not list"),
        ('{"steps": 20}', "it lacks guidance, scheduler"),
        (json.dumps(BASELINE | {"more": 1}), "it has more beside them"),
        ('{"steps": ' + "[" * 50_000, "at most 20000 characters"),
    ],
)
def test_what_is_wrong_with_a_proposal_stands_at_the_field(
    stored: Stored, sign_in: SignIn, typed: str, said: str
) -> None:
    response = sign_in("olga").post(propose_to(stored), given(parameters=typed))

    page = response.content.decode()
    assert response.status_code == 422
    assert said in text_of(page.split('id="id_parameters_error"')[1])
    assert not AuditEntry.objects.exists()


def test_more_than_a_study_can_compare_is_refused_in_words(
    stored: Stored, sign_in: SignIn, now: datetime
) -> None:
    for number in range(MAX_ARMS - 4):
        add_candidate(
            "text_to_audio", "audioldm2", BASELINE | {"steps": 100 + number}, actor="a", reason="x", now=now
        )

    response = sign_in("olga").post(propose_to(stored), given(parameters=json.dumps(UNTRIED)))

    assert response.status_code == 422
    assert f"compares {MAX_ARMS} parameter sets already: retire one first." in text_of(
        response.content.decode()
    )


def test_a_parameter_set_is_retired_everywhere_once(stored: Stored, sign_in: SignIn) -> None:
    client, arm, sent = sign_in("olga"), stored.arm(BETTER), given()
    assert "text_to_audio:audioldm2 tried it in 3 patterns." in text_of(page_of(client, retire(arm)))

    for _ in range(2):
        response = client.post(retire(arm), sent, follow=True)
        assert response.redirect_chain == [(f"/optimizations/?study={stored.study.pk}", 302)]
        assert SUCCESS in response.content.decode()

    arm.refresh_from_db()
    assert arm.number is None
    assert set(arm.optimizations.values_list("status", flat=True)) == {"retired"}
    assert AuditEntry.objects.filter(action="candidate.retire", actor="olga").count() == 1


def test_a_viewer_is_refused(stored: Stored, found: Optimization, sign_in: SignIn) -> None:
    client = sign_in("viktor")
    paths = [act_on(found, action) for action in ACTIONS]

    for path in (*paths, propose_to(stored), retire(stored.arm(BETTER))):
        assert client.get(path).status_code == 403
        assert client.post(path, given(parameters="{}")).status_code == 403
    assert Optimization.objects.get(pk=found.pk).status == "promoted"


def test_a_post_from_elsewhere_is_refused(found: Optimization, sign_in: SignIn) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sign_in("olga").cookies

    assert strict.post(act_on(found, "retire"), given()).status_code == 403


def test_who_is_unknown_is_not_found(db: None, sign_in: SignIn, now: datetime) -> None:
    client = sign_in("olga")

    for path in ("/optimizations/9/retire/", "/studies/9/propose/", "/parameter-sets/9/retire/"):
        assert client.get(path).status_code == 404
        assert client.post(path, given(parameters="{}")).status_code == 404
