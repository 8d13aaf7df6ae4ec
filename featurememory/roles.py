"""Viewer, operator, administrator: three groups, and what each may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"
_OURS = Q(content_type__app_label="featurememory")
_ACCOUNTS = Q(content_type__app_label="auth", content_type__model__in=("user", "group"))


def ensure_roles(**_: Any) -> None:
    """Makes the three groups, or brings their permissions up to date; runs after every migration."""
    _grant(VIEWER, _OURS & Q(codename__startswith="view_") & ~Q(codename="view_apikey"))
    _grant(OPERATOR, _OURS & (Q(codename__startswith="view_") | Q(codename__startswith="operate_")))
    _grant(ADMINISTRATOR, _OURS | _ACCOUNTS)


def _grant(role: str, permissions: Q) -> None:
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.set(Permission.objects.filter(permissions))
