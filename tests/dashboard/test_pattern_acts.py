"""An operator's hand on one pattern: with a reason, once, and by who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client

from featurememory.core.operator_actions import remove_pattern
from featurememory.models import AuditEntry, FeatureSpace, Pattern
from tests.dashboard.patterns import calibrated, pattern

SignIn = Callable[[str], Client]
ACTS = ["change", "merge", "forget"]


@pytest.fixture
def space(db: None, now: datetime) -> FeatureSpace:
    return calibrated("speech-8", now - timedelta(hours=2))


@pytest.fixture
def operator(sign_in: SignIn) -> Client:
    return sign_in("olga")


def given(reason: str = "I know it", **more: str) -> dict[str, str]:
    return {"reason": reason, "request_id": str(uuid4()), "into": "5", "label": "rain"} | more


def everything() -> list[tuple[object, ...]]:
    return list(Pattern.objects.values_list("pk", "count", "label", "pinned"))


def test_a_pattern_is_labelled_and_pinned(space: FeatureSpace, operator: Client) -> None:
    shown, sent = pattern(space, 3), given(label=" rain ", pinned="on")

    response = operator.post(f"/patterns/{shown.pk}/change/", sent, follow=True)

    assert response.redirect_chain == [(f"/patterns/{shown.pk}/", 302)]
    assert 'class="banner banner-ok" role="status" tabindex="-1" autofocus' in response.content.decode()
    changed = pattern(space, 3)
    assert (changed.label, changed.pinned, changed.count) == ("rain", True, shown.count)
    (entry,) = AuditEntry.objects.all()
    assert (entry.actor, entry.action, entry.reason) == ("olga", "pattern.change", "I know it")
    assert entry.request_id == UUID(sent["request_id"])


def test_a_label_and_a_pin_are_taken_away_again(space: FeatureSpace, operator: Client) -> None:
    address = f"/patterns/{pattern(space, 3).pk}/change/"
    operator.post(address, given(pinned="on"))
    page = operator.get(address).content.decode()
    assert 'value="rain"' in page
    assert "checked" in page

    operator.post(address, given(label=""))

    assert (pattern(space, 3).label, pattern(space, 3).pinned) == ("", False)


@pytest.mark.parametrize("label", ["x" * 201, "a\tb", "a\x00b"])
def test_a_label_that_cannot_be_kept_is_refused(label: str, space: FeatureSpace, operator: Client) -> None:
    response = operator.post(f"/patterns/{pattern(space, 3).pk}/change/", given(label=label))

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("by_id", [False, True])
def test_a_pattern_is_merged_into_another_by_its_number(
    by_id: bool, space: FeatureSpace, operator: Client
) -> None:
    gone, kept = pattern(space, 3), pattern(space, 5)
    into = str(kept.pk) if by_id else "5"

    response = operator.post(f"/patterns/{gone.pk}/merge/", given(into=into), follow=True)

    assert response.redirect_chain == [(f"/patterns/{kept.pk}/", 302)]
    assert "Pattern 3 was merged into this one, which has now seen 20 vectors." in response.content.decode()
    assert pattern(space, 5).count == gone.count + kept.count
    assert not Pattern.objects.filter(pk=gone.pk).exists()
    assert AuditEntry.objects.get().action == "pattern.merge"


@pytest.mark.parametrize(
    ("into", "says"),
    [
        ("", "Give the number"),
        ("3", "This is the pattern that goes"),
        ("99", "There is no pattern of this number"),
        ("five", "There is no pattern of this number"),
        ("9" * 19, "There is no pattern of this number"),
    ],
)
def test_a_merge_into_what_cannot_take_it_is_refused(
    into: str, says: str, space: FeatureSpace, operator: Client
) -> None:
    before = everything()

    response = operator.post(f"/patterns/{pattern(space, 3).pk}/merge/", given(into=into))

    assert response.status_code == 422
    assert says in response.content.decode()
    assert everything() == before


def test_a_pattern_of_another_space_takes_none(space: FeatureSpace, operator: Client, now: datetime) -> None:
    other = calibrated("other-8", now)

    response = operator.post(
        f"/patterns/{pattern(space, 3).pk}/merge/", given(into=str(pattern(other, 5).pk))
    )

    assert response.status_code == 422
    assert not AuditEntry.objects.exists()


def test_the_nearest_are_offered_to_merge_into(space: FeatureSpace, operator: Client) -> None:
    address = f"/patterns/{pattern(space, 3).pk}/merge/"

    assert operator.get(address).content.decode().count('href="?into=') == 6
    page = operator.get(f"{address}?into=5").content.decode()
    assert 'value="5"' in page
    assert "It goes into <strong>pattern 5</strong>, seen 10 times so far." in page


def test_a_pattern_is_forgotten(space: FeatureSpace, operator: Client) -> None:
    gone = pattern(space, 3).pk

    response = operator.post(f"/patterns/{gone}/forget/", given(), follow=True)

    assert response.redirect_chain == [("/patterns/?space=speech-8", 302)]
    assert "Pattern 3 was forgotten." in response.content.decode()
    assert not Pattern.objects.filter(pk=gone).exists()
    assert AuditEntry.objects.get().action == "pattern.remove"


@pytest.mark.parametrize("act", ACTS)
def test_a_double_submit_acts_once(act: str, space: FeatureSpace, operator: Client) -> None:
    address, sent = f"/patterns/{pattern(space, 3).pk}/{act}/", given()

    first = operator.post(address, sent)
    then = everything()
    second = operator.post(address, sent)

    assert (second.status_code, second.headers["Location"]) == (302, first.headers["Location"])
    assert everything() == then
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
@pytest.mark.parametrize("act", ACTS)
def test_without_a_proper_reason_nothing_happens(
    act: str, reason: str, space: FeatureSpace, operator: Client
) -> None:
    before = everything()

    response = operator.post(f"/patterns/{pattern(space, 3).pk}/{act}/", given(reason))

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert everything() == before


@pytest.mark.parametrize("act", ACTS)
def test_asking_for_the_confirmation_changes_nothing(act: str, space: FeatureSpace, operator: Client) -> None:
    before = everything()

    assert operator.get(f"/patterns/{pattern(space, 3).pk}/{act}/").status_code == 200
    assert everything() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_viewer_is_refused(act: str, space: FeatureSpace, sign_in: SignIn) -> None:
    client, before = sign_in("viktor"), everything()
    address = f"/patterns/{pattern(space, 3).pk}/{act}/"

    assert client.get(address).status_code == 403
    assert client.post(address, given()).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_post_from_elsewhere_is_refused(act: str, space: FeatureSpace, sign_in: SignIn) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sign_in("olga").cookies

    assert strict.post(f"/patterns/{pattern(space, 3).pk}/{act}/", given()).status_code == 403


@pytest.mark.parametrize("act", ACTS)
def test_a_pattern_that_is_gone_is_not_found(act: str, space: FeatureSpace, operator: Client) -> None:
    gone = pattern(space, 3).pk
    remove_pattern(gone, actor="bob", reason="noise")

    assert operator.get(f"/patterns/{gone}/{act}/").status_code == 404
    assert operator.post(f"/patterns/{gone}/{act}/", given()).status_code == 404
