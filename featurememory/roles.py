"""Viewer, operator, administrator: three groups, and what each may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser, Group, Permission, User
from django.db.models import Q, QuerySet

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"
ROLES = (VIEWER, OPERATOR, ADMINISTRATOR)
_OURS = Q(content_type__app_label="featurememory")
_ACCOUNTS = Q(content_type__app_label="auth", content_type__model__in=("user", "group"))


def ensure_roles(**_: Any) -> None:
    """Makes the three groups, or brings their permissions up to date; runs after every migration."""
    looks = Q(codename__startswith="view_") & ~Q(codename="view_apikey")
    _grant(VIEWER, _OURS & looks)
    _grant(OPERATOR, _OURS & (looks | Q(codename__startswith="operate_")))
    _grant(ADMINISTRATOR, _OURS | _ACCOUNTS)


def role_of(user: AbstractUser) -> str:
    """The most that they may do; "" for an account without a role. A superuser is an administrator."""
    if user.is_superuser:
        return ADMINISTRATOR
    held = {group.name for group in user.groups.all()}
    return next((role for role in reversed(ROLES) if role in held), "")


def administrators() -> QuerySet[User]:
    """Active or not."""
    return User.objects.filter(Q(is_superuser=True) | Q(groups__name=ADMINISTRATOR)).distinct()


def _grant(role: str, permissions: Q) -> None:
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.set(Permission.objects.filter(permissions))
