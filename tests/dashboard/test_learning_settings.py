"""How operation types are learned from: the form, what a change comes to, and who may make it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.models import AuditEntry, LearningSettings, Study
from featurememory.optimization.configuration import configure_learning
from tests.dashboard.test_optimizations import page_of, text_of
from tests.optimization.stored import store_study

SignIn = Callable[[str], Client]
ALL = "/learning-settings/"
OF_TYPE = "/learning-settings/operation-type/text_to_audio/"


@pytest.fixture(autouse=True)
def study(db: None, now: datetime) -> Study:
    return store_study(now).study


def preview(client: Client, path: str = ALL, **typed: str) -> str:
    response = client.get(path, {"preview": "yes"} | typed)
    assert response.status_code == 200
    return response.content.decode()


def hidden(page: str) -> dict[str, str]:
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


def apply(client: Client, path: str = ALL, reason: str = "fewer surprises", **typed: str) -> Any:
    return client.post(path, hidden(preview(client, path, **typed)) | typed | {"reason": reason}, follow=True)


def stored(operation_type: str = "") -> dict[str, Any] | None:
    return (
        LearningSettings.objects.filter(operation_type=operation_type)
        .values_list("values", flat=True)
        .first()
    )


def test_a_change_is_shown_before_it_is_made(sign_in: SignIn) -> None:
    told = text_of(preview(sign_in("olga"), control="0.2", loss_budget="0.02"))

    assert "Control share control 10 %, inherited 20 %" in told
    assert "Loss budget loss_budget off, inherited 2 %" in told
    assert "Nothing that was learned is forgotten." in told
    assert stored() is None


def test_it_is_applied_with_a_reason_and_audited_once(sign_in: SignIn) -> None:
    client = sign_in("olga")
    sent = hidden(preview(client, control="0.2")) | {"control": "0.2", "reason": "fewer surprises"}

    for _ in range(2):
        response = client.post(ALL, sent, follow=True)
        assert response.redirect_chain == [(ALL, 302)]

    assert stored() == {"control": 0.2}
    entry = AuditEntry.objects.get(action="learning.configure")
    assert (entry.actor, entry.reason) == ("olga", "fewer surprises")
    assert "Last set by olga" in text_of(page_of(client, ALL))


def test_focus_lands_on_what_was_done(sign_in: SignIn) -> None:
    page = apply(sign_in("olga"), OF_TYPE, unproven="0.3").content.decode()

    assert 'class="banner banner-ok" role="status" tabindex="-1" autofocus' in page
    assert stored("text_to_audio") == {"unproven": 0.3}


def test_each_setting_is_kept_as_it_was_typed_and_shown_so_again(sign_in: SignIn) -> None:
    client = sign_in("olga")
    typed = {
        "aim": "both",
        "weight": "0.7",
        "control": "0.05",
        "unproven": "0.5",
        "loss_budget": "off",
        "observe": "no",
        "steps": '{"steps": {"low": 10, "high": 60, "step": 5}}',
    }

    apply(client, **typed)

    assert stored() == {
        "aim": "both",
        "weight": 0.7,
        "control": 0.05,
        "unproven": 0.5,
        "loss_budget": None,
        "observe": False,
        "steps": {"steps": {"low": 10, "high": 60, "step": 5}},
    }
    page = page_of(client, ALL)
    assert 'value="0.7"' in page
    assert 'value="off"' in page
    assert '<option value="no" selected>' in page
    assert "&quot;high&quot;: 60" in page
    assert "Nothing would change" in preview(client, **typed)


def test_what_is_left_empty_is_inherited(sign_in: SignIn) -> None:
    client = sign_in("olga")
    configure_learning("", {"control": 0.3}, actor="a", reason="x", now=Study.objects.get().created_at)

    told = text_of(page_of(client, OF_TYPE))

    assert "inherits 30 % , from all operation types" in told
    assert "inherits 80 % , the default" in told


def test_another_objective_says_clearly_that_it_begins_anew(sign_in: SignIn, study: Study) -> None:
    client = sign_in("olga")
    assert "Another objective begins anew." in page_of(client, ALL)

    told = text_of(preview(client, aim="score"))

    assert "1 study begins anew , because the objective is another: what" in told
    assert re.search(r"what \d+ operations taught is forgotten. text_to_audio:audioldm2", told)
    apply(client, aim="score")
    study.refresh_from_db()
    assert study.operations == 0


def test_the_objective_that_it_has_anyway_forgets_nothing(sign_in: SignIn, study: Study) -> None:
    told = text_of(apply(sign_in("olga"), aim="duration").content.decode())

    study.refresh_from_db()
    assert "begins anew ," not in told
    assert study.operations > 200


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("control", "3", "less than or equal to 1"),
        ("control", "much", "Enter a number."),
        ("weight", "-1", "greater than or equal to 0"),
        ("unproven", "nan", "Enter a number."),
        ("loss_budget", "some", "Give a number from 0 to 1, or “off”."),
        ("loss_budget", "2", "it is a number in [0, 1]"),
        ("aim", "fame", "Select a valid choice."),
        ("steps", "{", "This is no JSON"),
        ("steps", "[1]", "give an object of parameters"),
        ("steps", '{"a": {"low": 5, "high": 1, "step": 1}}', "low &lt; high"),
        ("steps", '{"a": {"low": 1, "high": "x", "step": 1}}', "a finite number"),
    ],
)
def test_what_is_wrong_stands_at_its_field(sign_in: SignIn, field: str, typed: str, said: str) -> None:
    page = preview(sign_in("olga"), **{field: typed})

    assert said in page.split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert "Apply" not in page
    assert stored() is None


def test_all_that_is_wrong_is_said_at_once(sign_in: SignIn) -> None:
    page = preview(sign_in("olga"), control="3", steps="{")

    assert 'id="id_control_error"' in page
    assert 'id="id_steps_error"' in page


def test_without_a_reason_nothing_is_set(sign_in: SignIn) -> None:
    response = apply(sign_in("olga"), reason=" ", control="0.2")

    assert response.status_code == 422
    assert "Say why" in response.content.decode()
    assert stored() is None


def test_what_somebody_set_meanwhile_is_not_overwritten_unseen(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("olga")
    sent = hidden(preview(client, control="0.2")) | {"control": "0.2", "reason": "x"}
    configure_learning("", {"control": 0.4}, actor="bob", reason="x", now=now)

    response = client.post(ALL, sent)

    assert response.status_code == 422
    assert "Somebody changed these settings meanwhile." in response.content.decode()
    assert stored() == {"control": 0.4}


def test_a_forged_submit_is_judged_like_any_other(sign_in: SignIn) -> None:
    forged = {"control": "7", "seen": "", "reason": "x", "request_id": str(uuid4())}

    assert sign_in("olga").post(ALL, forged).status_code == 422
    assert stored() is None


def test_operation_types_are_listed(sign_in: SignIn, now: datetime) -> None:
    configure_learning("text_to_audio", {"control": 0.4}, actor="bob", reason="x", now=now)

    page = page_of(sign_in("olga"), ALL)

    assert f'href="{OF_TYPE}"' in page
    assert "text_to_audio set otherwise" in text_of(page)


@pytest.mark.parametrize("path", [ALL, OF_TYPE])
def test_a_viewer_is_refused(sign_in: SignIn, path: str) -> None:
    client = sign_in("viktor")

    assert client.get(path).status_code == 403
    assert client.post(path, {"control": "0.2"}).status_code == 403


def test_settings_of_nobody_are_not_found(sign_in: SignIn) -> None:
    assert sign_in("olga").get("/learning-settings/operation-type/nothing/").status_code == 404
