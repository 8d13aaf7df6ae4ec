"""Which settings hold for a breaker: those of all breakers, over them its operation type's, over them its own.

What the SDK of its callers declared lies beneath. Each breaker's row keeps what comes of it, so that nobody has to
put it together again; a change is checked against every breaker it touches before any of them is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from featurememory import bus
from featurememory.audit import was_done
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.errors import ConfigurationError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import AuditEntry, Breaker, BreakerConfiguration
from featurememory.reasons import checked_reason
from featurememory.sequence import next_sequence_numbers

Scope = BreakerConfiguration.Scope


class Layers:
    """All settings that are stored, and what they make of a breaker."""

    def __init__(self, rows: Iterable[BreakerConfiguration]) -> None:
        self._values: dict[tuple[str, str], Mapping[str, Any]] = {
            (row.scope, row.name): row.values for row in rows
        }

    @classmethod
    def stored(cls) -> Layers:
        return cls(BreakerConfiguration.objects.all())

    def set(self, scope: str, name: str, values: Mapping[str, Any]) -> None:
        self._values[scope, name] = values

    def of(self, scope: str, name: str = "") -> Mapping[str, Any]:
        """What this layer alone sets."""
        return self._values.get((scope, name), {})

    def above(self, operation_type: str, name: str) -> dict[str, Any]:
        """What the server sets for a breaker, the most particular over the others."""
        return {
            **self.of(Scope.DEFAULT),
            **self.of(Scope.OPERATION_TYPE, operation_type),
            **self.of(Scope.BREAKER, name),
        }

    def effective(self, operation_type: str, name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
        """What holds for a breaker and differs from the defaults; ConfigurationError where the server's settings do
        not go together. What was declared and does not fit them is left out."""
        above = self.above(operation_type, name)
        with suppress(ConfigurationError):
            return BreakerConfig.from_mapping({**declared, **above}).to_mapping()
        return BreakerConfig.from_mapping(above).to_mapping()


class Configured(NamedTuple):
    """What one layer sets now. Connected processes were told of it at once where `was_handed_on`."""

    row: BreakerConfiguration
    was_handed_on: bool


def configure(
    scope: str,
    name: str,
    values: Mapping[str, Any],
    *,
    actor: str,
    reason: str,
    request_id: UUID | None = None,
) -> Configured:
    """Replaces what one layer sets; with event sequence and audit row in one transaction.

    Given again with the same `request_id` it does nothing. ConfigurationError names the wrong setting and, where only
    together with another layer it is wrong, the breaker or operation type whose settings it does not go with.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        be_alone_with(Lock.BREAKERS)
        if was_done(request_id):
            return Configured(BreakerConfiguration.objects.get(scope=scope, name=name), was_handed_on=True)
        layers = Layers.stored()
        before = layers.of(scope, name)
        layers.set(scope, name, dict(values))
        check_layer(layers, scope, name)
        _apply(layers, touched_breakers(scope, name).select_for_update().order_by("name"))
        (sequence,) = next_sequence_numbers(1)
        row, _ = BreakerConfiguration.objects.update_or_create(
            scope=scope,
            name=name,
            defaults={"values": dict(values), "sequence": sequence, "changed_at": timezone.now()},
        )
        AuditEntry.objects.create(
            at=row.changed_at,
            actor=actor,
            action="breaker.configure",
            subject=name if scope == Scope.BREAKER else str(row),
            reason=reason,
            before=dict(before),
            after=dict(values),
            request_id=request_id,
        )
    return Configured(row, bus.announce(sequence))


def touched_breakers(scope: str, name: str) -> QuerySet[Breaker]:
    """The breakers that lie under a layer."""
    if scope == Scope.BREAKER:
        return Breaker.objects.filter(name=name)
    return (
        Breaker.objects.filter(operation_type=name)
        if scope == Scope.OPERATION_TYPE
        else Breaker.objects.all()
    )


def check_layer(layers: Layers, scope: str, name: str) -> None:
    """The layer with each that it has to go together with; ConfigurationError as `configure` raises it."""
    alone = _wrong_alone(layers.of(scope, name))
    touched = touched_breakers(scope, name).only("operation_type", "name")
    if alone is not None and (scope == Scope.DEFAULT or (scope == Scope.BREAKER and not touched)):
        raise alone
    if scope == Scope.DEFAULT:
        for row in BreakerConfiguration.objects.filter(scope=Scope.OPERATION_TYPE):
            _check_effective(layers, row.name, "", f"operation type {row.name!r}", alone)
    elif scope == Scope.OPERATION_TYPE:
        _check_effective(layers, name, "", "the settings of all breakers", alone)
    for breaker in touched:
        _check_effective(layers, breaker.operation_type, breaker.name, f"breaker {breaker.name!r}", alone)


def _wrong_alone(values: Mapping[str, Any]) -> ConfigurationError | None:
    try:
        BreakerConfig.from_mapping(values)
    except ConfigurationError as wrong:
        return wrong
    return None


def _check_effective(
    layers: Layers, operation_type: str, name: str, whose: str, alone: ConfigurationError | None
) -> None:
    """`alone` is what is wrong without the other layers, which may as well put it right."""
    try:
        layers.effective(operation_type, name, {})
    except ConfigurationError as wrong:
        if alone is not None and str(alone) == str(wrong):
            raise alone from None
        raise ConfigurationError(f"Together with {whose}: {wrong}", **wrong.data) from None


def _apply(layers: Layers, breakers: Iterable[Breaker]) -> None:
    for breaker in breakers:
        config = layers.effective(breaker.operation_type, breaker.name, breaker.declared)
        if config != breaker.config:
            breaker.config = config
            breaker.revision += 1
            breaker.save(update_fields=["config", "revision"])
