"""API keys, shown once and revoked for good; and the audit."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from featurememory.access import TRUSTED_FOR_S
from featurememory.accounts.keys import MAY_MAKE, MAY_REVOKE, SCOPE_WORDS, make_key, revoke_key
from featurememory.admin.confirmation import confirm
from featurememory.admin.records import RecordAdmin
from featurememory.audit import By
from featurememory.circuit_breaker.operator_actions import ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.models import ApiKey


class NewKeyForm(ReasonForm):
    """What a person says of a new key; the rest is drawn."""

    name = forms.CharField(max_length=100)
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {words}") for scope, words in SCOPE_WORDS.items()],
        widget=forms.CheckboxSelectMultiple,
        initial=["ingest", "read"],
    )
    field_order = ("name", "scopes", "reason")


class ApiKeyAdmin(RecordAdmin):
    list_display = ("name", "prefix", "scope_list", "created_at", "last_used_at", "revoked_at")
    search_fields = ("name", "prefix")
    fields = ("name", "prefix", "scope_list", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("scope_list",)

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_MAKE)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Asks for name and scopes, then shows the key, which is kept nowhere: neither in session nor cookie."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKeyForm(request.POST or None)
        context = self.admin_site.each_context(request) | {
            "title": "Add API key",
            "opts": self.opts,
            "form": form,
        }
        row, key = None, ""
        if form.is_valid():
            try:
                given = form.cleaned_data
                row, key = make_key(given["name"], given["scopes"], _by(request, given))
            except ConfigurationError as wrong:
                form.add_error(wrong.data["field"], str(wrong))
        if row is None:
            status = 422 if form.errors else 200
            return TemplateResponse(request, "admin/featurememory/apikey/new.html", context, status=status)
        shown = context | {"title": f"Key {row.name}", "row": row, "key": key}
        return TemplateResponse(request, "admin/featurememory/apikey/created.html", shown)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_revoke = request.user.has_perm(MAY_REVOKE)
        return super().change_view(
            request, object_id, form_url, {"may_revoke": may_revoke} | (extra_context or {})
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke)
        return [path("<int:pk>/revoke/", view, name="featurememory_apikey_revoke"), *super().get_urls()]

    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The confirmation page, and the end of the key."""

        def end(key: ApiKey, given: dict[str, Any]) -> str:
            revoke_key(key.pk, _by(request, given))
            return f"Key {key.name} was revoked; in {TRUSTED_FOR_S:.0f} seconds no process accepts it."

        return confirm(
            self,
            request,
            pk,
            permission=MAY_REVOKE,
            title="Revoke",
            verb="Revoke",
            consequence="Whoever uses this key is turned away from now on, for good; a new key takes its place.",
            act=end,
        )


def _by(request: HttpRequest, given: dict[str, Any]) -> By:
    return By(request.user.get_username(), given["reason"], timezone.now(), given["request_id"])


class AuditEntryAdmin(RecordAdmin):
    list_display = ("at", "actor", "action", "subject", "reason")
    list_filter = ("action",)
    search_fields = ("=actor", "subject")
    ordering = ("-id",)
    sortable_by = ()
