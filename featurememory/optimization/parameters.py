"""A parameter set as it is compared: what may be one, and when two are the same."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from math import isfinite
from typing import Any, Final

from featurememory.errors import ValidationError

MAX_KEYS: Final = 64
MAX_BYTES: Final = 4_096

Parameters = Mapping[str, Any]


def canonical(parameters: Parameters) -> str:
    """The one text of equal parameter sets: keys in order, 1.0 as 1."""
    return dumps(
        _plain(parameters), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(parameters: Parameters) -> str:
    """64 hexadecimal digits that stand for the set."""
    from hashlib import sha256  # what recommends in a caller's process does without

    return sha256(canonical(parameters).encode()).hexdigest()


def checked(parameters: object, field: str, like: Parameters | None = None) -> dict[str, Any]:
    """A parameter set as JSON has it; ValidationError names what is wrong. `like`: the baseline, whose keys it must
    have."""
    if not isinstance(parameters, Mapping):
        raise _refused(field, "object", f"an object of parameters, not {type(parameters).__name__}")
    if len(parameters) > MAX_KEYS:
        raise _refused(field, "too_many_keys", f"at most {MAX_KEYS} parameters, not {len(parameters)}")
    for key, value in parameters.items():
        if not isinstance(key, str) or not key or "\0" in key:
            raise _refused(field, "key", "names of parameters are texts, not empty and without U+0000")
        if (wrong := _wrong(value)) is not None:
            raise _refused(f"{field}.{key}", "value", wrong)
    if like is not None and parameters.keys() != like.keys():
        missing, extra = sorted(like.keys() - parameters.keys()), sorted(parameters.keys() - like.keys())
        told = [f"lacks {', '.join(missing)}"] * bool(missing) + [
            f"has {', '.join(extra)} beside them"
        ] * bool(extra)
        raise _refused(field, "keys", f"the baseline's keys; it {' and '.join(told)}")
    if len(canonical(parameters).encode()) > MAX_BYTES:
        raise _refused(field, "too_large", f"at most {MAX_BYTES} bytes as JSON")
    return dict(parameters)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _wrong(value: object, depth: int = 0) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else "a number within 64 bits"
    if isinstance(value, float):
        return None if isfinite(value) else "a finite number; NaN and infinities cannot be kept"
    if isinstance(value, str):
        return "a text without U+0000" if "\0" in value else None
    if depth < 3 and isinstance(value, list | tuple):
        return next((wrong for each in value if (wrong := _wrong(each, depth + 1))), None)
    if depth < 3 and isinstance(value, Mapping):
        return next((wrong for each in value.values() if (wrong := _wrong(each, depth + 1))), None)
    return f"a number, text, true, false, null, or a list or object of these, not {type(value).__name__}"


def _refused(field: str, code: str, message: str) -> ValidationError:
    return ValidationError(
        f"{field} cannot be taken as a parameter set.", [{"field": field, "code": code, "message": message}]
    )
