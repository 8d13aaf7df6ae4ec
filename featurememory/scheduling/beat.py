"""Celery's beat with a memory: a job that is due once an hour is due then too when the schedule was started again
meanwhile."""

from __future__ import annotations

from celery.beat import Scheduler
from django.utils import timezone

from featurememory.scheduling.schedule import last_starts


class RememberingScheduler(Scheduler):
    """Begins where the jobs' rows say that the last one ended."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        for name, started_at in last_starts(timezone.now()).items():
            if name in self.schedule:
                self.schedule[name].last_run_at = started_at
