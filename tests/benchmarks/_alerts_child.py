"""Fills a database of its own with label sets, and evaluates the default rules over them; prints figures as JSON."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from time import perf_counter


def main(series: int, rounds: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    _fill(series, now)

    import psutil

    from featurememory.alerts.evaluation import evaluate_rules
    from featurememory.alerts.following import EVERY
    from featurememory.models import Alert, AlertRule

    process, times = psutil.Process(), []
    for round in range(rounds):
        began = perf_counter()
        evaluate_rules(now + round * EVERY / 20)
        times.append((perf_counter() - began) * 1_000)
        if round == 2:
            before = process.memory_info().rss
    grown = (process.memory_info().rss - before) / 2**20
    AlertRule.objects.update(is_enabled=False)
    AlertRule.objects.filter(shipped_as="error_budget").update(
        is_enabled=True, kind="threshold", condition={"threshold": 0.5, "window_s": 300}
    )
    firing = []
    for round in range(5):
        began = perf_counter()
        evaluate_rules(now + timedelta(seconds=15 + round))
        firing.append((perf_counter() - began) * 1_000)
    assert Alert.objects.filter(state="firing").count() == series
    told = {
        "first_ms": times[0],
        "steady_ms": median(times[1:]),
        "firing_ms": median(firing[1:]),
        "grown_mb": grown,
    }
    print(json.dumps(told))


def _fill(series: int, now: datetime) -> None:
    """Each with its own latencies, in the last ten minutes and in the last day's hours; 1 % fails."""
    from featurememory.models import Rollup, Series
    from featurememory.observability.histogram import Histogram
    from featurememory.observability.rollups import HOUR, MINUTE

    rows = [
        Series(operation_type=f"type-{number // 100}", model=f"model-{number}", first_seen=now)
        for number in range(series)
    ]
    Series.objects.bulk_create(rows, batch_size=500)
    random = Random(1)
    histograms = [Histogram([random.lognormvariate(5, 0.4) for _ in range(30)]).to_bytes() for _ in range(50)]
    minute = now.replace(second=0)
    starts = [(MINUTE, minute - timedelta(minutes=ago)) for ago in range(10)]
    hour = minute.replace(minute=0)
    starts += [(HOUR, hour - timedelta(hours=ago)) for ago in range(0, 25, 3)]
    for resolution, start in starts:
        Rollup.objects.bulk_create(
            [
                Rollup(
                    series=row,
                    resolution=resolution,
                    start=start,
                    success=99,
                    error=1,
                    histogram=histograms[row.pk % len(histograms)],
                )
                for row in rows
            ],
            batch_size=500,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
