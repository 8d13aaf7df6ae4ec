"""The SDK's options, checked when they are given: by argument or from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from featurememory.errors import ConfigurationError

_LIMITS: dict[str, tuple[float, float]] = {
    "batch_size": (1, 1_000),
    "flush_interval_s": (0.001, 3_600),
    "buffer_size": (1, 10_000_000),
    "request_timeout_s": (0.01, 600),
    "exit_timeout_s": (0, 600),
    "max_breakers": (1, 1_000_000),
}
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_PREFIX = "FEATUREMEMORY_"


class Options(NamedTuple):
    """See FeatureMemory, which documents them."""

    batch_size: int = 500
    flush_interval_s: float = 1.0
    buffer_size: int = 10_000
    request_timeout_s: float = 10.0
    exit_timeout_s: float = 2.0
    follow_breakers: bool = True
    max_breakers: int = 1_000
    spool_path: str = ""

    def checked(self) -> Options:
        """Itself; ConfigurationError names the option that is wrong and what would be right."""
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            whole = isinstance(self._field_defaults[name], int)
            fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not fits or not low <= value <= high:
                raise _wrong(
                    name, value, f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}"
                )
        return self


def options_of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that `environment` sets; ConfigurationError names the variable that is wrong."""
    return {
        name: _parse(_PREFIX + name.upper(), environment[_PREFIX + name.upper()], default)
        for name, default in Options._field_defaults.items()
        if environment.get(_PREFIX + name.upper())
    }


def _parse(variable: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() not in _TRUE + _FALSE:
            raise _wrong(variable, text, "true or false")
        return text.lower() in _TRUE
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            what = "a whole number" if isinstance(default, int) else "a number"
            raise _wrong(variable, text, what) from None
    return text


def _wrong(name: str, value: object, right: str) -> ConfigurationError:
    return ConfigurationError(f"{name} = {value!r} is not possible: give {right}.", field=name)
