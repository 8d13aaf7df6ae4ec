"""What is set for all breakers and for those of one operation type; one breaker's own is set at the breaker."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Path, Router, Schema

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import ConfigurationBody, HandedOn, refusals
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.configuration import Configured, Scope, configure
from featurememory.ingestion.operations import StorableText
from featurememory.live.events import ConfigurationView, view_configuration
from featurememory.models import BreakerConfiguration

router = Router()


class Configurations(Schema):
    """`defaults` is what holds where nothing is set."""

    defaults: dict[str, Any]
    items: list[ConfigurationView]


class ConfiguredView(ConfigurationView):
    handed_on: HandedOn


@router.get(
    "", auth=ScopedKey("read"), response={200: Configurations, **refusals(401, 403)},
    summary="How breakers are configured",
)  # fmt: skip
def list_configurations(request: HttpRequest) -> Configurations:
    """The layers: all breakers, operation types, breakers; each goes over the former."""
    rows = BreakerConfiguration.objects.order_by("scope", "name")
    defaults = BreakerConfig()
    values = defaults._asdict() | {"health_thresholds": defaults.health_thresholds._asdict()}
    return Configurations(defaults=values, items=[view_configuration(row) for row in rows])


@router.put(
    "/default", auth=ScopedKey("control"), response={200: ConfiguredView, **refusals(400, 401, 403, 422)},
    summary="Configure all breakers",
)  # fmt: skip
def configure_all(request: HttpRequest, body: ConfigurationBody) -> ConfiguredView:
    """Takes effect everywhere at once; every breaker keeps its window as far as it fits."""
    done = configure(Scope.DEFAULT, "", body.config, actor=actor_of(request), reason=body.reason)
    return _configured(done)


@router.put(
    "/operation-types/{path:operation_type}", auth=ScopedKey("control"),
    response={200: ConfiguredView, **refusals(400, 401, 403, 422)},
    summary="Configure the breakers of one operation type",
)  # fmt: skip
def configure_operation_type(
    request: HttpRequest, operation_type: Path[StorableText], body: ConfigurationBody
) -> ConfiguredView:
    """Over the settings of all breakers, below those of a single one."""
    done = configure(
        Scope.OPERATION_TYPE, operation_type, body.config, actor=actor_of(request), reason=body.reason
    )
    return _configured(done)


def _configured(done: Configured) -> ConfiguredView:
    return ConfiguredView(**view_configuration(done.row).model_dump(), handed_on=done.was_handed_on)
