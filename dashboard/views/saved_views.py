"""Saving a page as it is shown, and forgetting it again. Both change nothing but the person's own list."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.saved_views import forget_view, save_view
from dashboard.views.signed_in import signed_in
from featurememory.errors import ConfigurationError


@require_POST
@signed_in
def save(request: HttpRequest) -> HttpResponse:
    """`name`, `page`, `query` and perhaps `is_shared`; leads back to the page."""
    given = request.POST
    page, query = given.get("page", ""), given.get("query", "")
    try:
        row = save_view(
            request.user,
            given.get("name", ""),
            page,
            query,
            is_shared="is_shared" in given,
            now=timezone.now(),
        )
        messages.success(request, f"The view “{row.name}” is saved.")
    except ConfigurationError as wrong:
        messages.error(request, f"The view is not saved: {wrong}")
    return _back(page, query)


@require_POST
@signed_in
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    row = forget_view(request.user, pk)
    if row is not None:
        messages.success(request, f"The view “{row.name}” is forgotten.")
    return _back(request.POST.get("page", ""), request.POST.get("query", ""))


def _back(page: str, query: str) -> HttpResponse:
    """To a page of ours, wherever the form was filled in."""
    if not page.startswith("/") or not url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        return redirect("overview")
    return redirect(f"{page}?{query}" if query else page)
