"""Changing constraints and retention: the form, and what a change would come to before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict
from django.utils import timezone

from dashboard.words import spaced
from featurememory.errors import ConfigurationError
from featurememory.models import AuditEntry, ResourceSettings
from featurememory.resource_management.configuration import Limits, checked_limits
from featurememory.resource_management.constraints import ResourceConstraints
from featurememory.resource_management.monitor import current_usage
from featurememory.resource_management.plan import Step, plan
from featurememory.resource_management.retention import KINDS, Kind


class Constraint(NamedTuple):
    name: str
    title: str
    meaning: str
    unit: str = ""


GROUPS: tuple[tuple[str, tuple[Constraint, ...]], ...] = (
    (
        "Beyond these, new operations are refused",
        (
            Constraint("max_memory_mb", "Memory", "of all processes of this installation on a machine", "MB"),
            Constraint(
                "max_host_memory_percent",
                "Memory of the host",
                "or of the container, where its limit is nearer",
                "%",
            ),
            Constraint("min_free_disk_mb", "Free room on the disk", "that the database must leave", "MB"),
        ),
    ),
    (
        "Near these, cleanup makes room",
        (
            Constraint("max_database_mb", "Database", "rows and indexes", "MB"),
            Constraint("max_operations", "Operations", "kept with all they carried"),
            Constraint(
                "max_patterns", "Patterns", "of all feature spaces together; the least useful go first"
            ),
            Constraint("max_optimizations", "Optimizations", "the retired go first, then what gains least"),
        ),
    ),
    (
        "How cleanup works, and what is taken at all",
        (
            Constraint("cleanup_high", "Cleanup begins", "at this share of a limit, from 0.1 to 1"),
            Constraint("cleanup_low", "Cleanup ends", "at this share, which must lie below"),
            Constraint("protected_hours", "Protected", "what is younger stays, even beyond a limit", "h"),
            Constraint("max_pattern_size", "Size of a feature vector", "more numbers are refused"),
        ),
    ),
)
_CONSTRAINTS = {each.name: each for _, constraints in GROUPS for each in constraints}


class StoredLimits:
    """What is set by now; one query."""

    def __init__(self) -> None:
        row = ResourceSettings.objects.first()
        self.constraints: dict[str, Any] = row.constraints if row else {}
        self.retention: dict[str, dict[str, Any]] = row.retention if row else {}
        self.changed_at: datetime | None = row.changed_at if row else None

    @property
    def seen(self) -> str:
        return self.changed_at.isoformat() if self.changed_at else "never"

    def last_change(self) -> AuditEntry | None:
        """One query."""
        if self.changed_at is None:
            return None
        return AuditEntry.objects.filter(at=self.changed_at, action="resources.configure").first()


class RetentionRow(NamedTuple):
    kind: Kind
    days: forms.BoundField
    megabytes: forms.BoundField | None


class ResourceForm(forms.Form):
    """A field for each constraint, two for each kind of row; an empty one means the default."""

    def __init__(self, stored: StoredLimits, data: QueryDict | None = None) -> None:
        super().__init__(data, initial=_as_typed(stored))
        defaults = ResourceConstraints().to_mapping()
        for name, constraint in _CONSTRAINTS.items():
            self.fields[name] = _number(constraint.title, f"{defaults[name]:.10g}")
        for kind in KINDS:
            title = spaced(kind.name)
            self.fields[f"{kind.name}-days"] = _number(f"{title}, days", f"{kind.keep.days:g}")
            if kind.is_large:
                self.fields[f"{kind.name}-megabytes"] = _number(f"{title}, megabytes", "no limit")

    @property
    def groups(self) -> list[tuple[str, list[tuple[Constraint, forms.BoundField, str]]]]:
        """Each constraint with its field and its default."""
        defaults = ResourceConstraints().to_mapping()
        return [
            (title, [(each, self[each.name], f"{defaults[each.name]:,.10g}") for each in constraints])
            for title, constraints in GROUPS
        ]

    @property
    def kinds(self) -> list[RetentionRow]:
        return [
            RetentionRow(
                kind,
                self[f"{kind.name}-days"],
                self[f"{kind.name}-megabytes"] if kind.is_large else None,
            )
            for kind in KINDS
        ]

    def values(self) -> dict[str, dict[str, Any]]:
        """What a valid form sets."""
        given = {name: _plain(value) for name, value in self.cleaned_data.items() if value is not None}
        retention: dict[str, dict[str, Any]] = {}
        for name, value in given.items():
            kind, _, field = name.partition("-")
            if field:
                retention.setdefault(kind, {})[field] = value
        return {
            "constraints": {name: value for name, value in given.items() if name in _CONSTRAINTS},
            "retention": retention,
        }

    def refuse(self, wrong: ConfigurationError) -> None:
        field = str(wrong.data.get("field", "")).replace(".", "-")
        self.add_error(field if field in self.fields else None, str(wrong))


class Change(NamedTuple):
    title: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ResourceProposal:
    """What other limits come to: which change, and what the next cleanup would then remove."""

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        return sum(step.rows for step in self.steps)


def propose(stored: StoredLimits, values: dict[str, dict[str, Any]]) -> ResourceProposal:
    """ConfigurationError where the values make no sense. It changes nothing."""
    wanted = checked_limits(**values)
    before = checked_limits(stored.constraints, stored.retention)
    now = timezone.now()
    return ResourceProposal(tuple(_changes(before, wanted)), tuple(plan(current_usage(now), wanted, now)))


def _changes(before: Limits, after: Limits) -> Iterator[Change]:
    new = after.constraints.to_mapping()
    for name, old in before.constraints.to_mapping().items():
        if old != new[name]:
            constraint = _CONSTRAINTS[name]
            yield Change(
                constraint.title, name, _said(old, constraint.unit), _said(new[name], constraint.unit)
            )
    for kind, keep in before.retention:
        wanted = after.retention[kind.name]
        title = f"Keep {spaced(kind.name)}"
        if keep.days != wanted.days:
            yield Change(title, f"{kind.name}.days", _said(keep.days, "days"), _said(wanted.days, "days"))
        if keep.megabytes != wanted.megabytes:
            sizes = [_said(each.megabytes, "MB") for each in (keep, wanted)]
            yield Change(title, f"{kind.name}.megabytes", *sizes)


def _said(value: float | None, unit: str) -> str:
    return "no limit" if value is None else f"{value:,.10g} {unit}".rstrip()


def _as_typed(stored: StoredLimits) -> dict[str, Any]:
    typed = dict(stored.constraints)
    for kind, keep in stored.retention.items():
        typed |= {f"{kind}-{field}": value for field, value in keep.items()}
    return typed


def _number(label: str, otherwise: str) -> forms.FloatField:
    attributes = {"inputmode": "decimal", "autocomplete": "off", "placeholder": otherwise}
    return forms.FloatField(required=False, label=label, widget=forms.TextInput(attrs=attributes))


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value
