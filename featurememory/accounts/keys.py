"""API keys made and revoked: audited, once however often submitted. No key ever reaches the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.core.exceptions import ValidationError as InvalidModel
from django.db import transaction

from featurememory.access import create_api_key
from featurememory.audit import By, note, was_done
from featurememory.errors import ConfigurationError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import ApiKey
from featurememory.reasons import checked_reason

MAY_SEE: Final = "featurememory.view_apikey"
MAY_MAKE: Final = "featurememory.add_apikey"
MAY_REVOKE: Final = "featurememory.change_apikey"
SCOPE_WORDS: Final = {
    "ingest": "send operations",
    "read": "read what there is",
    "control": "act: reset breakers, change settings, silence alerts",
}


def make_key(name: str, scopes: Sequence[str], by: By) -> tuple[ApiKey | None, str]:
    """The row and the key, which is shown this once; a second submit gets none. ConfigurationError names the field
    that is wrong."""
    reason = checked_reason(by.reason)
    name = name.strip()
    if not scopes or set(scopes) - set(ApiKey.SCOPES):
        raise ConfigurationError(f"scopes must be some of {', '.join(ApiKey.SCOPES)}.", field="scopes")
    with transaction.atomic():
        be_alone_with(Lock.PEOPLE)
        if was_done(by.request_id):
            return ApiKey.objects.filter(name=name).first(), ""
        if ApiKey.objects.filter(name=name).exists():
            raise ConfigurationError("There is a key of this name; choose another.", field="name")
        try:
            row, key = create_api_key(name, [each for each in ApiKey.SCOPES if each in scopes], by.now)
        except InvalidModel as wrong:
            raise ConfigurationError(f"name: {' '.join(wrong.messages)}", field="name") from None
        note(by, "api_key.create", row.name, {}, {"scopes": row.scopes, "prefix": row.prefix}, reason=reason)
    return row, key


def revoke_key(pk: int, by: By) -> ApiKey:
    """For good. One that is revoked already stays as it is; ApiKey.DoesNotExist where there is none."""
    reason = checked_reason(by.reason)
    with transaction.atomic():
        row = ApiKey.objects.select_for_update().get(pk=pk)
        if row.revoked_at is None and not was_done(by.request_id):
            row.revoked_at = by.now
            row.save(update_fields=["revoked_at"])
            after = {"revoked_at": by.now.isoformat()}
            note(by, "api_key.revoke", row.name, {"scopes": row.scopes}, after, reason=reason)
    return row
