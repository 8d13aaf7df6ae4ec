"""What subscribers and API callers read of breakers: values made from the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from featurememory.circuit_breaker.storage import status_of
from featurememory.models import Breaker, BreakerConfiguration, BreakerEvent, OptimizationEvent


class BreakerView(BaseModel):
    """One breaker as the fleet shares it."""

    name: str
    operation_type: str
    model: str
    state: str = Field(description="What callers meet: the computed state, or what an operator laid over it.")
    computed_state: str
    overlay: str | None
    overlay_until: datetime | None = Field(description="When what an operator laid over it ends by itself.")
    overlay_remaining_ms: float | None
    epoch: int
    version: int
    changed_at: datetime
    retry_after_ms: float | None = Field(description="Until the next probe may go, when open.")
    consecutive_failures: int
    calls: int = Field(description="Recorded calls in the window.")
    failures: int = Field(description="Failures in the window.")
    slow_calls: int = Field(description="Calls in the window that lasted slow_call_duration_ms or longer.")
    failure_rate: float | None = Field(description="In percent; null below minimum_calls.")
    slow_call_rate: float | None = Field(description="In percent; null below minimum_calls.")
    permits_in_use: int = Field(description="Probes that are out.")
    config: dict[str, Any] = Field(description="What differs from the defaults.")


class TransitionView(BaseModel):
    """One change of a breaker's state."""

    model_config = ConfigDict(populate_by_name=True)

    sequence: int
    breaker: str
    operation_type: str
    model: str
    from_state: str = Field(serialization_alias="from")
    to_state: str = Field(serialization_alias="to")
    state: str
    computed_state: str
    cause: str
    message: str
    actor: str
    reason: str
    epoch: int
    version: int
    at: datetime
    retry_after_ms: float | None
    overlay_until: datetime | None
    overlay_remaining_ms: float | None


class ConfigurationView(BaseModel):
    """What is set for all breakers, for one operation type's, or for one; each goes over the former."""

    scope: BreakerConfiguration.Scope
    name: str = Field(description="The operation type or the breaker; empty for all.")
    values: dict[str, Any]
    sequence: int
    changed_at: datetime


class OptimizationEventView(BaseModel):
    """A parameter set was promoted or shut out, or is so no longer."""

    sequence: int
    operation_type: str
    model: str
    pattern: int | None = Field(description="0: any input; null: in every pattern.")
    parameters: dict[str, Any]
    before: str
    after: str
    cause: str
    actor: str
    reason: str
    at: datetime


def view_optimization_event(event: OptimizationEvent) -> OptimizationEventView:
    """`event`, with its study and its arm selected along."""
    return OptimizationEventView(
        sequence=event.sequence or 0,
        operation_type=event.study.operation_type,
        model=event.study.model,
        pattern=event.pattern,
        parameters=event.arm.parameters,
        before=event.before,
        after=event.after,
        cause=event.cause,
        actor=event.actor,
        reason=event.reason,
        at=event.at,
    )


def view_breaker(breaker: Breaker, now: datetime) -> BreakerView:
    status = status_of(breaker, now)
    return BreakerView(
        name=breaker.name,
        operation_type=breaker.operation_type,
        model=breaker.model,
        state=status.state,
        computed_state=breaker.computed_state,
        overlay=status.overlay,
        overlay_until=_moment(status.overlay_until),
        overlay_remaining_ms=_remaining_ms(_moment(status.overlay_until), now),
        epoch=breaker.epoch,
        version=breaker.version,
        changed_at=breaker.changed_at,
        retry_after_ms=status.retry_after_ms,
        consecutive_failures=status.consecutive_failures,
        calls=status.calls,
        failures=status.failures,
        slow_calls=status.slow_calls,
        failure_rate=status.failure_rate,
        slow_call_rate=status.slow_call_rate,
        permits_in_use=status.permits_in_use,
        config=breaker.config,
    )


def view_transition(event: BreakerEvent, now: datetime) -> TransitionView:
    """`event`, with its breaker selected along, as it is to be heard at `now`: what it says to wait has begun."""
    breaker = event.breaker
    passed_ms = (now - event.at).total_seconds() * 1_000
    wait_ms = event.retry_after_ms
    return TransitionView(
        sequence=event.sequence,
        breaker=event.name,
        operation_type=breaker.operation_type if breaker else "",
        model=breaker.model if breaker else "",
        from_state=event.from_state,
        to_state=event.to_state,
        state=event.to_state,
        computed_state=event.computed_state,
        cause=event.cause,
        message=event.message,
        actor=event.actor,
        reason=event.reason,
        epoch=event.epoch,
        version=event.sequence,
        at=event.at,
        retry_after_ms=None if wait_ms is None else max(0.0, wait_ms - passed_ms),
        overlay_until=event.overlay_until,
        overlay_remaining_ms=_remaining_ms(event.overlay_until, now),
    )


def view_configuration(row: BreakerConfiguration) -> ConfigurationView:
    return ConfigurationView(
        scope=BreakerConfiguration.Scope(row.scope),
        name=row.name,
        values=row.values,
        sequence=row.sequence,
        changed_at=row.changed_at,
    )


def _remaining_ms(end: datetime | None, now: datetime) -> float | None:
    return None if end is None else max(0.0, (end - now).total_seconds() * 1_000)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
