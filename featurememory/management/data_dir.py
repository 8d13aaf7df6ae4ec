"""`--data-dir`, which every command of ours takes; manage.py heeds it before the settings are read."""

from __future__ import annotations

from django.core.management.base import CommandParser


def add_data_dir_option(parser: CommandParser) -> None:
    parser.add_argument("--data-dir", help="where everything is kept (FEATUREMEMORY_DATA_DIR, else ./data)")
