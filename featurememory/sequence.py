"""Numbers that become visible in order: the sequence of live events, and the lock that goes with it."""

from __future__ import annotations

from featurememory.models import LiveSequence


def lock_sequence() -> LiveSequence:
    """The sequence's row, locked until the caller's transaction ends.

    Whoever holds it is alone, over all processes, in giving out numbers; the row is made by the first migration.
    """
    return LiveSequence.objects.select_for_update().get(id=1)


def next_sequence_numbers(count: int) -> range:
    """The next `count` numbers. They are seen by others only after the commit, and never out of order."""
    sequence = lock_sequence()
    first = sequence.last + 1
    sequence.last += count
    sequence.save(update_fields=["last"])
    return range(first, first + count)


def last_sequence_number() -> int:
    """The newest number that is committed."""
    return LiveSequence.objects.values_list("last", flat=True).get(id=1)
