"""Who gets in: people of every kind, keys, a lockout, and what somebody did last night."""

from __future__ import annotations

from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User

from featurememory.accounts.keys import make_key, revoke_key
from featurememory.accounts.people import add_person, deactivate
from featurememory.audit import By
from featurememory.models import ApiKey


def known_people_and_keys(now: datetime) -> None:
    """`nadia` has yet to choose a password, `otto` has left; one key is in use, one was revoked."""
    by = By("admin", "a new colleague", now - timedelta(days=40))
    add_person("nadia", "operator", by)
    left, _ = add_person("otto", "viewer", by)
    deactivate(left.pk, By("admin", "left the studio", now - timedelta(days=3)))
    make_key(
        "orchestrator-1", ["ingest", "read"], By("admin", "first orchestrator", now - timedelta(days=40))
    )
    old, _ = make_key("notebook", ["read"], By("admin", "an evaluation", now - timedelta(days=12)))
    if old is not None:
        revoke_key(old.pk, By("admin", "the notebook was shared", now - timedelta(days=2)))
    ApiKey.objects.filter(name="orchestrator-1").update(last_used_at=now - timedelta(minutes=1))
    User.objects.filter(username="nadia").update(email="nadia@example.com")
    locked_out("viktor", "192.0.2.7", now - timedelta(minutes=2))


def locked_out(username: str, address: str, at: datetime) -> None:
    """As too many wrong passwords do it."""
    made = AccessAttempt.objects.create(
        username=username,
        ip_address=address,
        user_agent="curl/8",
        failures_since_start=settings.AXES_FAILURE_LIMIT,
        get_data="",
        post_data="",
        http_accept="",
        path_info="/login/",
    )
    AccessAttempt.objects.filter(pk=made.pk).update(attempt_time=at)
