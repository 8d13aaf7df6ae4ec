"""What changed in a span, as charts are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from featurememory.errors import ConfigurationError
from featurememory.models import Annotation, Arm, AuditEntry, Breaker, BreakerEvent, OptimizationEvent, Study
from featurememory.observability.annotations import UnknownAnnotation, remove_annotation, write_annotation
from featurememory.observability.marks import Scope, read_marks
from featurememory.observability.span import Span
from tests.optimization.stored import store_study

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=10)
SPAN = Span(START, NOW, 60)
REQUEST = UUID(int=1)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def test_breakers_deploys_and_notes_stand_together_newest_first() -> None:
    breaker = Breaker.objects.create(name="tts:bark", changed_at=START, created_at=START)
    for sequence, minute in enumerate((-1, 1, 9, 10), start=1):
        BreakerEvent.objects.create(
            sequence=sequence, breaker=breaker, from_state="closed", to_state="open", computed_state="open",
            cause="max_failures", epoch=sequence, message="5 failures", at=at(minute),
        )  # fmt: skip
    write_annotation("bark 1.3", actor="ci", now=at(5), kind="deploy", operation_type="tts", model="bark")
    write_annotation("GPUs swapped", actor="olga", now=at(0), at=at(-5), until=at(2))
    write_annotation("over before", actor="olga", now=at(0), at=at(-5), until=at(0))

    marks = read_marks(SPAN)

    assert [(mark.kind, mark.at, mark.subject) for mark in marks] == [
        ("open", at(9), "tts:bark"),
        ("deploy", at(5), "tts:bark"),
        ("open", at(1), "tts:bark"),
        ("note", START, ""),
    ]
    assert [mark.kind for mark in read_marks(SPAN, Scope("tts", "other"))] == ["note"]
    assert len(read_marks(SPAN, Scope("tts", "bark"))) == 4


def test_what_was_promoted_or_taken_back_is_a_mark_and_what_is_merely_tried_is_none(now: datetime) -> None:
    store_study(now)
    study = Study.objects.get()
    arm = Arm.objects.filter(study=study).first()
    OptimizationEvent.objects.all().delete()
    for minute, (before, after, actor) in enumerate(
        [("candidate", "active", ""), ("active", "promoted", ""), ("active", "quarantined", ""),
         ("promoted", "quarantined", ""), ("active", "retired", "olga")]
    ):  # fmt: skip
        OptimizationEvent.objects.create(
            study=study,
            arm=arm,
            pattern=1_000_000_003,
            before=before,
            after=after,
            cause="proven",
            actor=actor,
            at=at(minute),
        )

    assert [(mark.kind, mark.at) for mark in read_marks(SPAN)] == [
        ("retired", at(4)),
        ("quarantined", at(3)),
        ("promoted", at(1)),
    ]
    assert {mark.text for mark in read_marks(SPAN)} == {f"parameter set {arm.number} in pattern 3"}


def test_the_same_request_writes_one_annotation_and_one_line_of_audit() -> None:

    first, again = (write_annotation("deploy", actor="ci", now=NOW, request_id=REQUEST) for _ in range(2))

    assert first.pk == again.pk
    assert Annotation.objects.count() == AuditEntry.objects.filter(action="annotation.write").count() == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"text": "  "}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"kind": "party"}, "kind"),
        ({"at": NOW + timedelta(days=400)}, "at"),
        ({"at": NOW, "until": NOW}, "until"),
    ],
)
def test_what_makes_no_sense_is_named(given: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        write_annotation(**({"text": "a note", "actor": "olga", "now": NOW} | given))  # type: ignore[arg-type]
    assert wrong.value.data["field"] == field


def test_a_removed_one_leaves_its_text_in_the_audit() -> None:
    row = write_annotation("wrong day", actor="ci", now=NOW)

    remove_annotation(row.pk, actor="olga", reason="a typo", now=NOW)

    entry = AuditEntry.objects.get(action="annotation.remove")
    assert (entry.subject, entry.reason, entry.before["by"]) == ("wrong day", "a typo", "ci")
    assert read_marks(SPAN) == ()
    with pytest.raises(UnknownAnnotation):
        remove_annotation(row.pk, actor="olga", reason="again", now=NOW)
