"""API keys, shown once and revoked for good; and the audit."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from featurememory.access import create_api_key
from featurememory.admin.confirmation import confirm
from featurememory.admin.records import RecordAdmin
from featurememory.models import ApiKey, AuditEntry

_SCOPE_WORDS = {
    "ingest": "ingest: send operations",
    "read": "read: read operations, breakers and metrics",
    "control": "control: reset, force open, disable and release breakers",
}


class NewKeyForm(forms.Form):
    """What a person says of a new key; the rest is drawn."""

    name = forms.CharField(max_length=100)
    scopes = forms.MultipleChoiceField(
        choices=[(scope, _SCOPE_WORDS[scope]) for scope in ApiKey.SCOPES],
        widget=forms.CheckboxSelectMultiple,
        initial=["ingest", "read"],
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if ApiKey.objects.filter(name=name).exists():
            raise forms.ValidationError("There is a key of this name; choose another.")
        return name


class ApiKeyAdmin(RecordAdmin):
    list_display = ("name", "prefix", "scope_list", "created_at", "last_used_at", "revoked_at")
    search_fields = ("name", "prefix")
    fields = ("name", "prefix", "scope_list", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("scope_list",)
    CREATE: ClassVar[str] = "featurememory.add_apikey"
    REVOKE: ClassVar[str] = "featurememory.change_apikey"

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.CREATE)

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
        if not form.is_valid():
            return TemplateResponse(request, "admin/featurememory/apikey/new.html", context)
        with transaction.atomic():
            row, key = create_api_key(form.cleaned_data["name"], form.cleaned_data["scopes"])
            _audit(request, "api_key.create", row, after={"scopes": row.scopes})
        shown = context | {"title": f"Key {row.name}", "row": row, "key": key}
        return TemplateResponse(request, "admin/featurememory/apikey/created.html", shown)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_revoke = request.user.has_perm(self.REVOKE)
        return super().change_view(
            request, object_id, form_url, {"may_revoke": may_revoke} | (extra_context or {})
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke)
        return [path("<int:pk>/revoke/", view, name="featurememory_apikey_revoke"), *super().get_urls()]

    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The confirmation page, and the end of the key."""

        def end(key: ApiKey, given: dict[str, Any]) -> str:
            with transaction.atomic():
                row = ApiKey.objects.select_for_update().get(pk=key.pk)
                if row.revoked_at is None:
                    row.revoked_at = timezone.now()
                    row.save(update_fields=["revoked_at"])
                    _audit(request, "api_key.revoke", row, **given)
            return f"Key {key.name} was revoked; in a few seconds no process accepts it."

        return confirm(
            self,
            request,
            pk,
            permission=self.REVOKE,
            title="Revoke",
            verb="Revoke",
            consequence="Whoever uses this key is turned away from now on, for good; a new key takes its place.",
            act=end,
        )


def _audit(request: HttpRequest, action: str, key: ApiKey, **fields: Any) -> None:
    AuditEntry.objects.create(
        at=timezone.now(), actor=request.user.get_username(), action=action, subject=key.name, **fields
    )


class AuditEntryAdmin(RecordAdmin):
    list_display = ("at", "actor", "action", "subject", "reason")
    list_filter = ("action",)
    search_fields = ("=actor", "subject")
    ordering = ("-id",)
    sortable_by = ()
