"""What is done without anybody waiting for it, and how often. Each job may run again or late without harm."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from featurememory.accounts.lockouts import forget_old_attempts
from featurememory.accounts.sessions import forget_old_sessions
from featurememory.alerts import notification
from featurememory.alerts.evaluation import evaluate_rules
from featurememory.alerts.following import EVERY as EVALUATE_EVERY
from featurememory.circuit_breaker.reports import settle_due_breakers
from featurememory.models import FeatureSpace, ProcessRecord, Study
from featurememory.observability.health_snapshot import take_snapshot
from featurememory.observability.senders import forget_senders
from featurememory.optimization import upkeep
from featurememory.resource_management import cleanup, monitor
from featurememory.scheduling.runs import forget_old_runs
from featurememory.scheduling.schedule import job

SNAPSHOT_EVERY = timedelta(seconds=15)
KEEP_PROCESSES = timedelta(hours=1)
KEEP_SENDERS = timedelta(days=7)


@job(every=SNAPSHOT_EVERY)
def take_health_snapshot() -> None:
    """Judges every component and keeps what was found."""
    take_snapshot(timezone.now())


@job(every=EVALUATE_EVERY)
def evaluate_alert_rules() -> None:
    """Looks at what the alert rules are about, and has alerts begin, live on and end."""
    evaluate_rules(timezone.now())


@job(every=timedelta(seconds=15))
def sample_resources() -> None:
    """Keeps what is used by now."""
    monitor.take_sample(timezone.now())


@job(every=timedelta(minutes=1))
def enforce_constraints() -> None:
    """Makes room where a limit is near, where rows are too old, and where somebody has asked for it."""
    cleanup.enforce_constraints(timezone.now())


@job(every=timedelta(minutes=10))
def forget_the_old() -> None:
    """Drops processes, senders, sessions and wrong passwords of long ago. What is kept for longer is cleanup's."""
    now = timezone.now()
    ProcessRecord.objects.filter(seen_at__lt=now - KEEP_PROCESSES).delete()
    forget_senders(unseen_since=now - KEEP_SENDERS)
    forget_old_runs()
    forget_old_sessions(now)
    forget_old_attempts(now)


@job(every=timedelta(seconds=5))
def settle_breakers() -> None:
    """Moves the breakers that time alone has moved: nobody may call for a long while."""
    settle_due_breakers(timezone.now())


@job(every=timedelta(seconds=5))
def notify() -> None:
    """Tells people what fires and what is over."""
    notification.notify(timezone.now())


@job(every=timedelta(seconds=5))
def estimate_studies() -> None:
    """Estimates anew what patterns have in common, where enough was learned since. What is small does not wait for
    it (optimization/teaching.py)."""
    for study in upkeep.due_studies():
        upkeep.estimate_anew(study)


@job(every=timedelta(minutes=1))
def propose_steps() -> None:
    """Has studies try parameters beside what works best, as far as their settings allow."""
    now = timezone.now()
    for study in Study.objects.values_list("pk", flat=True):
        upkeep.propose_steps(study, now)


@job(every=timedelta(hours=1))
def merge_patterns() -> None:
    """Merges patterns that have drifted into each other."""
    from featurememory.integration.duplicates import merge_near_duplicates  # numpy

    for space in FeatureSpace.objects.filter(version__gt=0).values_list("name", flat=True):
        merge_near_duplicates(space)
