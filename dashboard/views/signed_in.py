"""Pages are for people who have signed in; a refresh that comes too late sends the whole page to the login."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode, urlsplit

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.views.decorators.cache import cache_control

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def signed_in(view: View[P]) -> View[P]:
    """As `login_required`; answers are private and asked for anew each time, so that ETags do their work."""
    guarded = cache_control(private=True, no_cache=True)(login_required(view))

    @wraps(view)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if is_refresh(request) and not request.user.is_authenticated:
            page = urlsplit(request.headers.get("HX-Current-URL", ""))
            back = urlencode({"next": f"{page.path}?{page.query}" if page.query else page.path})
            return HttpResponse(status=401, headers={"HX-Redirect": f"{resolve_url('login')}?{back}"})
        return guarded(request, *args, **kwargs)

    return cast("View[P]", answer)


def is_refresh(request: HttpRequest) -> bool:
    """Whether a page already open asks for a part of itself."""
    return request.headers.get("HX-Request") == "true"
