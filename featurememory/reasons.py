"""Why somebody does something: it stands in the audit beside the name."""

from __future__ import annotations

from featurememory.errors import ValidationError

MAX_REASON = 1_000


def checked_reason(reason: str) -> str:
    """The reason without space around it; ValidationError where there is none to keep."""
    reason = reason.strip()
    if not reason:
        raise _refused(
            "A reason is needed.", "reason", "missing", "say why; it stands in the audit beside your name"
        )
    if len(reason) > MAX_REASON or "\0" in reason:
        message = f"at most {MAX_REASON} characters, none of them U+0000"
        raise _refused("The reason cannot be kept.", "reason", "too_long", message)
    return reason


def _refused(title: str, field: str, code: str, message: str) -> ValidationError:
    return ValidationError(title, [{"field": field, "code": code, "message": message}])
