"""What has to be there before anything is served: tables, static files, a first administrator."""

from __future__ import annotations

import logging
import os
import secrets

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction

from featurememory.configuration import ConfigurationProblem
from featurememory.models import FeatureSpace
from featurememory.roles import ADMINISTRATOR

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE = "FEATUREMEMORY_ADMIN_PASSWORD"  # noqa: S105 - a variable's name
FIRST_ADMINISTRATOR = "admin"


def prepare_database() -> None:
    """Brings the tables up to date; a new SQLite file can give its space back later (incremental vacuum)."""
    settings.CONFIGURATION.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    call_command("migrate", interactive=False, verbosity=0)


def collect_static_files() -> None:
    """Hashed and compressed copies of the static files, in the data directory."""
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)


def read_spaces() -> None:
    """Reads the patterns of every feature space, so that the first who ask need not wait for it; nothing where there
    is none, whose callers need no numpy."""
    try:
        names = list(FeatureSpace.objects.filter(version__gt=0).values_list("name", flat=True))
        if names:
            from featurememory.integration.spaces import spaces

            for name in names:
                spaces().prepare(name)
    except Exception as failure:  # whoever asks first reads them then
        logger.warning("the feature spaces could not be read in advance: %r", failure)
    finally:
        connection.close()


def ensure_administrator() -> str | None:
    """Makes the first administrator where there is none yet; gives its password when it had to be drawn.

    FEATUREMEMORY_ADMIN_PASSWORD is the password to begin with: it never replaces one that somebody has changed, and
    never brings back an account that somebody has removed.
    """
    users = get_user_model().objects
    given = os.environ.get(PASSWORD_VARIABLE) or None
    with transaction.atomic():
        if users.filter(is_superuser=True).exists():
            return None
        admin, _ = users.get_or_create(username=FIRST_ADMINISTRATOR)
        password = given or secrets.token_urlsafe(15)
        _check_password(password, admin)
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.set_password(password)
        admin.save()
        admin.groups.add(Group.objects.get(name=ADMINISTRATOR))
        return None if given else password


def _check_password(password: str, user: object) -> None:
    try:
        validate_password(password, user)  # type: ignore[arg-type]
    except ValidationError as weak:
        raise ConfigurationProblem(f"{PASSWORD_VARIABLE}: {' '.join(weak.messages)}") from None
