"""People: added, given a role, let in and kept out. Audited, once however often submitted; one administrator is
always left, however many act at once."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError as InvalidModel
from django.db import transaction

from featurememory.accounts.passwords import draw_password
from featurememory.accounts.sessions import end_sessions
from featurememory.audit import By, note, was_done
from featurememory.errors import ConfigurationError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.reasons import checked_reason
from featurememory.roles import ADMINISTRATOR, ROLES, VIEWER, administrators, role_of

MAY_MANAGE: Final = "auth.change_user"
Role = Literal["viewer", "operator", "administrator"]


class LastAdministrator(ConfigurationError):
    """Somebody has to be left who can let others in."""

    code = "last_administrator"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the only administrator who can sign in: make somebody else one first.", field="role"
        )


def add_person(name: str, role: str, by: By) -> tuple[User, str]:
    """The person and the first password, which is shown this once; a second submit gets none. ConfigurationError names
    the field that is wrong."""
    reason, name = checked_reason(by.reason), name.strip()
    _check_role(role)
    with transaction.atomic():
        be_alone_with(Lock.PEOPLE)
        if was_done(by.request_id):
            return User.objects.filter(username=name).first() or User(username=name), ""
        if User.objects.filter(username__iexact=name).exists():
            raise ConfigurationError("There is somebody of this name; choose another.", field="name")
        user = User(username=name)
        try:
            user.clean_fields(exclude=["password"])
        except InvalidModel as wrong:
            raise ConfigurationError(" ".join(wrong.messages), field="name") from None
        password = draw_password(user, by.now)
        _set_role(user, role)
        note(by, "person.add", name, {}, _told(user), reason=reason)
    return user, password


def change_role(pk: int, role: str, by: By) -> User:
    """Holds from the next request on. LastAdministrator where nobody would be left."""
    _check_role(role)

    def change(user: User) -> None:
        if role != ADMINISTRATOR:
            _check_others(user)
        _set_role(user, role)

    return _changed(pk, "person.role", by, change)


def deactivate(pk: int, by: By) -> User:
    """Signed out everywhere at once, and kept out. LastAdministrator where nobody would be left."""

    def keep_out(user: User) -> None:
        _check_others(user)
        user.is_active = False
        user.save(update_fields=["is_active"])
        end_sessions(user)

    return _changed(pk, "person.deactivate", by, keep_out)


def activate(pk: int, by: By) -> User:
    """Let in again, with the password and the role of before."""

    def let_in(user: User) -> None:
        user.is_active = True
        user.save(update_fields=["is_active"])

    return _changed(pk, "person.activate", by, let_in)


def give_password(pk: int, by: By) -> tuple[User, str]:
    """A new password in place of theirs, shown this once; they are signed out everywhere. A second submit gets none."""
    drawn = ""

    def give(user: User) -> None:
        nonlocal drawn
        drawn = draw_password(user, by.now)
        end_sessions(user)

    return _changed(pk, "person.password", by, give), drawn


def _changed(pk: int, action: str, by: By, change: Any) -> User:
    """The person after `change`; User.DoesNotExist where there is none."""
    reason = checked_reason(by.reason)
    with transaction.atomic():
        be_alone_with(Lock.PEOPLE)
        user = User.objects.get(pk=pk)
        if was_done(by.request_id):
            return user
        before = _told(user)
        change(user)
        note(by, action, user.username, before, _told(user), reason=reason)
    return user


def _check_others(user: User) -> None:
    others = administrators().filter(is_active=True).exclude(pk=user.pk)
    if user.is_active and role_of(user) == ADMINISTRATOR and not others.exists():
        raise LastAdministrator(user.username)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ConfigurationError(f"role must be one of {', '.join(ROLES)}.", field="role")


def _set_role(user: User, role: str) -> None:
    """One of the three; the admin is for those who act."""
    user.is_staff = role != VIEWER
    user.is_superuser = user.is_superuser and role == ADMINISTRATOR
    user.save(update_fields=["is_staff", "is_superuser"])
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(Group.objects.get(name=role))


def _told(user: User) -> dict[str, Any]:
    return {"role": role_of(user), "is_active": user.is_active}
