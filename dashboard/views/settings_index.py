"""Where everything that can be set is found."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.settings_index import read_settings
from dashboard.views.signed_in import signed_in


@require_safe
@signed_in
def settings(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/settings.html", {"groups": read_settings(cast("User", request.user))})
