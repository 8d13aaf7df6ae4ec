"""The audit: who did what, to what, and why."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from dashboard.audit_rows import (
    LOOKED_THROUGH,
    PRESETS,
    RANGES,
    AuditFilter,
    entries_to_keep,
    known_actions,
    list_entries,
)
from dashboard.settings_index import MAY_READ_AUDIT
from dashboard.views.downloads import streamed_file
from dashboard.views.signed_in import signed_in

EXPORTED = ("id", "at", "actor", "action", "subject", "reason", "before", "after")
reads = permission_required(MAY_READ_AUDIT, raise_exception=True)


@require_safe
@signed_in
@reads
def audit(request: HttpRequest) -> HttpResponse:
    chosen = AuditFilter.read(request.GET)
    context = {
        "chosen": chosen,
        "found": list_entries(chosen, timezone.now(), request.user.has_perm),
        "actions": known_actions(),
        "ranges": [("", "All", chosen.by_range[""])]
        + [(key, words, chosen.by_range[key]) for key, (_, words) in RANGES.items()],
        "presets": [(title, urlencode(given)) for title, given in PRESETS],
        "looked_through": LOOKED_THROUGH,
        "here": reverse("settings-audit"),
    }
    return render(request, "settings/audit.html", context)


@require_safe
@signed_in
@reads
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The page's filter, the newest first, as CSV or with `?format=json`."""
    entries = entries_to_keep(AuditFilter.read(request.GET), timezone.now())
    rows = (
        (each.pk, each.at, each.actor, each.action, each.subject, each.reason, each.before, each.after)
        for each in entries
    )
    return streamed_file(request, f"audit-{timezone.now():%Y%m%dT%H%M}Z", EXPORTED, rows)
