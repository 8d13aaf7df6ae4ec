"""One installation teaches another: what a pack carries, and what it leaves alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from featurememory.core.storage import read_patterns
from featurememory.ingestion.transaction import Submission
from featurememory.models import (
    AuditEntry,
    FeatureSpace,
    Optimization,
    Pattern,
    PatternEvidence,
    Study,
)
from featurememory.models import Operation as Stored
from featurememory.optimization.registry import studies
from featurememory.optimization.storage import unpacked
from featurememory.optimization.upkeep import estimate_anew
from tests.optimization.test_two_processes import begin, operations, store

pytestmark = pytest.mark.django_db(transaction=True)


def learn(count: int = 300) -> None:
    begin()
    store().store([Submission(operations(count))], timezone.now().timestamp())
    study = Study.objects.get()
    estimate_anew(study.pk)


def forget_everything() -> None:
    for model in (Study, FeatureSpace, Stored, AuditEntry):
        model.objects.all().delete()
    studies.cache_clear()


def ranks() -> list[dict[str, int]]:
    state = Study.objects.get()
    pooled = unpacked(bytes(state.estimate or b"")).pooled
    arms = {arm.number: arm.parameters for arm in state.arms.all()}
    return [arms[number] for number in sorted(arms, key=lambda number: -pooled.beta[number].mean)]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    learn()
    file = tmp_path / "memory.pack.gz"
    call_command("exportmemory", str(file))
    return file


def test_another_installation_knows_what_the_first_one_learned(pack: Path) -> None:
    before, patterns = ranks(), Pattern.objects.count()
    (row,) = FeatureSpace.objects.all()
    centroids = sorted(each.centroid.tobytes() for each in read_patterns(row))
    forget_everything()
    call_command("importmemory", str(pack), reason="a second site")
    assert ranks() == before
    assert Pattern.objects.count() == patterns
    (row,) = FeatureSpace.objects.all()
    assert sorted(each.centroid.tobytes() for each in read_patterns(row)) == centroids
    assert Optimization.objects.filter(status="active").exists()
    audit = AuditEntry.objects.get(action="memory.import")
    assert (audit.actor, audit.reason) == ("manage.py", "a second site")


def test_a_pack_is_taken_in_once(pack: Path) -> None:
    forget_everything()
    call_command("importmemory", str(pack))
    known = list(Pattern.objects.order_by("pk").values_list("pk", "count"))
    with pytest.raises(CommandError, match="already"):
        call_command("importmemory", str(pack))
    assert list(Pattern.objects.order_by("pk").values_list("pk", "count")) == known


def test_what_was_seen_here_counts_more(pack: Path) -> None:
    records = dict(PatternEvidence.objects.values_list("pattern", "record"))
    patterns = Pattern.objects.count()
    call_command("importmemory", str(pack))
    assert dict(PatternEvidence.objects.values_list("pattern", "record")) == records
    assert Pattern.objects.count() == patterns, "each was like itself"


def test_a_space_that_was_calibrated_otherwise_is_left_alone_unless_it_gets_another_name(pack: Path) -> None:
    row = FeatureSpace.objects.get()
    row.calibration["tau"] = 0.123
    row.save()
    before = Pattern.objects.count()
    with pytest.raises(CommandError, match="another name"):
        call_command("importmemory", str(pack))
    assert not AuditEntry.objects.filter(action="memory.import").exists()
    with pytest.raises(CommandError, match="no feature space"):
        call_command("importmemory", str(pack), space=["nowhere=theirs"])
    call_command("importmemory", str(pack), space=["s=theirs"])
    assert Pattern.objects.filter(space__name="theirs").count() == before


def cut(lines: list[str]) -> list[str]:
    return [*lines[:1], "{"]


def of_another_version(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"version": 99}), *lines[1:]]


def without_centroids(lines: list[str]) -> list[str]:
    kept = [json.loads(line) for line in lines]
    return [json.dumps({key: each for key, each in line.items() if key != "centroid"}) for line in kept]


@pytest.mark.parametrize("spoil", [cut, of_another_version, without_centroids])
def test_a_pack_that_is_not_sound_changes_nothing(
    pack: Path, spoil: Callable[[list[str]], list[str]]
) -> None:
    with gzip.open(pack, "rt") as file:
        lines = file.read().splitlines()
    with gzip.open(pack, "wt") as file:
        file.write("\n".join(spoil(lines)))
    forget_everything()
    with pytest.raises(CommandError, match="pack"):
        call_command("importmemory", str(pack))
    assert not FeatureSpace.objects.exists()
    assert not Study.objects.exists()


def test_no_file_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("importmemory", str(tmp_path / "nothing"))


def test_progress_is_told(pack: Path, capsys: Any) -> None:
    forget_everything()
    call_command("importmemory", str(pack))
    told = capsys.readouterr().out
    assert "studies: 1 of 1" in told
    assert "patterns: " in told
