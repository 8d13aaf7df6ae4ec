"""Noting at the alerts which of them are answered by others (inhibition.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from featurememory.alerts.following import ROWS_TOGETHER
from featurememory.alerts.inhibition import Sounding, muted_by
from featurememory.alerts.lifecycle import BADNESS
from featurememory.models import Alert, AlertEvent


def mute_answered(now: datetime) -> None:
    """Notes which alerts are answered by others."""
    fields = ("pk", "name", "rule__signal", "severity", "labels", "inhibited_by_id", "state")
    rows = list(Alert.objects.exclude(state=Alert.State.RESOLVED).values_list(*fields))
    sounding = [
        Sounding(pk, signal or "", BADNESS[severity], labels)
        for pk, _, signal, severity, labels, _, state in rows
        if state != Alert.State.PENDING
    ]
    muted = muted_by(sounding)
    moved = list(_changed_mutings(rows, muted))
    if not moved:
        return
    names = {pk: name for pk, name, *_ in rows}
    Alert.objects.bulk_update(
        [Alert(pk=pk, inhibited_by_id=by) for pk, by in moved], ["inhibited_by_id"], batch_size=ROWS_TOGETHER
    )
    AlertEvent.objects.bulk_create(
        AlertEvent(
            alert_id=pk,
            kind=AlertEvent.Kind.INHIBITED if by else AlertEvent.Kind.UNINHIBITED,
            at=now,
            note=f"Muted by “{names[by]}”." if by else "",
        )
        for pk, by in moved
    )


def _changed_mutings(
    rows: Sequence[tuple[object, ...]], muted: Mapping[int, int]
) -> Iterator[tuple[int, int | None]]:
    for pk, *_, before, _ in rows:
        by = muted.get(pk)  # type: ignore[call-overload]
        if by != before:
            yield pk, by  # type: ignore[misc]
