"""Where things are."""

from django.contrib import admin
from django.urls import include, path, re_path

from featurememory.api import api
from featurememory.api.docs import documentation, openapi_document
from featurememory.api.probes import healthz, readyz
from featurememory.api.problems import nothing_here
from featurememory.api.scrape import metrics

urlpatterns = [
    path("", include("dashboard.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/docs", documentation, name="api-docs"),
    path("api/v1/openapi.json", openapi_document, name="openapi"),
    path("api/v1/", api.urls),
    re_path(r"^api/v1/", nothing_here),  # `path` knows no line breaks
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
