"""The HTTP API, version 1."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI

from featurememory import __version__
from featurememory.api import (
    breaker_configurations,
    breaker_followers,
    breakers,
    health,
    learning,
    operations,
    optimizations,
    patterns,
    problems,
    recommendations,
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
api.add_router("/breakers", breakers.router, tags=["breakers"])
api.add_router("/breaker-configurations", breaker_configurations.router, tags=["breakers"])
api.add_router("/breaker-followers", breaker_followers.router, tags=["breakers"])
api.add_router("/patterns", patterns.router, tags=["patterns"])
api.add_router("/feature-spaces", patterns.spaces_router, tags=["patterns"])
api.add_router("/recommendations", recommendations.router, tags=["learning"])
api.add_router("/optimizations", optimizations.router, tags=["learning"])
api.add_router("/learning", learning.router, tags=["learning"])
api.add_router("", health.router, tags=["health"])
problems.register(api)
