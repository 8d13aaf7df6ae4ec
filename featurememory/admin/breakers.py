"""Breakers, and an operator's hand on one: the same commands as the dashboard's and the API's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from featurememory.admin.confirmation import confirm
from featurememory.admin.records import RecordAdmin
from featurememory.circuit_breaker.operator_actions import ACTIONS, PERMISSION, Done, carry_out
from featurememory.models import Breaker


class BreakerAdmin(RecordAdmin):
    list_display = ("name", "state", "computed_state", "changed_at", "last_result_at")
    list_filter = ("state", "computed_state")
    search_fields = ("name",)
    ordering = ("name",)
    exclude = ("machine",)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = list(super().get_list_display(request))
        return [*shown, "reset_link"] if request.user.has_perm(PERMISSION) else shown

    @admin.display(description="act")
    def reset_link(self, breaker: Breaker) -> str:
        url = reverse("admin:featurememory_breaker_reset", args=[breaker.pk])
        return format_html('<a href="{}" aria-label="Reset {}">Reset…</a>', url, breaker.name)

    def view_on_site(self, breaker: Breaker) -> str:
        """Its page on the dashboard."""
        return reverse("breaker", args=[breaker.name])

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_act = request.user.has_perm(PERMISSION)
        offered = {"operator_actions": list(ACTIONS.values()) if may_act else []}
        return super().change_view(request, object_id, form_url, offered | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        """With the confirmation page of each action."""
        acts = [
            path(
                f"<int:pk>/{slug}/",
                self.admin_site.admin_view(self.act),
                {"action": slug},
                name=f"featurememory_breaker_{slug}",
            )
            for slug in ACTIONS
        ]
        return acts + super().get_urls()

    def act(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        """The confirmation page of one action, and the action."""
        chosen = ACTIONS[action]

        def command(breaker: Breaker, given: dict[str, Any]) -> Done:
            return carry_out(chosen, breaker.name, given, request.user.get_username(), timezone.now())

        return confirm(
            self,
            request,
            pk,
            permission=PERMISSION,
            title=chosen.verb,
            verb=chosen.verb,
            consequence=chosen.consequence,
            act=command,
            form_class=chosen.form,
        )


class BreakerEventAdmin(RecordAdmin):
    list_display = ("at", "breaker", "from_state", "to_state", "cause", "message", "actor", "reason")
    list_filter = ("to_state", "cause")
    list_select_related = ("breaker",)
    search_fields = ("=breaker__name", "=actor")
    ordering = ("-sequence",)
    sortable_by = ()
