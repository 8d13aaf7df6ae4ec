#!/usr/bin/env python
"""Feature Memory's commands: `up`, `createapikey`, `demo` and Django's own."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as missing:
        raise SystemExit(
            "The server needs its dependencies: run `uv run manage.py ...`, or install featurememory[server]."
        ) from missing

    from featurememory.configuration import ConfigurationProblem

    try:
        execute_from_command_line(sys.argv)
    except ConfigurationProblem as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
