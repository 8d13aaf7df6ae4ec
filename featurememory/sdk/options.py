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
    "recommend_timeout_s": (0.001, 60),
    "keep_beliefs_s": (0, 600),
    "max_memory_mb": (0, 16_777_216),
    "max_host_memory_percent": (10, 100),
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
    recommend_timeout_s: float = 0.25
    keep_beliefs_s: float = 5.0
    max_memory_mb: float = 0.0
    max_host_memory_percent: float = 95.0
    validate: bool = True

    def checked(self) -> Options:
        """Itself; ConfigurationError names the option that is wrong and what would be right."""
        for name, value in self._asdict().items():
            _check(name, value, name)
        return self


def checked_api_key(api_key: str) -> str:
    """Itself; ConfigurationError where it cannot stand in a header."""
    if not api_key.isascii() or not api_key.isprintable():
        raise ConfigurationError(
            "api_key holds characters that no key has: give it as createapikey printed it.", field="api_key"
        )
    return api_key


def options_of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that `environment` sets; ConfigurationError names the variable that is wrong."""
    options: dict[str, Any] = {}
    for name, default in Options._field_defaults.items():
        variable = _PREFIX + name.upper()
        if text := environment.get(variable):
            options[name] = _parse(variable, text, default)
            _check(name, options[name], variable)
    return options


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


def _check(name: str, value: object, shown: str) -> None:
    if name not in _LIMITS:
        return
    low, high = _LIMITS[name]
    whole = isinstance(Options._field_defaults[name], int)
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not low <= value <= high:  # type: ignore[operator]
        raise _wrong(shown, value, f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}")


def _wrong(name: str, value: object, right: str) -> ConfigurationError:
    return ConfigurationError(f"{name} = {value!r} is not possible: give {right}.", field=name)
