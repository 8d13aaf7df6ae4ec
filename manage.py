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

    _choose_data_dir(sys.argv)
    try:
        execute_from_command_line(sys.argv)
    except ConfigurationProblem as problem:
        raise SystemExit(str(problem)) from None


def _choose_data_dir(arguments: list[str]) -> None:
    """`--data-dir` has to be known before the settings are read."""
    for position, argument in enumerate(arguments[2:], start=2):
        name, equals, value = argument.partition("=")
        if name == "--data-dir":
            following = arguments[position + 1 : position + 2]
            os.environ["FEATUREMEMORY_DATA_DIR"] = value if equals else "".join(following)


if __name__ == "__main__":
    main()
