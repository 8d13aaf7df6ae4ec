"""`manage.py importmemory FILE`: takes in what another installation has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from featurememory.errors import FeatureMemoryError
from featurememory.management.data_dir import add_data_dir_option


class Command(BaseCommand):
    help = "Takes a memory pack in, all of it or nothing. What was seen here counts more than what comes with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the pack, as exportmemory wrote it")
        parser.add_argument(
            "--space",
            action="append",
            default=[],
            metavar="OLD=NEW",
            help="takes a feature space in by another name",
        )
        parser.add_argument("--reason", default="imported by hand", help="stands in the audit")
        add_data_dir_option(parser)

    def handle(self, *args: Any, file: Path, space: list[str], reason: str, **options: Any) -> None:
        from featurememory.integration.packs import import_pack

        names = dict(each.split("=", 1) for each in space if "=" in each)
        if len(names) != len(space):
            raise CommandError("--space takes OLD=NEW, each space once.")

        def tell(what: str, done: int, total: int) -> None:
            self.stdout.write(f"{what}: {done:,} of {total:,}")

        try:
            import_pack(file, names, actor="manage.py", reason=reason, now=timezone.now(), progress=tell)
        except FeatureMemoryError as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{file} was taken in.")
