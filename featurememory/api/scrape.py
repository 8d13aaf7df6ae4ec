"""What Prometheus scrapes: every family that observability/exposition.py has registered."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

import featurememory.observability.exposition  # noqa: F401  registers the memory's families
from featurememory.access import KEYS
from featurememory.api.auth import allow
from featurememory.api.problems import ProblemError, respond


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The exposition, for a key with the scope `read` or an address in FEATUREMEMORY_METRICS_ADDRESSES."""
    if request.META.get("REMOTE_ADDR") not in settings.CONFIGURATION.metrics_addresses:
        try:
            allow(KEYS.caller(request.headers.get("Authorization", "")), "read")
        except ProblemError as problem:
            return respond(problem)
    exposition: HttpResponse = ExportToDjangoView(request)
    return exposition
