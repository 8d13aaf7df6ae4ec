"""What each kind of channel has to be told, what of it is secret, and whether it is right. Plain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from featurememory.errors import ConfigurationError

KEPT: Final = "set"
"""Shown in place of a secret."""
LEAST_SECRET = 16
_ADDRESS: Final = re.compile(r"[^@\s<>,;\x00-\x1f]+@[^@\s<>,;\x00-\x1f]+")
Values = Mapping[str, Any]


class Setting(NamedTuple):
    name: str
    title: str
    help: str = ""
    is_secret: bool = False
    is_needed: bool = True
    default: Any = ""
    choices: tuple[str, ...] = ()


SETTINGS: Final[Mapping[str, tuple[Setting, ...]]] = {
    "email": (
        Setting("host", "Mail server"),
        Setting("port", "Port", default=587),
        Setting("security", "Encryption", default="starttls", choices=("starttls", "tls", "none")),
        Setting("user", "User", "Empty: without signing in.", is_needed=False),
        Setting("password", "Password", is_secret=True, is_needed=False),
        Setting("sender", "From", "An address: memory@example.com."),
        Setting("recipients", "To", "Addresses, separated by commas."),
    ),
    "webhook": (
        Setting("url", "Address", "Gets a POST in the shape of Alertmanager’s webhook, version 4."),
        Setting(
            "secret",
            "Secret",
            f"Signs what is sent; at least {LEAST_SECRET} characters, known to the receiver too.",
            is_secret=True,
        ),
    ),
    "slack": (
        Setting(
            "url", "Incoming webhook", "Its address is a secret: who knows it can write.", is_secret=True
        ),
    ),
    "alertmanager": (
        Setting("url", "Address", "Without a path of the API: http://alertmanager.example.com:9093."),
    ),
}


def secrets_of(kind: str) -> frozenset[str]:
    return frozenset(each.name for each in SETTINGS[kind] if each.is_secret)


def shown(kind: str, settings: Values) -> dict[str, Any]:
    """The settings as people, logs and the audit may see them."""
    hidden = secrets_of(kind)
    return {name: (KEPT if value else "") if name in hidden else value for name, value in settings.items()}


def audited(kind: str, settings: Values) -> dict[str, Any]:
    """What of them stands in the audit, which more people read: of an address no more than where it leads."""
    told = shown(kind, settings)
    url = told.get("url", "")
    if url not in ("", KEPT):
        parts = urlsplit(str(url))
        told["url"] = f"{parts.scheme}://{parts.netloc}/…" if parts.path.strip("/") or parts.query else url
    return told


def without_secrets(text: str, kind: str, settings: Values) -> str:
    """What a receiver answered, or a failure said, without anything secret that it repeats."""
    for name in secrets_of(kind):
        if secret := str(settings.get(name) or ""):
            text = text.replace(secret, "***")
            path = urlsplit(secret).path if name == "url" else ""
            text = text.replace(path, "***") if len(path) > 1 else text
    return text


def checked_settings(kind: str, given: Values, kept: Values | None = None) -> dict[str, Any]:
    """As they are stored; a secret left empty is the one that is `kept`. ConfigurationError names field and fix."""
    if kind not in SETTINGS:
        raise _wrong("kind", f"must be one of {', '.join(SETTINGS)}")
    known = {each.name for each in SETTINGS[kind]}
    if unknown := given.keys() - known:
        raise _wrong(
            min(map(str, unknown)), f"is nothing that {kind} knows; it has {', '.join(sorted(known))}"
        )
    settings = {each.name: _value(each, given, kept or {}) for each in SETTINGS[kind]}
    if "url" in settings:
        web_address(settings["url"])
    if kind == "email":
        _check_mail(settings)
    if kind == "webhook" and len(settings["secret"]) < LEAST_SECRET:
        raise _wrong("secret", f"must have at least {LEAST_SECRET} characters")
    return settings


def web_address(url: str, field: str = "url") -> SplitResult:
    """Its parts; ConfigurationError unless it can be posted to."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _wrong(field, "is no web address") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or set(url) & set(" \\")
    ):
        raise _wrong(field, "must be a web address that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise _wrong(field, "must not hold a user or a password: they would be shown")
    return parts


def host_and_port(kind: str, settings: Values) -> tuple[str, int]:
    """Where a connection is made to."""
    if kind == "email":
        return str(settings["host"]), int(settings["port"])
    parts = web_address(str(settings["url"]))
    return str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)


def _value(setting: Setting, given: Values, kept: Values) -> Any:
    value = given.get(setting.name)
    if value in (None, "", []) or (setting.is_secret and value == KEPT):
        value = kept.get(setting.name) if setting.is_secret else None
    if value in (None, "", []):
        value = setting.default
    if setting.name == "port":
        return _port(value)
    if setting.name == "recipients":
        return _recipients(value)
    if not isinstance(value, str) or len(value) > 2_000 or any(ord(each) < 32 for each in value):
        raise _wrong(setting.name, "must be text of one line, of at most 2,000 characters")
    value = value.strip()
    if setting.is_needed and not value:
        raise _wrong(setting.name, "is needed")
    if setting.choices and value not in setting.choices:
        raise _wrong(setting.name, f"must be one of {', '.join(setting.choices)}")
    return value


def _port(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise _wrong("port", "must be a whole number from 1 to 65535")
    return int(text)


def _recipients(value: object) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise _wrong("recipients", "must be addresses, separated by commas")
    addresses = [str(each).strip() for each in parts if str(each).strip()]
    if not 1 <= len(addresses) <= 50:
        raise _wrong("recipients", "must be 1 to 50 addresses, separated by commas")
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            raise _wrong("recipients", f"has {address!r}, which is no address")
    return addresses


def _check_mail(settings: Values) -> None:
    if not _ADDRESS.fullmatch(settings["sender"]):
        raise _wrong("sender", "must be an address like memory@example.com")
    if settings["user"] and not settings["password"]:
        raise _wrong("password", "is needed with a user")
    if settings["user"] and settings["security"] == "none":
        raise _wrong("security", "must be starttls or tls with a user: a password is not sent in the clear")


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {message}.", field=where)
