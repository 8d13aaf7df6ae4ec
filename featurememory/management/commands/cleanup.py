"""`manage.py cleanup`: make room now, or say what would go."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from featurememory.errors import FeatureMemoryError
from featurememory.management.data_dir import add_data_dir_option
from featurememory.resource_management.cleanup import dry_run, enforce_constraints, request_cleanup
from featurememory.resource_management.sizes import MB

LONGEST_S = 86_400.0


class Command(BaseCommand):
    help = "Removes what is too old, and what is too much down to the low marks of the constraints."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="remove nothing, say what would go")
        parser.add_argument("--reason", default="from the command line", help="stands in the audit")
        add_data_dir_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            self._say_what_would_go()
            return
        try:
            asked = request_cleanup(actor="manage.py cleanup", reason=options["reason"], now=now)
        except FeatureMemoryError as wrong:
            raise CommandError(str(wrong)) from None
        run = enforce_constraints(now, work_s=LONGEST_S)
        if run is None:
            raise CommandError(f"Cleanup {asked.pk} is at work in another process; it goes on there.")
        for kind, rows in run.removed.items():
            self.stdout.write(f"{kind}: {rows:,} removed")
        freed = "" if run.freed_bytes is None else f"; the database is {run.freed_bytes / MB:,.1f} MB smaller"
        self.stdout.write(
            f"{'Done' if run.removed else 'Nothing had to go'} after {run.worked_s:.1f} s{freed}."
        )

    def _say_what_would_go(self) -> None:
        steps = dry_run(timezone.now())
        for step in steps:
            size = f", about {step.bytes / MB:,.1f} MB" if step.bytes else ""
            self.stdout.write(f"{step.kind}: {step.rows:,} rows{size} ({step.why})")
        if not steps:
            self.stdout.write("Nothing would go: nothing is too old, and no limit is near.")
