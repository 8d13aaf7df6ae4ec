"""What the environment says about this installation, checked once at the start.

Every variable has one line here: how it is read, what is right, and what it is when unset. A wrong value ends
the start with a message that names the variable, what was found and what would be right.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import environ

T = TypeVar("T")


class ConfigurationProblem(Exception):
    """One or several environment variables cannot be used; the text lists each with its remedy."""


@dataclass(frozen=True, slots=True)
class Configuration:
    data_dir: Path
    host: str
    port: int
    database_url: str | None
    redis_url: str | None
    secret_key: str | None
    debug: bool
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    https: bool
    session_days: int
    session_idle_hours: int
    sub_path: str
    metrics_addresses: tuple[str, ...]
    time_zone: str
    queue_limit: int
    max_body_bytes: int
    max_operation_types: int
    max_models: int
    max_breakers: int
    max_spaces: int
    max_patterns: int
    max_studies: int
    max_age_days: int
    otlp_content: bool
    public_url: str
    private_targets: tuple[str, ...]
    heartbeat_url: str | None
    log_level: str

    @property
    def broker_dir(self) -> Path:
        return self.data_dir / "broker"

    @property
    def address(self) -> str:
        """Where people find it, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}{self.sub_path}").rstrip("/")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'featurememory.sqlite3'}"


def read_configuration(environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration that `environment` describes; ConfigurationProblem lists everything wrong at once."""
    problems: list[str] = []

    def read(name: str, parse: Callable[[str], T], default: T) -> T:
        text = environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as wrong:
            problems.append(f"{name}={text!r}: {wrong}")
            return default

    prefix = "FEATUREMEMORY_"
    configuration = Configuration(
        data_dir=read(prefix + "DATA_DIR", _directory, Path("data").absolute()),
        host=read(prefix + "HOST", str, "127.0.0.1"),
        port=read(prefix + "PORT", _whole(0, 65_535), 8000),
        database_url=read("DATABASE_URL", _database_url, None),
        redis_url=read("REDIS_URL", _redis_url, None),
        secret_key=read(prefix + "SECRET_KEY", _secret, None),
        debug=read(prefix + "DEBUG", _yes_or_no, False),
        allowed_hosts=read(prefix + "ALLOWED_HOSTS", _list, ("localhost", "127.0.0.1", "[::1]")),
        csrf_trusted_origins=read(prefix + "CSRF_TRUSTED_ORIGINS", _origins, ()),
        https=read(prefix + "HTTPS", _yes_or_no, False),
        session_days=read(prefix + "SESSION_DAYS", _whole(1, 365), 14),
        session_idle_hours=read(prefix + "SESSION_IDLE_HOURS", _whole(1, 8_760), 24),
        sub_path=read(prefix + "SUB_PATH", _sub_path, ""),
        metrics_addresses=read(prefix + "METRICS_ADDRESSES", _list, ()),
        time_zone=read(prefix + "TIME_ZONE", _time_zone, "UTC"),
        queue_limit=read(prefix + "QUEUE_LIMIT", _whole(1_000, 1_000_000), 20_000),
        max_body_bytes=read(prefix + "MAX_BODY_BYTES", _whole(10_000, 1_000_000_000), 16 * 2**20),
        max_operation_types=read(prefix + "MAX_OPERATION_TYPES", _whole(1, 10_000), 100),
        max_models=read(prefix + "MAX_MODELS", _whole(1, 10_000), 500),
        max_breakers=read(prefix + "MAX_BREAKERS", _whole(1, 100_000), 1_000),
        max_spaces=read(prefix + "MAX_SPACES", _whole(1, 1_000), 100),
        max_patterns=read(prefix + "MAX_PATTERNS", _whole(1, 1_000_000), 10_000),
        max_studies=read(prefix + "MAX_STUDIES", _whole(1, 10_000), 500),
        max_age_days=read(prefix + "MAX_AGE_DAYS", _whole(1, 3_650), 30),
        otlp_content=read(prefix + "OTLP_CONTENT", _yes_or_no, False),
        public_url=read(prefix + "PUBLIC_URL", _web_address, ""),
        private_targets=read(prefix + "PRIVATE_TARGETS", _targets, ()),
        heartbeat_url=read(prefix + "HEARTBEAT_URL", _web_address, None),
        log_level=read(prefix + "LOG_LEVEL", _level, "INFO"),
    )
    if problems:
        raise ConfigurationProblem("Wrong configuration:\n" + "\n".join(f"  {line}" for line in problems))
    return configuration


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def _yes_or_no(text: str) -> bool:
    try:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
    except KeyError:
        raise ValueError("must be 'yes' or 'no'") from None


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origins(text: str) -> tuple[str, ...]:
    origins = _list(text)
    for origin in origins:
        if urlsplit(origin).scheme not in ("http", "https"):
            raise ValueError(f"{origin!r} must begin with https:// or http://")
    return origins


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with https:// or http:// and name a host")
    return text


def _targets(text: str) -> tuple[str, ...]:
    """Host names, addresses and networks (10.0.0.0/8)."""
    targets = _list(text)
    for target in targets:
        if "/" in target:
            try:
                ip_network(target)
            except ValueError:
                raise ValueError(
                    f"{target!r} must be a host's name, an address or a network like 10.0.0.0/8"
                ) from None
    return tuple(target.lower() for target in targets)


def _directory(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("is a file; name a directory (it is made if it is not there)")
    return path


def _database_url(text: str) -> str:
    if urlsplit(text).scheme not in ("sqlite", "postgres", "postgresql"):
        raise ValueError("must look like postgres://user:password@host:5432/name or sqlite:////path/to/file")
    try:
        environ.Env.db_url_config(text)
    except Exception as wrong:
        raise ValueError(f"cannot be read as a database URL ({wrong})") from None
    return text


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise ValueError("must look like redis://host:6379/0")
    return text


def _secret(text: str) -> str:
    if len(text) < 50:
        raise ValueError(
            "must be at least 50 random characters; leave it out and one is made in the data directory"
        )
    return text


def _sub_path(text: str) -> str:
    if not text.startswith("/") or text.endswith("/"):
        raise ValueError("must begin with a slash and not end with one, like /memory")
    return text


def _time_zone(text: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(text)
    except Exception:
        raise ValueError("must be a time zone's name, like Europe/Berlin or UTC") from None
    return text


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()
