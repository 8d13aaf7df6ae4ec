"""From a finished operation to the JSON text that is sent. Nothing a caller puts in makes it fail."""

from __future__ import annotations

import re
from json import JSONEncoder, loads
from math import isfinite
from time import gmtime
from typing import Any, Literal, NamedTuple

from featurememory.circuit_breaker.events import Kind
from featurememory.sdk.context import OperationContext
from featurememory.sdk.host_log import warn
from featurememory.sdk.identity import uuid7

Outcome = Literal["success", "error", "timeout", "cancelled", "rejected"]

MAX_NAME = 200
MAX_MESSAGE = 2_000
MAX_OBJECT_BYTES = 16_384
MAX_DIMENSIONS = 16_384
_SURELY_FITS = 512
"""Of this least size an object stays below MAX_OBJECT_BYTES, unless texts of strange objects are very long."""
_FLOAT32_MAX = 3.4028234663852886e38
_MAX_DURATION_MS = 7 * 24 * 3_600_000.0
_MAX_DEPTH = 20
_LONG_NUMBER = re.compile(r"\d{19}")  # perhaps beyond 64 bits, which the server's JSON does not keep

_strict = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str).encode
_CONTROL = dict.fromkeys([*range(0x20), 0x7F])


class Finished(NamedTuple):
    """One operation that is over, as it waits to be sent. `randomness` makes its id together with the
    start."""

    started_ns: int
    randomness: int
    duration_s: float
    outcome: Outcome
    context: OperationContext
    error: tuple[str, str] | None = None
    parameters: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None
    score: float | None = None
    permit: str | int | None = None
    """A probe's permit, or the epoch of the fleet's breaker that the call began in."""
    breaker_result: Kind | None = None
    """What it means to its breaker, where that is not what the outcome says."""
    recommendation: str = ""
    choice: dict[str, Any] | None = None
    """How the recommendation came to, where this process made it."""

    @property
    def id(self) -> str:
        return uuid7(self.started_ns, self.randomness)


def encode(finished: Finished, instance: str) -> str:
    """The operation as the JSON object that `POST /operations` takes; what is empty is left out."""
    fields = _plain_fields(finished, instance)
    for name, value in (
        ("parameters", finished.parameters or finished.context.parameters),
        ("attributes", finished.attributes or finished.context.attributes),
    ):
        if value:
            fields[name] = _RawJson(_encode_object(value))
    parts = [
        f'"{name}":{value if type(value) is _RawJson else _strict(value)}' for name, value in fields.items()
    ]
    return "{" + ",".join(parts) + "}"


class _RawJson(str):
    __slots__ = ()


def _plain_fields(finished: Finished, instance: str) -> dict[str, Any]:
    context = finished.context
    fields: dict[str, Any] = {
        "id": finished.id,
        "operation_type": _name(context.operation_type) or "unknown",
        "started_at": timestamp(finished.started_ns),
        "duration_ms": min(max(finished.duration_s * 1_000, 0.0), _MAX_DURATION_MS),
        "outcome": finished.outcome,
        "instance": instance,
    }
    if finished.error is not None:
        fields["error_type"] = _name(finished.error[0])
        fields["error_message"] = finished.error[1].replace("\0", "")[:MAX_MESSAGE]
    for name in ("model", "space", "breaker"):
        if value := _name(getattr(context, name)):
            fields[name] = value
    for name, length in (("trace_id", 32), ("span_id", 16)):
        if value := _hexadecimal(getattr(context, name), length):
            fields[name] = value
    if finished.score is not None:
        fields["score"] = finished.score
    if finished.permit is not None:
        fields["permit"] = str(finished.permit)
    if finished.breaker_result is not None:
        fields["breaker_result"] = finished.breaker_result
    if finished.recommendation:
        fields["recommendation"] = finished.recommendation
    if finished.choice is not None:
        fields["choice"] = finished.choice
    if context.features:
        features = features_of(context.features)
        if features:
            fields["features"] = features
    return fields


def _name(value: object) -> str:
    text = value if isinstance(value, str) else text_of(value)
    if not text.isprintable():
        text = text.translate(_CONTROL)
    return text.strip()[:MAX_NAME].strip()


def _hexadecimal(value: object, length: int) -> str:
    text = value.lower() if isinstance(value, str) else ""
    return text if len(text) == length and not text.strip("0123456789abcdef") else ""


def features_of(values: tuple[Any, ...]) -> list[float] | None:
    """The vector, or None where the server could not keep it: the operation is worth more than it."""
    try:
        numbers = [float(value) for value in values[: MAX_DIMENSIONS + 1]]
    except Exception:
        numbers = []
    if 0 < len(numbers) <= MAX_DIMENSIONS and all(abs(number) <= _FLOAT32_MAX for number in numbers):
        return numbers
    warn("features", "features are left away: give finite numbers, at most 16,384 of them")
    return None


def timestamp(unix_ns: int) -> str:
    """RFC 3339, in UTC, to the microsecond."""
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    year, month, day, hour, minute, second, *_ = gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest // 1_000:06}Z"


def _encode_object(value: dict[str, Any]) -> str:
    """Its JSON; an _Omission where it cannot be sent."""
    try:
        size = _least_size(value)
        text = "" if size > MAX_OBJECT_BYTES else _json_object(value)
    except Exception as error:  # changed by another thread meanwhile, or whatever its parts may do
        return _Omission(_strict({"omitted": f"not to be read: {type(error).__name__}"}))
    size = max(size, len(text.encode("utf-8", "replace")))
    if size > MAX_OBJECT_BYTES:
        about = "" if text else "at least "
        return _Omission(
            _strict(
                {"omitted": f"{about}{size} bytes as JSON, more than the {MAX_OBJECT_BYTES} that are kept"}
            )
        )
    return text


class _Omission(str):
    """The JSON that is sent instead of an object, and says why."""

    __slots__ = ()


def why_omitted(value: dict[str, Any]) -> str:
    """Why an object cannot be sent; empty where it can. A small one is not encoded to find out."""
    try:
        if _least_size(value) <= _SURELY_FITS:
            return ""
    except Exception:  # noqa: S110 - the encoding will say it
        pass
    text = _encode_object(value)
    return str(loads(text)["omitted"]) if isinstance(text, _Omission) else ""


def _least_size(value: object) -> int:
    """How many bytes it takes as JSON at least. Once they are too many it looks no further: to encode samples
    or a file that somebody passed as a parameter would hold up all threads of the host for seconds."""
    size, rest = 0, [value]
    while rest and size <= MAX_OBJECT_BYTES:
        each = rest.pop()
        size += 1
        if isinstance(each, str | bytes | bytearray | dict | list | tuple | set | frozenset):
            size += len(each)
            if size > MAX_OBJECT_BYTES or isinstance(each, str | bytes | bytearray):
                continue
            rest.extend(each.values() if isinstance(each, dict) else each)
    return size


def _json_object(value: dict[str, Any]) -> str:
    try:
        text = _strict(value)
    except Exception:  # keys that are no strings, NaN, circles, a __str__ that fails
        text = _strict(_as_json(value, _MAX_DEPTH))
    if "\\u0000" in text or _LONG_NUMBER.search(text):
        text = _strict(_as_json(value, _MAX_DEPTH))
    return text


def _as_json(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if depth and isinstance(value, dict):
        return {text_of(key): _as_json(each, depth - 1) for key, each in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_as_json(each, depth - 1) for each in value]
    return text_of(value)


def text_of(value: object) -> str:
    """Its text, or its type where it has none."""
    try:
        return str(value).replace("\0", "")
    except Exception:
        return f"<{type(value).__name__}>"
