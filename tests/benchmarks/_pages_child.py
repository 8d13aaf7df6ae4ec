"""Fills a database and asks for each page again and again; prints JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")

SERIES, TYPES, PATTERNS = 40, 8, 1_000
KEPT_DAYS, YEAR_DAYS = 30, 366
TIMES = 20
RANGES = ("15m", "1h", "6h", "24h", "7d", "30d", "1y")


def _durations(seed: int, calls: int) -> Any:
    from featurememory.observability.histogram import Histogram

    return Histogram(20.0 * 1.3 ** (place % 17) * (1 + seed % 7) for place in range(calls))


def fill(operations: int, now: datetime) -> None:
    """The incident's scene, and beside it forty series: a year of rollups, thirty days of operations."""
    from django.db import connection, transaction

    from featurememory.models import Rollup, RollupMark, Series
    from tests.browser.pattern_scene import learn_patterns
    from tests.browser.scenarios import SCENARIOS, people

    people()
    sampled(now)
    with transaction.atomic():
        SCENARIOS["incident"](now)
        learn_patterns(now)
        rows = Series.objects.bulk_create(
            Series(operation_type=f"type {number % TYPES}", model=f"model {number}", first_seen=now)
            for number in range(SERIES)
        )
        each_minute = max(1, round(operations / SERIES / KEPT_DAYS / 1_440))
        Rollup.objects.bulk_create(
            Rollup(
                series=row, resolution=resolution, start=datetime(1971, 1, 1, tzinfo=UTC),
                success=calls * 0.99, error=calls * 0.01, duration_sum_ms=calls * 100, duration_max_ms=900,
                histogram=_durations(row.pk, min(calls, 400)).to_bytes(),
            )
            for row in rows
            for resolution, calls in ((1, each_minute), (2, each_minute * 60), (3, each_minute * 1_440))
        )  # fmt: skip
    with connection.cursor() as cursor:
        for place, (resolution, days) in enumerate(
            ((60, KEPT_DAYS + 1), (3_600, YEAR_DAYS), (86_400, YEAR_DAYS)), 1
        ):
            end = int(now.timestamp()) // resolution * resolution
            count = days * 86_400 // resolution
            cursor.execute(
                _ROLLUPS[connection.vendor],
                {"count": count, "resolution": resolution, "end": end, "one": place},
            )
        cursor.execute("DELETE FROM featurememory_rollup WHERE resolution IN (1, 2, 3)")
        block = int(now.timestamp()) // 600
        cursor.execute(_MARKS[connection.vendor], {"count": YEAR_DAYS * 144, "block": block})
        days = [(-1 - day, day) for day in range(block // 144 - YEAR_DAYS, block // 144 + 1)]
        RollupMark.objects.bulk_create(
            [RollupMark(block=day, mark=mark) for day, mark in days], ignore_conflicts=True
        )
        first = rows[0].pk
        values = {"count": operations, "first": first, "series": SERIES, "types": TYPES, "patterns": PATTERNS}
        values |= {"end": now.timestamp(), "step": KEPT_DAYS * 86_400 / operations}
        cursor.execute(_OPERATIONS[connection.vendor], values)
        cursor.execute("ANALYZE")
    if connection.vendor == "postgresql":  # as autovacuum leaves a table that was not filled in a minute
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("CHECKPOINT")


def sampled(now: datetime) -> None:
    """A year of the hours' samples, with all figures."""
    from featurememory.models import ResourceSample
    from featurememory.resource_management.samples import FIGURES

    hour = now.replace(minute=0, second=0, microsecond=0)
    ResourceSample.objects.bulk_create(
        (
            ResourceSample(
                resolution=3_600,
                at=hour - timedelta(hours=back),
                samples=240,
                figures={name: [30.0 + back % 7, 20.0, 50.0] for name in FIGURES},
            )
            for back in range(YEAR_DAYS * 24)
        ),
        batch_size=500,
    )


_COUNTS = "success, error, timeout, cancelled, rejected, duration_sum_ms, duration_max_ms, histogram"
_ROLLUPS = {
    "sqlite": f"""
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %(count)s)
        INSERT OR IGNORE INTO featurememory_rollup (series_id, resolution, start, {_COUNTS})
        SELECT series_id, %(resolution)s, datetime(%(end)s - (n - 1) * %(resolution)s, 'unixepoch'), {_COUNTS}
        FROM number CROSS JOIN featurememory_rollup AS one WHERE one.resolution = %(one)s""",
    "postgresql": f"""
        INSERT INTO featurememory_rollup (series_id, resolution, start, {_COUNTS})
        SELECT series_id, %(resolution)s, to_timestamp(%(end)s - (n - 1) * %(resolution)s), {_COUNTS}
        FROM generate_series(1, %(count)s) AS n CROSS JOIN featurememory_rollup AS one WHERE one.resolution = %(one)s
        ON CONFLICT DO NOTHING""",
}
_MARKS = {
    "sqlite": """
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %(count)s)
        INSERT OR IGNORE INTO featurememory_rollupmark (block, mark) SELECT %(block)s - n, n FROM number""",
    "postgresql": """
        INSERT INTO featurememory_rollupmark (block, mark)
        SELECT %(block)s - n, n FROM generate_series(1, %(count)s) AS n
        ON CONFLICT DO NOTHING""",
}
_KIND = (
    "id, series_id, operation_type, model, started_at, received_at, duration_ms, outcome, error_type, error_message,"
    " parameters, attributes, space, pattern, instance, trace_id, span_id, breaker"
)
_OPERATIONS = {
    "sqlite": f"""
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %(count)s)
        INSERT INTO featurememory_operation ({_KIND})
        SELECT printf('%%032x', n), %(first)s + n %% %(series)s, 'type ' || (n %% %(series)s %% %(types)s),
            'model ' || (n %% %(series)s),
            strftime('%%Y-%%m-%%d %%H:%%M:%%f', %(end)s - (%(count)s - n) * %(step)s, 'unixepoch'),
            strftime('%%Y-%%m-%%d %%H:%%M:%%f', %(end)s - (%(count)s - n) * %(step)s, 'unixepoch'),
            20.0 * (1 + n %% 977), CASE WHEN n / %(series)s %% 100 = 0 THEN 'error' ELSE 'success' END,
            CASE WHEN n / %(series)s %% 100 = 0 THEN 'OutOfMemory' ELSE '' END, '', '{{"steps":50}}', '{{}}', 'clap-8',
            1000000001 + n %% %(patterns)s, 'gpu-' || (n %% 16),
            CASE WHEN n %% 10 = 0 THEN printf('%%032x', n / 10) ELSE '' END, '', ''
        FROM number""",
    "postgresql": f"""
        INSERT INTO featurememory_operation ({_KIND})
        SELECT lpad(to_hex(n), 32, '0')::uuid, %(first)s + n %% %(series)s, 'type ' || (n %% %(series)s %% %(types)s),
            'model ' || (n %% %(series)s), to_timestamp(%(end)s - (%(count)s - n) * %(step)s),
            to_timestamp(%(end)s - (%(count)s - n) * %(step)s), 20.0 * (1 + n %% 977),
            CASE WHEN n / %(series)s %% 100 = 0 THEN 'error' ELSE 'success' END,
            CASE WHEN n / %(series)s %% 100 = 0 THEN 'OutOfMemory' ELSE '' END, '', '{{"steps":50}}', '{{}}', 'clap-8',
            1000000001 + n %% %(patterns)s, 'gpu-' || (n %% 16),
            CASE WHEN n %% 10 = 0 THEN lpad(to_hex(n / 10), 32, '0') ELSE '' END, '', ''
        FROM generate_series(1, %(count)s) AS n""",
}


def addresses() -> dict[str, str]:
    """Those that show what grows with operations take a range; `{range}` stands for it."""
    from featurememory.models import Alert, Operation, Optimization, Pattern, Series

    series = Series.objects.order_by("-pk").values_list("pk", flat=True)
    newest = Operation.objects.order_by("-seq").values_list("id", flat=True)[0]
    pattern = Pattern.objects.order_by("pk").values_list("pk", flat=True)[0]
    optimization = Optimization.objects.order_by("pk").values_list("pk", flat=True)[0]
    return {
        "overview": "/?range={range}",
        "overview, compared": "/?range={range}&compare=week",
        "overview, status": "/overview/status/",
        "overview, signals": "/overview/signals/?range={range}",
        "alerts": "/alerts/",
        "alert": f"/alerts/{Alert.objects.order_by('pk').values_list('pk', flat=True)[0]}/",
        "alerts that are over": "/alerts/history/",
        "operations": "/operations/?range={range}",
        "operations of a model": "/operations/?operation_type=type 7&model=model 39&range={range}",
        "operations that failed": "/operations/?outcome=failed&range={range}",
        "the slowest operations": "/operations/?order=slowest&range={range}",
        "operation": f"/operations/{newest}/",
        "models": "/models/?range={range}",
        "model": f"/models/{series[0]}/?range={{range}}",
        "two models": f"/models/compare/?one={series[0]}&other={series[1]}&range={{range}}",
        "breakers": "/breakers/",
        "breaker": "/breakers/text_to_audio:audioldm2/",
        "patterns": "/patterns/",
        "pattern": f"/patterns/{pattern}/",
        "optimizations": "/optimizations/",
        "optimization": f"/optimizations/{optimization}/",
        "validation": "/validation/?range={range}",
        "resources": "/resources/?range={range}",
        "health": "/health/",
        "jobs": "/jobs/",
        "annotations": "/annotations/",
        "audit": "/settings/audit/",
        "settings": "/settings/",
    }


def measure(client: Any, page: str, address: str) -> Iterator[dict[str, Any]]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for span in RANGES if "{range}" in address else ("",):
        asked = address.replace("{range}", span)
        began = time.perf_counter()
        answer = client.get(asked)
        first = time.perf_counter() - began
        if answer.status_code != 200:
            raise SystemExit(f"{asked} answers {answer.status_code}")
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            client.get(asked)
            took.append(time.perf_counter() - began)
        with CaptureQueriesContext(connection) as queries:
            client.get(asked)
        took.sort()
        yield {
            "page": page,
            "range": span or "now",
            "first_ms": first * 1_000,
            "p50_ms": took[TIMES // 2] * 1_000,
            "p95_ms": took[round(TIMES * 0.95) - 1] * 1_000,
            "queries": len(queries),
        }


def _said(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def main(operations: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    from featurememory.serving.processes import GARBAGE_THRESHOLDS

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    setup_test_environment(debug=False)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    now = datetime.now(UTC) - timedelta(seconds=1)
    fill(operations, now)
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    told = []
    for page, address in addresses().items():
        found = list(measure(client, page, address))
        for each in found:
            print(" ".join(f"{name} {_said(value)}" for name, value in each.items()), file=sys.stderr)
        told.append(max(found, key=lambda each: each["p95_ms"]))
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]))
