"""What rules may look at, by name."""

from __future__ import annotations

from featurememory.alerts import event_signals, state_signals, traffic_signals
from featurememory.alerts.lines import COUNTS, FIGURES, STATES, Signal
from featurememory.alerts.rules import Kind

_SERIES = ("operation_type", "model")
_BREAKER = ("breaker", *_SERIES)

SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for signal in (
        Signal(
            "error_rate",
            "Failed calls",
            "%",
            _SERIES,
            FIGURES | {Kind.BURN_RATE},
            "Errors and time-outs among the calls that ran to an end.",
            traffic_signals.error_rate,
        ),
        Signal(
            "rejected_rate",
            "Refused calls",
            "%",
            _SERIES,
            FIGURES,
            "Calls that a breaker or a validation refused, among all.",
            traffic_signals.rejected_rate,
        ),
        Signal(
            "operations",
            "Operations of a model",
            "operations",
            _SERIES,
            FIGURES,
            "Calls in the window, of each operation type and model.",
            traffic_signals.operations,
        ),
        Signal(
            "all_operations",
            "Operations, all together",
            "operations",
            (),
            FIGURES,
            "Calls in the window, whoever made them.",
            traffic_signals.all_operations,
        ),
        *(
            Signal(
                f"latency_p{percent}",
                f"Latency, p{percent}",
                "ms",
                _SERIES,
                FIGURES,
                f"{percent} % of the calls took no longer.",
                traffic_signals.latency(percent / 100),
                traffic_signals.latency_above(percent / 100),
            )
            for percent in (50, 95, 99)
        ),
        Signal(
            "breaker_open",
            "Open breakers",
            "",
            _BREAKER,
            STATES,
            "1 while a breaker is open or probing by itself.",
            state_signals.breaker_open,
        ),
        Signal(
            "breaker_opened",
            "Breakers that opened",
            "times",
            _BREAKER,
            COUNTS,
            "How often a breaker opened by itself.",
            event_signals.breaker_opened,
        ),
        Signal(
            "component_status",
            "Health of components",
            "",
            ("component",),
            STATES,
            "0 healthy, 1 degraded, 2 unhealthy.",
            state_signals.component_status,
        ),
        Signal(
            "component_worse",
            "Components that became unhealthy",
            "times",
            ("component",),
            COUNTS,
            "How often a component became unhealthy.",
            event_signals.component_worse,
        ),
        Signal(
            "constraint_share",
            "Use of limits",
            "%",
            ("constraint",),
            FIGURES,
            "How much of each limit is used up: memory, disk, database, operations, patterns.",
            state_signals.constraint_share,
        ),
        Signal(
            "commit_time",
            "Storage, p99",
            "ms",
            ("component",),
            FIGURES,
            "How long commits of the ingestion take, in the slowest process.",
            state_signals.commit_time,
        ),
        Signal(
            "recognition_time",
            "Recognition, p99",
            "ms",
            ("component",),
            FIGURES,
            "How long recognitions take, in the slowest process.",
            state_signals.recognition_time,
        ),
        Signal(
            "job_overdue",
            "Overdue jobs",
            "",
            ("job",),
            STATES,
            "1 for a job whose time has passed, or that hangs.",
            state_signals.job_overdue,
            has_past=False,
        ),
        Signal(
            "job_failed",
            "Failed jobs",
            "times",
            ("job",),
            COUNTS,
            "Runs of jobs that failed.",
            event_signals.job_failed,
        ),
        Signal(
            "cleanup_failed",
            "Failed cleanups",
            "times",
            (),
            COUNTS,
            "Cleanup runs that failed.",
            event_signals.cleanup_failed,
        ),
        Signal(
            "sdk_drops",
            "Operations dropped by SDKs",
            "operations",
            (),
            COUNTS,
            "What SDK processes had to drop, because their buffers were full.",
            state_signals.sdk_drops,
        ),
        Signal(
            "optimization_rolled_back",
            "Optimizations rolled back",
            "times",
            _SERIES,
            COUNTS,
            "Promoted parameter sets that regressed and were taken back.",
            event_signals.optimization_rolled_back,
        ),
        Signal(
            "optimization_quarantined",
            "Optimizations quarantined",
            "times",
            _SERIES,
            COUNTS,
            "Parameter sets that turned out to be worse than the baseline.",
            event_signals.optimization_quarantined,
        ),
        Signal(
            "validation_failures",
            "Validation failures",
            "failures",
            ("validator", "source"),
            COUNTS,
            "What validators refused, by the hour.",
            event_signals.validation_failures,
        ),
    )
}
