"""The benchmarks that the README's command runs."""

from __future__ import annotations

from importlib import import_module

from tests.benchmarks.__main__ import names_of_all


def test_everything_that_is_listed_can_be_run() -> None:
    names = names_of_all()

    assert {"ingestion", "pages", "recognition"} <= set(names)
    assert [name for name in names if not hasattr(import_module(f"tests.benchmarks.{name}"), "run")] == []
