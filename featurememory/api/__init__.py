"""The HTTP API, version 1."""

from typing import Any

from ninja import NinjaAPI

from featurememory import __version__
from featurememory.api import (
    alert_rules,
    alertmanager,
    alerts,
    annotations,
    breaker_configurations,
    breaker_followers,
    breakers,
    health,
    jobs,
    learning,
    metrics,
    operations,
    optimizations,
    patterns,
    problems,
    recommendations,
    resources,
    silences,
    validations,
)
from featurememory.api.document import complete_document


class Api(NinjaAPI):
    """Ninja's API with the bodies that we decode ourselves written into its OpenAPI document."""

    def get_openapi_schema(self, **options: Any) -> Any:
        return complete_document(super().get_openapi_schema(**options))

    @property
    def urls(self) -> Any:
        """Ninja's addresses; whatever they refuse is refused with a problem."""
        patterns, *names = super().urls
        for pattern in patterns:
            view: Any = pattern.callback
            pattern.callback = problems.refusing_with_problems(view)
        return patterns, *names


api = Api(
    title="Feature Memory",
    version=__version__,
    description="Guards, remembers and improves the operations of a model orchestrator.",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
api.add_router("/operations", operations.router, tags=["operations"])
api.add_router("/alerts", alertmanager.router, tags=["alerts"])  # before any /{id}
api.add_router("/alerts", alerts.router, tags=["alerts"])
api.add_router("/silences", silences.router, tags=["alerts"])
api.add_router("/alert-rules", alert_rules.router, tags=["alerts"])
api.add_router("/annotations", annotations.router, tags=["annotations"])
api.add_router("/breakers", breakers.router, tags=["breakers"])
api.add_router("/breaker-configurations", breaker_configurations.router, tags=["breakers"])
api.add_router("/breaker-followers", breaker_followers.router, tags=["breakers"])
api.add_router("/patterns", patterns.router, tags=["patterns"])
api.add_router("/feature-spaces", patterns.spaces_router, tags=["patterns"])
api.add_router("/recommendations", recommendations.router, tags=["learning"])
api.add_router("/optimizations", optimizations.router, tags=["learning"])
api.add_router("/learning", learning.router, tags=["learning"])
api.add_router("", resources.router, tags=["resources"])
api.add_router("", metrics.router, tags=["health"])
api.add_router("/health", health.router, tags=["health"])
api.add_router("/jobs", jobs.router, tags=["health"])
api.add_router("/validations", validations.router, tags=["validation"])
problems.register(api)
