"""What the calls did that a list of operations is about."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.charts import Chart
from dashboard.latency_charts import distribution
from dashboard.operation_rows import OperationFilter
from dashboard.timerange import TimeRange
from dashboard.traffic_charts import Shown, errors, latency, rate
from featurememory.models import Series
from featurememory.observability.marks import read_marks
from featurememory.observability.traffic import read_traffic

MOST_SERIES = 200


def operation_charts(chosen: OperationFilter, time_range: TimeRange, now: datetime) -> tuple[Chart, ...]:
    """Of the operation type and the model that are asked for, whatever else is; none at any time. Eight queries at
    most."""
    if chosen.is_any_time:
        return ()
    kind = chosen.kind
    series = list(Series.objects.filter(**kind).values_list("pk", flat=True)[:MOST_SERIES]) if kind else None
    address = reverse("operations")
    shown = Shown(
        read_traffic(time_range.span, series),
        now,
        read_marks(time_range.span),
        operations=f"{address}?{urlencode(kind)}" if kind else address,
    )
    return latency(shown), distribution(shown), rate(shown), errors(shown)
