"""Labels tell alerts apart; matchers choose among them, as Alertmanager's do. Plain."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import re2

from featurememory.errors import ConfigurationError

Labels = Mapping[str, str]
MAX_NAME, MAX_VALUE, MAX_MATCHERS = 100, 500, 20
_QUIET: Final = re2.Options()
_QUIET.log_errors = False
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER: Final = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


def fingerprint(source: str, name: str, labels: Labels) -> str:
    """32 hexadecimal digits that are the same for the same labels, whatever their order."""
    told = json.dumps([source, name, sorted(labels.items())], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is not there is an empty one; a pattern must fit the whole value, and
    is RE2's, as Alertmanager's are: no pattern takes long."""

    name: str
    operator: str
    """`=`, `!=`, `=~` or `!~`."""
    value: str
    _pattern: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, given: Mapping[str, Any], where: str = "matchers") -> Matcher:
        """From `{name, operator, value}`; ConfigurationError names what is wrong with it."""
        if not isinstance(given, Mapping):
            raise _wrong(where, "must be an object with name, operator and value")
        name, operator, value = given.get("name"), given.get("operator", "="), given.get("value", "")
        if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
            raise _wrong(f"{where}.name", "must be a label's name: letters, digits and _")
        if operator not in ("=", "!=", "=~", "!~"):
            raise _wrong(f"{where}.operator", "must be one of =, !=, =~ and !~")
        if not isinstance(value, str) or len(value) > MAX_VALUE or "\0" in value:
            raise _wrong(f"{where}.value", f"must be text of at most {MAX_VALUE} characters")
        if not operator.endswith("~"):
            return cls(name, operator, value)
        try:
            return cls(name, operator, value, re2.compile(value, _QUIET))
        except (re2.error, UnicodeError) as failure:
            why = failure.args[0] if failure.args else ""
            why = why.decode(errors="replace") if isinstance(why, bytes) else why
            raise _wrong(f"{where}.value", f"is no regular expression of RE2: {why}") from None

    @classmethod
    def parsed(cls, text: str, where: str = "matchers") -> Matcher:
        """From how people write it: `model=~"whisper.*"`, quotes optional."""
        found = _MATCHER.fullmatch(text)
        if found is None:
            raise _wrong(where, f"{text!r} must read like model=whisper, model!=whisper or model=~whisper.*")
        name, operator, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        return cls.of({"name": name, "operator": operator, "value": value}, where)

    def fits(self, labels: Labels) -> bool:
        value = labels.get(self.name, "")
        is_met = value == self.value if self._pattern is None else self._pattern.fullmatch(value) is not None
        return is_met != self.operator.startswith("!")

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "operator": self.operator, "value": self.value}

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{self.operator}"{quoted}"'


Matchers = tuple[Matcher, ...]


def matchers_of(given: Any, where: str = "matchers", *, least: int = 0) -> Matchers:
    """From a list of `{name, operator, value}`."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise _wrong(where, "must be a list")
    if not least <= len(given) <= MAX_MATCHERS:
        raise _wrong(where, f"must be {least} to {MAX_MATCHERS} matchers")
    return tuple(Matcher.of(each, f"{where}[{place}]") for place, each in enumerate(given))


def matchers_in(lines: str, where: str = "matchers", *, least: int = 0) -> Matchers:
    """From text with one matcher a line, as forms have it."""
    parsed = [Matcher.parsed(line, where) for line in lines.splitlines() if line.strip()]
    return matchers_of([each.as_json() for each in parsed], where, least=least)


def all_fit(matchers: Iterable[Matcher], labels: Labels) -> bool:
    return all(matcher.fits(labels) for matcher in matchers)


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {message}.", field=where)
