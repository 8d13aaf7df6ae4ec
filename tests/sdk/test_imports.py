"""What importing us costs the host."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio", "ssl", "http.client", "email", "uuid", "inspect", "dataclasses", "logging", "hashlib", "datetime",
    "django", "numpy", "pydantic", "orjson", "urllib.request", "multiprocessing", "concurrent.futures",
}  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import featurememory",
        "import featurememory.sdk",
        "from featurememory import FeatureMemory, OperationContext, CircuitBreakerError",
        "import featurememory; featurememory.FeatureMemory('http://127.0.0.1:9').handle_operation(int, "
        "featurememory.OperationContext('a'))",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    loaded = loaded_by(statement)
    assert not loaded & HEAVY
    assert {name.partition(".")[0] for name in loaded} - {"featurememory"} <= set(sys.stdlib_module_names)


def test_the_package_alone_loads_next_to_nothing() -> None:
    loaded = {name for name in loaded_by("import featurememory") if name.startswith("featurememory")}
    assert loaded == {"featurememory"}


def test_unknown_names_are_attribute_errors_so_that_celery_finds_its_app() -> None:
    import featurememory

    assert not hasattr(featurememory, "app")
    assert set(featurememory.__all__) <= {
        name for name in featurememory.__all__ if hasattr(featurememory, name)
    }
