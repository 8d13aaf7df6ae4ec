"""What a validator found, as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self, TypeGuard

from featurememory.errors import ValidationError

MAX_SUMMARY: Final = 160
"""Characters that are kept of an offending value."""
MAX_CODE: Final = 100
MAX_FINDINGS: Final = 10
"""Errors, and warnings, that are kept of one result."""
_SHOWN = 6
_STEP = re.compile(r"[^.\[\]]+")

Severity = Literal["error", "warning"]


class Finding(NamedTuple):
    """One thing that is wrong (`error`) or odd (`warning`). `message` says what would be right; `value` is the
    offending value in brief, empty where there is none."""

    code: str
    field: str
    message: str
    severity: Severity = "error"
    value: str = ""


class Subject(NamedTuple):
    """What the data belongs to, as far as it is known; thresholds depend on it."""

    operation_type: str = ""
    model: str = ""
    space: str = ""


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Valid without errors; warnings forbid nothing. `metadata`: what was checked, by which thresholds."""

    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, findings: Iterable[Finding], metadata: Mapping[str, Any]) -> Self:
        found = list(findings)
        errors = [each for each in found if each.severity == "error"]
        warnings = [each for each in found if each.severity == "warning"]
        return cls(tuple(errors[:MAX_FINDINGS]), tuple(warnings[:MAX_FINDINGS]), metadata)

    @property
    def is_valid(self) -> bool:
        return not self.errors

    @property
    def code(self) -> str:
        """What it is counted by: the first error's code; empty where it is valid."""
        return self.errors[0].code[:MAX_CODE] or "invalid" if self.errors else ""


class Judged(NamedTuple):
    """One validation: who judged what of whom, and the result."""

    validator: str
    source: str
    """The process or the API key that the data came from."""
    subject: Subject
    result: ValidationResult


def error(code: str, field: str, message: str, *value: object) -> Finding:
    """`value`: the offending one, where there is one."""
    return Finding(code, field, message, "error", summary(value[0]) if value else "")


def warning(code: str, field: str, message: str, *value: object) -> Finding:
    return Finding(code, field, message, "warning", summary(value[0]) if value else "")


def findings_of(wrong: ValidationError, data: object = None) -> list[Finding]:
    """The errors of an exception, with the values that they are about looked up in `data`."""
    return [
        Finding(each["code"], each["field"], each["message"], "error", summary_at(data, each["field"]))
        for each in wrong.errors
    ]


def summary_at(data: object, path: str) -> str:
    """In brief what lies at `path`, such as "features[3]" or "parameters.steps"; empty where nothing does."""
    value = data
    for step in _STEP.findall(path):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif _is_list(value) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif value is data and not isinstance(data, Mapping):
            continue  # the field is what the data itself is called
        else:
            return ""
    return summary(value)


def summary(value: object) -> str:
    """At most MAX_SUMMARY characters, read from no more than the beginning of the value; no U+0000, no lone
    surrogates."""
    if isinstance(value, str):
        text = f'"{value[:MAX_SUMMARY]}"'
    elif isinstance(value, bytes | bytearray):
        text = f"{len(value):,} bytes"
    elif isinstance(value, Mapping):
        names = ", ".join(str(key)[:20] for key, _ in zip(value, range(_SHOWN), strict=False))
        text = f"{len(value):,} entries: {names}" if value else "no entries"
    elif _is_list(value):
        shown = ", ".join(_scalar(each) for each in value[:_SHOWN])
        text = f"{len(value):,} values: {shown}" if len(value) else "no values"
    else:
        text = _scalar(value)
    return _shortened(text)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else f"a whole number of {value.bit_length():,} bits"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return f'"{value[:40]}"'
    return f"<{type(value).__name__}>"


def storable(text: str) -> str:
    """The text as every database and UTF-8 can hold it."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _shortened(text: str) -> str:
    text = storable(text)
    return text if len(text) <= MAX_SUMMARY else text[: MAX_SUMMARY - 1] + "…"
