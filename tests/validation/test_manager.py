"""Validators by name: ours, and those of applications."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from featurememory.errors import ValidationError
from featurememory.validation.manager import UnknownValidator, ValidationManager
from featurememory.validation.results import Subject, ValidationResult, error

MODULE = """
from featurememory.validation.results import ValidationResult, error

def check_clip(data, subject):
    if data.get("seconds", 0) > 30:
        return ValidationResult.of([error("too_long", "seconds", "give at most 30", data["seconds"])], {})
    return ValidationResult(metadata={"space": subject.space})
"""
ENTRY_POINTS = """[featurememory.validators]
clip = validators_of_a_shop:check_clip
broken = validators_of_a_shop:no_such_function
pattern = validators_of_a_shop:check_clip
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An application with validators, as it is installed."""
    information = tmp_path / "shop-1.0.dist-info"
    information.mkdir()
    (tmp_path / "validators_of_a_shop.py").write_text(MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("validators_of_a_shop", None)


def passing(data: Any, subject: Subject) -> ValidationResult:
    return ValidationResult()


def test_an_unknown_type_is_named_with_those_there_are() -> None:
    manager = ValidationManager()
    manager.register("mine", passing)
    with pytest.raises(ValidationError, match="no validator 'yours'; there are mine") as refused:
        manager.validate({}, "yours")
    assert isinstance(refused.value, UnknownValidator)
    assert refused.value.data["known"] == ["mine"]


def test_a_name_is_taken_once_and_must_be_one() -> None:
    manager = ValidationManager()
    manager.register("mine", passing)
    for name, validator in (("mine", passing), ("", passing), ("a\n", passing), ("x", None)):
        with pytest.raises(ValidationError) as refused:
            manager.register(name, validator)  # type: ignore[arg-type]
        assert refused.value.errors[0]["field"] == "validator_type"


def test_an_error_that_a_validator_raises_is_its_result() -> None:
    def raising(data: Any, subject: Subject) -> ValidationResult:
        raise ValidationError("No.", [{"field": "a.b", "code": "odd", "message": "give an even number"}])

    manager = ValidationManager()
    manager.register("raising", raising)
    found = manager.validate({"a": {"b": 3}}, "raising")
    assert found.errors == (error("odd", "a.b", "give an even number", 3),)


def test_applications_validators_are_found_where_they_are_installed(shop: None) -> None:
    manager = ValidationManager()
    assert manager.validate({"seconds": 31}, "clip").code == "too_long"
    assert manager.validate({}, "clip", Subject(space="s")).metadata == {"space": "s"}


def test_a_broken_one_is_named_in_the_log_and_left_out_and_none_takes_a_name_of_ours(
    shop: None, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ValidationManager()
    manager.register("pattern", passing)
    with caplog.at_level(logging.WARNING, "featurememory.validation.manager"):
        assert manager.types == ["clip", "pattern"]
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "validator 'broken' (validators_of_a_shop:no_such_function) of shop cannot be used",
        "validator 'pattern' (validators_of_a_shop:check_clip) of shop cannot be used",
    ]
    assert manager.validate({"seconds": 31}, "pattern").is_valid
