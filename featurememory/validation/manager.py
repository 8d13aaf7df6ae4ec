"""The registry of validators: ours, and those that applications bring along."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from featurememory.errors import ValidationError
from featurememory.validation.results import Subject, ValidationResult, findings_of

logger = logging.getLogger(__name__)

GROUP: Final = "featurememory.validators"
"""The entry points by which an installed application registers validators: the name is the type, the object a
Validator."""
MAX_NAME: Final = 100

Validator = Callable[[Any, Subject], ValidationResult]
"""Judges data that belongs to a subject. A ValidationError that it raises counts as its result."""


class UnknownValidator(ValidationError):
    """Nothing is registered by this name."""

    code = "unknown_validator"

    def __init__(self, name: str, known: list[str]) -> None:
        message = f"There is no validator {name[:MAX_NAME]!r}; there are {', '.join(known)}."
        error = {"field": "validator_type", "code": self.code, "message": message}
        super().__init__(message, [error], validator_type=name, known=known)


class ValidationManager:
    """Runs validators by name; thread-safe."""

    def __init__(self) -> None:
        self._validators: dict[str, Validator] = {}
        self._lock = threading.RLock()
        self._has_looked = False

    def register(self, validator_type: str, validator: Validator) -> None:
        """ValidationError where the name cannot be one, or is taken."""
        with self._lock:
            self._take(validator_type, validator)

    @property
    def types(self) -> list[str]:
        """The names there are, in order."""
        self._look_for_applications()
        return sorted(self._validators)

    def validate(self, data: Any, validator_type: str, subject: Subject | None = None) -> ValidationResult:
        """UnknownValidator, a ValidationError, names those there are."""
        if validator_type not in self._validators:
            self._look_for_applications()
        validator = self._validators.get(validator_type)
        if validator is None:
            raise UnknownValidator(validator_type, self.types)
        try:
            result: object = validator(data, subject or Subject())
        except ValidationError as wrong:
            return ValidationResult.of(findings_of(wrong, data), {})
        if not isinstance(result, ValidationResult):
            raise TypeError(f"validator {validator_type!r} gave {type(result).__name__}, no ValidationResult")
        return result

    def _look_for_applications(self) -> None:
        """Loads what installed distributions offer, once. One that fails is left out, and the log names it."""
        with self._lock:
            if self._has_looked:
                return
            self._has_looked = True
            for offered in entry_points(group=GROUP):
                try:
                    self._take(offered.name, offered.load())
                except Exception:
                    logger.warning("validator %s cannot be used", _named(offered), exc_info=True)

    def _take(self, name: str, validator: Validator) -> None:
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
            raise _refused("name", f"give the validator a name of 1 to {MAX_NAME} printable characters")
        if name in self._validators:
            raise _refused("taken", f"there is a validator {name!r} already; choose another name")
        if not callable(validator):
            raise _refused("callable", f"{name!r} must be called with (data, subject); give a function")
        self._validators[name] = validator


def _named(offered: EntryPoint) -> str:
    distribution = offered.dist.name if offered.dist else "an unknown distribution"
    return f"{offered.name!r} ({offered.value}) of {distribution}"


def _refused(code: str, message: str) -> ValidationError:
    error = {"field": "validator_type", "code": code, "message": message}
    return ValidationError("The validator cannot be registered.", [error])
