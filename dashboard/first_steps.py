"""What a page shows while nobody has sent an operation: how to, and whether the jobs live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from featurememory.models import ApiKey, ProcessRecord, Series
from featurememory.observability.health import SEEN_WITHIN


@dataclass(frozen=True, slots=True)
class JobSeen:
    name: str
    seen_at: datetime | None
    lives: bool


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send an operation, to copy and paste."""

    key: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class FirstSteps:
    ways: tuple[Way, ...]
    has_key: bool
    jobs: tuple[JobSeen, ...]


def any_operation_yet() -> bool:
    """One query; every stored operation belongs to a series."""
    return Series.objects.exists()


def read_first_steps(base_url: str, now: datetime) -> FirstSteps:
    """Two queries. `base_url` is where the person's browser reached us: the commands work as pasted."""
    seen = dict(ProcessRecord.objects.order_by("seen_at").values_list("role", "seen_at"))
    jobs = tuple(
        JobSeen(name, seen.get(role), role in seen and now - seen[role] <= SEEN_WITHIN)
        for role, name in (("worker", "Worker"), ("beat", "Schedule"))
    )
    return FirstSteps(_ways(base_url), ApiKey.objects.filter(revoked_at=None).exists(), jobs)


def curl_with(key: str, base_url: str) -> str:
    """The call that sends an operation, with the key in it."""
    return _CURL.replace("BASE", base_url).replace("fm_...   # the key from step 1", key)


def _ways(base_url: str) -> tuple[Way, ...]:
    return (
        Way("curl", "With curl", _CURL.replace("BASE", base_url)),
        Way("sdk", "With the Python SDK", _SDK.replace("BASE", base_url)),
        Way("otlp", "With an OpenTelemetry exporter you already have", _OTLP.replace("BASE", base_url)),
    )


_CURL = """\
export FEATUREMEMORY_API_KEY=fm_...   # the key from step 1
curl -sS BASE/api/v1/operations \\
  -H "Authorization: Bearer $FEATUREMEMORY_API_KEY" -H "Content-Type: application/json" \\
  -d '{"operations": [{"id": "'$(cat /proc/sys/kernel/random/uuid)'", "operation_type": "text_to_audio",
       "model": "audioldm", "started_at": "'$(date -u +%FT%TZ)'", "duration_ms": 840, "outcome": "success"}]}'"""
_SDK = """\
from featurememory import FeatureMemory, OperationContext

memory = FeatureMemory("BASE", api_key="fm_...")
memory.handle_operation(lambda: sum(range(1_000_000)), OperationContext("addition", model="python"))
memory.flush()"""
_OTLP = """\
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=BASE/v1/traces
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20$FEATUREMEMORY_API_KEY\""""
