"""What is used, how much may be, and making room."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import Moment
from featurememory.integration.server_errors import CHECK
from featurememory.models import CleanupRun, ResourceSample
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.resource_management.cleanup import dry_run, request_cleanup
from featurememory.resource_management.configuration import Limits, limits, set_limits
from featurememory.resource_management.monitor import current_usage, hosts, table_figures
from featurememory.resource_management.readings import readings

router = Router()
_RESOLUTIONS = {"moment": 0, "minute": MINUTE, "hour": HOUR}


class ReadingView(Schema):
    """One resource beside its limit."""

    constraint: str
    used: float
    limit: float
    share: float = Field(description="How much of the limit is used up; 1 at the limit.")
    refuses: bool = Field(
        description="Whether new operations are refused beyond it; the others cleanup keeps."
    )
    words: str


class HostView(Schema):
    """One machine, by what its processes have last said."""

    name: str
    processes: int
    memory_mb: float
    cpu_percent: float
    host_memory_percent: float | None
    host_cpu_percent: float | None
    load: float | None
    disk_free_mb: float | None


class TableView(Schema):
    """About how much one kind of row takes."""

    kind: str
    rows: int
    bytes: int


class UsageView(Schema):
    at: datetime
    usage: dict[str, float | None]
    readings: list[ReadingView]
    hosts: list[HostView]
    tables: list[TableView]


class SampleView(Schema):
    at: datetime
    samples: int
    figures: dict[str, Any] = Field(
        description="{name: value}; of a minute or an hour {name: [mean, least, most]}."
    )


class Samples(Schema):
    items: list[SampleView]
    next_cursor: str | None


class SampleSearch(Schema):
    resolution: Literal["moment", "minute", "hour"] = Field(
        "minute", description="What one sample stands for."
    )
    since: Moment | None = None
    cursor: Moment | None = Field(None, description="The last moment of the page before.")
    limit: int = Field(100, ge=1, le=1_500)


class KeepView(Schema):
    days: float
    megabytes: float | None


class LimitsView(Schema):
    constraints: dict[str, float]
    retention: dict[str, KeepView]


class LimitsBody(Schema):
    """All that is set: what is left out goes back to its default."""

    constraints: dict[str, Any] = Field({}, description="As `GET /constraints` names them.")
    retention: dict[str, Any] = Field({}, description="{kind: {days, megabytes}}.")
    reason: Reason
    request_id: UUID | None = Field(None, description="Given again with the same id nothing is done.")


class CleanupBody(Schema):
    reason: Reason
    dry_run: bool = Field(False, description="Only say what would go.")
    request_id: UUID | None = Field(None, description="Given again with the same id nothing is done.")


class StepView(Schema):
    kind: str
    why: str
    rows: int
    bytes: int = Field(description="About what they take; 0 where there is no telling.")
    kept: int = Field(description="Rows that stay whatever happens: pinned ones.")


class CleanupRunView(Schema):
    id: int
    cause: str
    state: str
    why: list[str]
    actor: str
    reason: str
    started_at: datetime
    ended_at: datetime | None
    worked_s: float
    resumed: int
    removed: dict[str, int]
    kept: dict[str, int]
    size_before: int | None
    size_after: int | None
    freed_bytes: int | None
    error: str


class CleanupAnswer(Schema):
    """The run that was asked for, or with `dry_run` what it would do."""

    run: CleanupRunView | None = None
    would_remove: list[StepView] | None = None


class CleanupRuns(Schema):
    items: list[CleanupRunView]
    next_cursor: str | None


class Page(Schema):
    cursor: int | None = Field(None, description="The last id of the page before.", ge=0, le=2**62)
    limit: int = Field(50, ge=1, le=500)


@router.get(
    "/resources",
    auth=ScopedKey("read"),
    response={200: UsageView, **refusals(401, 403)},
    summary="What is used",
)
def get_resources(request: HttpRequest) -> UsageView:
    """Now: by resource beside its limit, by machine, and by kind of row."""
    now = timezone.now()
    usage = current_usage(now)
    return UsageView(
        at=now,
        usage=usage._asdict(),
        readings=[ReadingView(**each._asdict()) for each in readings(usage, limits().constraints)],
        hosts=[HostView(**each._asdict()) for each in hosts(now)],
        tables=[TableView(**each._asdict()) for each in table_figures()],
    )


@router.get(
    "/resources/samples", auth=ScopedKey("read"), response={200: Samples, **refusals(401, 403, 422)},
    summary="What was used",
)  # fmt: skip
def get_samples(request: HttpRequest, search: Query[SampleSearch]) -> Samples:
    """The newest first; moments are kept for a day, minutes for 14."""
    found = ResourceSample.objects.filter(resolution=_RESOLUTIONS[search.resolution])
    if search.since is not None:
        found = found.filter(at__gte=search.since)
    if search.cursor is not None:
        found = found.filter(at__lt=search.cursor)
    rows = list(found.order_by("-at")[: search.limit + 1])
    more = len(rows) > search.limit
    items = [SampleView(at=row.at, samples=row.samples, figures=row.figures) for row in rows[: search.limit]]
    return Samples(items=items, next_cursor=items[-1].at.isoformat() if more else None)


@router.get(
    "/constraints", auth=ScopedKey("read"), response={200: LimitsView, **refusals(401, 403)},
    summary="How much may be used, and how long is kept",
)  # fmt: skip
def get_constraints(request: HttpRequest) -> LimitsView:
    return _limits(limits())


@router.put(
    "/constraints", auth=ScopedKey("control"), response={200: LimitsView, **refusals(400, 401, 403, 422)},
    summary="Set how much may be used, and how long is kept",
)  # fmt: skip
def put_constraints(request: HttpRequest, body: LimitsBody) -> LimitsView:
    """Checked together; every process follows within seconds, and cleanup looks at once."""
    done = set_limits(
        body.constraints,
        body.retention,
        actor=actor_of(request),
        reason=body.reason,
        now=timezone.now(),
        request_id=body.request_id,
    )
    CHECK.ask()
    return _limits(done)


@router.post(
    "/cleanup", auth=ScopedKey("control"), summary="Make room",
    response={200: CleanupAnswer, 202: CleanupAnswer, **refusals(400, 401, 403, 422)},
)  # fmt: skip
def post_cleanup(request: HttpRequest, body: CleanupBody) -> Status[CleanupAnswer]:
    """Removes what is too old, and goes down to the low marks where less is wanted. A job does it: 202 with the run as
    it stands; where one is under way already, that one."""
    if body.dry_run:
        steps = [
            StepView(kind=each.kind, why=each.why, rows=each.rows, bytes=each.bytes, kept=each.kept)
            for each in dry_run(timezone.now())
        ]
        return Status(200, CleanupAnswer(would_remove=steps))
    run = request_cleanup(
        actor=actor_of(request), reason=body.reason, now=timezone.now(), request_id=body.request_id
    )
    CHECK.ask()
    return Status(202, CleanupAnswer(run=_run(run)))


@router.get(
    "/cleanup",
    auth=ScopedKey("read"),
    response={200: CleanupRuns, **refusals(401, 403, 422)},
    summary="Cleanups",
)
def get_cleanups(request: HttpRequest, page: Query[Page]) -> CleanupRuns:
    """The newest first."""
    found = CleanupRun.objects.order_by("-pk")
    if page.cursor is not None:
        found = found.filter(pk__lt=page.cursor)
    rows = list(found[: page.limit + 1])
    items = [_run(row) for row in rows[: page.limit]]
    return CleanupRuns(items=items, next_cursor=str(items[-1].id) if len(rows) > page.limit else None)


def _limits(known: Limits) -> LimitsView:
    return LimitsView(
        constraints=known.constraints.to_mapping(),
        retention={kind.name: KeepView(**keep._asdict()) for kind, keep in known.retention},
    )


def _run(run: CleanupRun) -> CleanupRunView:
    return CleanupRunView.model_validate(run)
