"""One operation of which everything is known, and two others of its trace."""

from __future__ import annotations

from uuid import UUID

from featurememory.models import Operation, Recommendation

TOLD = UUID(int=0x0190A6E25C1F7CC398C4DC0C0C07398F)
TRACE = "0af7651916cd43dd8448eb211c80319c"
_LYRICS = "Rain on a tin roof, a slow piano far away, brushes on a snare; nobody sings. " * 5
_MESSAGE = "The decoder gave no answer within 15 s; the last thing that it said was: "


def told_in_full() -> None:
    """The newest that failed, if one did; it keeps its place, its duration and its outcome."""
    newest = Operation.objects.order_by("-started_at")
    one = newest.filter(outcome__in=("timeout", "error")).first() or newest[0]
    recommendation = Recommendation.objects.order_by("-at").first()
    Operation.objects.filter(pk=one.pk).update(
        id=TOLD,
        error_type="TimeoutError" if one.outcome != "success" else "",
        error_message=_MESSAGE + "step 41 of 50, " * 24 if one.outcome != "success" else "",
        parameters={
            "steps": 50,
            "guidance": 3.5,
            "sampler": {"name": "ddim", "eta": 0.0, "schedule": [0.1, 0.4, 0.9]},
            "negative_prompt": "",
            "seed": None,
        },
        attributes={"prompt": _LYRICS, "user.tier": "studio", "gpu": {"index": 3, "memory_mb": 24_576}},
        trace_id=TRACE,
        span_id="b7ad6b7169203331",
        score=0.31,
        recommendation=recommendation.pk if recommendation else None,
    )
    others = Operation.objects.exclude(pk=one.pk).order_by("-started_at")[3:5]
    Operation.objects.filter(pk__in=[each.pk for each in others]).update(trace_id=TRACE)
