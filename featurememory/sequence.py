"""Numbers that become visible in order: the sequence of live events, and the lock that goes with it."""

from __future__ import annotations

from featurememory.models import LiveSequence


def lock_sequence() -> LiveSequence:
    """The sequence's row, locked until the caller's transaction ends.

    Whoever holds it is alone, over all processes, in giving out numbers. The first migration makes the row; a
    flushed database gets it again.
    """
    locked = LiveSequence.objects.select_for_update()
    try:
        return locked.get(id=1)
    except LiveSequence.DoesNotExist:
        LiveSequence.objects.bulk_create([LiveSequence(id=1)], ignore_conflicts=True)
        return locked.get(id=1)


def next_sequence_numbers(count: int) -> range:
    """The next `count` numbers. They are seen by others only after the commit, and never out of order."""
    sequence = lock_sequence()
    first = sequence.last + 1
    sequence.last += count
    sequence.save(update_fields=["last"])
    return range(first, first + count)


def last_sequence_number() -> int:
    """The newest number that is committed."""
    return LiveSequence.objects.values_list("last", flat=True).filter(id=1).first() or 0
