"""`manage.py createapikey NAME --scope ingest --scope read`: prints the key, and nothing else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from featurememory.access import create_api_key
from featurememory.management.data_dir import add_data_dir_option
from featurememory.models import ApiKey


class Command(BaseCommand):
    help = "Makes an API key and prints it. It is shown this once; only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for; names differ")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            choices=ApiKey.SCOPES,
            required=True,
            help="what the key may do; give it once for each scope",
        )
        add_data_dir_option(parser)

    def handle(self, *args: Any, name: str, scopes: list[str], **options: Any) -> None:
        try:
            _, key = create_api_key(name, sorted(set(scopes)))
        except ValidationError as wrong:
            problems = "; ".join(
                f"{field}: {' '.join(messages)}" for field, messages in wrong.message_dict.items()
            )
            raise CommandError(problems) from None
        except DatabaseError as failure:
            place = settings.CONFIGURATION.data_dir
            raise CommandError(
                f"The database cannot be used ({failure}). Has `uv run manage.py up` prepared {place}? "
                "If it keeps its data elsewhere, say so with --data-dir."
            ) from None
        self.stdout.write(key)
