"""Where an Alertmanager posts to: its webhook, version 4."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field, StringConstraints, field_validator

from featurememory.alerts.receiving import Heard, receive_alerts
from featurememory.api.auth import AnyScopedKey
from featurememory.api.breakers import refusals
from featurememory.ingestion.operations import Moment

router = Router()

LabelName = Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,200}$")]
LabelValue = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]


class AlertBody(Schema):
    """One alert. What else Alertmanager says of it is not needed."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[LabelName, LabelValue] = Field(max_length=100)
    annotations: dict[LabelName, Text] = Field(default_factory=dict, max_length=100)
    startsAt: Moment  # noqa: N815 - Alertmanager's names
    endsAt: Moment | None = None  # noqa: N815
    generatorURL: Text = ""  # noqa: N815

    @field_validator("endsAt", mode="before")
    @classmethod
    def _year_one_is_none(cls, given: Any) -> Any:
        return None if isinstance(given, str) and given.startswith("0001-") else given

    def heard(self) -> Heard:
        return Heard(
            is_firing=self.status == "firing",
            labels=self.labels,
            annotations=self.annotations,
            starts_at=self.startsAt,
            ends_at=self.endsAt,
            generator_url=self.generatorURL,
        )


class WebhookBody(Schema):
    """Alertmanager's message. Keys that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: list[AlertBody] = Field(max_length=2_000)
    truncatedAlerts: int = Field(0, ge=0, le=2**31)  # noqa: N815


class ReceivedView(Schema):
    """What the message came to."""

    at: datetime
    received: int
    opened: int
    updated: int
    closed: int
    unchanged: int = Field(description="Old news: those that are over, or were never known to fire.")
    truncated_alerts: int = Field(description="How many Alertmanager left out; they are not known here.")


@router.post(
    "/alertmanager",
    auth=AnyScopedKey("ingest", "control"),
    response={200: ReceivedView, **refusals(400, 401, 403, 413, 422)},
    summary="Take an Alertmanager's alerts",
)
def post_alertmanager(request: HttpRequest, body: WebhookBody) -> ReceivedView:
    """Webhook, version 4; the same message again changes nothing more. A key with the scope `ingest` or `control`."""
    now = timezone.now()
    received = receive_alerts([each.heard() for each in body.alerts], now)
    return ReceivedView(
        at=now,
        received=len(body.alerts),
        opened=received.opened,
        updated=received.updated,
        closed=received.closed,
        unchanged=received.unchanged,
        truncated_alerts=body.truncatedAlerts,
    )
