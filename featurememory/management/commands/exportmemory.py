"""`manage.py exportmemory FILE`: what this installation has learned, for another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from featurememory.management.data_dir import add_data_dir_option


class Command(BaseCommand):
    help = "Writes the patterns and what was learned of parameters into a memory pack."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the pack to write, like memory.pack.gz")
        add_data_dir_option(parser)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        from featurememory.integration.packs import export_pack

        def tell(what: str, done: int, total: int) -> None:
            self.stdout.write(f"{what}: {done:,} of {total:,}")

        export_pack(file, timezone.now(), tell)
        self.stdout.write(f"{file} has {file.stat().st_size:,} bytes.")
