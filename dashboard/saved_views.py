"""Pages as somebody likes to see them, by name: saving, listing, forgetting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.urls import Resolver404, resolve

from featurememory.errors import ConfigurationError
from featurememory.models import SavedView

MAY_SHARE = "featurememory.operate_views"
MOST = 100
"""Of one person."""
MAX_NAME, MAX_QUERY = 60, 2_000
User = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class ViewRow:
    id: int
    name: str
    address: str
    is_own: bool
    owner: str
    is_shared: bool


def views_of(user: User, page: str) -> list[ViewRow]:
    """A person's own of a page and those that are shared; one query."""
    found = SavedView.objects.filter(Q(owner=user.pk) | Q(is_shared=True), page=page)
    rows = found.order_by("name", "id").values_list(
        "pk", "name", "query", "owner_id", "owner__username", "is_shared"
    )
    return [
        ViewRow(pk, name, f"{page}?{query}" if query else page, owner_id == user.pk, owner, is_shared)
        for pk, name, query, owner_id, owner, is_shared in rows[: 2 * MOST]
    ]


def save_view(user: Any, name: str, page: str, query: str, *, is_shared: bool, now: datetime) -> SavedView:
    """One of the same name on the same page is replaced. ConfigurationError names the field that is wrong."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or "\0" in name:
        raise ConfigurationError(f"name must have 1 to {MAX_NAME} characters.", field="name")
    if len(query) > MAX_QUERY or "\0" in query:
        raise ConfigurationError(f"The address is longer than {MAX_QUERY} characters.", field="query")
    try:
        resolve(page)
    except Resolver404:
        raise ConfigurationError("page is none of this dashboard.", field="page") from None
    with transaction.atomic():
        own = SavedView.objects.filter(owner=user)
        if own.exclude(page=page, name=name).count() >= MOST:
            raise ConfigurationError(f"You have {MOST} views already: forget one first.", field="name")
        row, _ = SavedView.objects.update_or_create(
            owner=user,
            page=page,
            name=name,
            defaults={"query": query, "is_shared": is_shared and user.has_perm(MAY_SHARE), "created_at": now},
        )
    return row


def forget_view(user: User, id: int) -> SavedView | None:
    """A person's own, which it gives back; none where it is not theirs or gone already."""
    row = SavedView.objects.filter(pk=id, owner=user.pk).first()
    if row is not None:
        row.delete()
    return row
