"""What has to be there before anything is served: tables, static files, a first administrator."""

from __future__ import annotations

import logging
import os

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from featurememory.accounts.passwords import draw_password
from featurememory.configuration import ConfigurationProblem
from featurememory.models import FeatureSpace
from featurememory.roles import ADMINISTRATOR, administrators

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE = "FEATUREMEMORY_ADMIN_PASSWORD"  # noqa: S105 - a variable's name
FIRST_ADMINISTRATOR = "admin"
_INCREMENTAL = 2
"""SQLite's number for it."""


def prepare_database() -> None:
    """Brings the tables up to date; a SQLite file can give its space back later (incremental vacuum)."""
    settings.CONFIGURATION.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=0)
    if connection.vendor == "sqlite":
        _make_vacuum_incremental()


def _make_vacuum_incremental() -> None:
    """Writes the file anew, once: a new one takes milliseconds. A connection that says so from its start would write
    each time."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum")
        if cursor.fetchone() == (_INCREMENTAL,):
            return
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("VACUUM")


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
    given = os.environ.get(PASSWORD_VARIABLE) or None
    with transaction.atomic():
        if administrators().exists():
            return None
        admin, _ = User.objects.get_or_create(username=FIRST_ADMINISTRATOR)
        admin.is_staff = admin.is_superuser = admin.is_active = True
        if given:
            _check_password(given, admin)
            admin.set_password(given)
            admin.save()
        drawn = None if given else draw_password(admin, timezone.now())
        admin.groups.add(Group.objects.get(name=ADMINISTRATOR))
        return drawn


def _check_password(password: str, user: object) -> None:
    try:
        validate_password(password, user)  # type: ignore[arg-type]
    except ValidationError as weak:
        raise ConfigurationProblem(f"{PASSWORD_VARIABLE}: {' '.join(weak.messages)}") from None
