"""What `up` makes before it serves: tables, a first administrator; and commands that say where to look."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from featurememory.configuration import ConfigurationProblem
from featurememory.serving.preparation import PASSWORD_VARIABLE, ensure_administrator
from tests.servers import ROOT

GIVEN = "plenty-of-words-to-guess"


def test_a_given_password_is_the_first_administrators_and_is_not_shown(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, GIVEN)
    assert ensure_administrator() is None
    admin = User.objects.get()
    assert (admin.username, admin.is_superuser, admin.is_staff) == ("admin", True, True)
    assert admin.check_password(GIVEN)
    assert [group.name for group in admin.groups.all()] == ["administrator"]


def test_a_password_that_somebody_changed_stays_changed(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, GIVEN)
    ensure_administrator()
    admin = User.objects.get()
    admin.set_password("another-one-of-her-own")
    admin.save()
    ensure_administrator()
    assert User.objects.get().check_password("another-one-of-her-own")


def test_an_administrator_of_another_name_is_enough(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, GIVEN)
    User.objects.create_superuser("olga")
    assert ensure_administrator() is None
    assert [user.username for user in User.objects.all()] == ["olga"]


def test_without_one_a_password_is_drawn(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    drawn = ensure_administrator()
    assert drawn is not None
    assert User.objects.get().check_password(drawn)
    assert ensure_administrator() is None


def test_a_weak_password_is_refused_by_the_name_of_its_variable(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "12345")
    with pytest.raises(ConfigurationProblem, match=PASSWORD_VARIABLE):
        ensure_administrator()
    assert not User.objects.exists()


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FEATUREMEMORY_DATA_DIR"}
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("option", [["--data-dir", "{}"], ["--data-dir={}"]])
def test_a_key_for_a_place_that_nothing_has_prepared_is_refused_with_what_to_do(
    tmp_path: Path, option: list[str]
) -> None:
    place = str(tmp_path / "elsewhere")
    done = manage("createapikey", "x", "--scope", "read", *[part.format(place) for part in option])
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Has `uv run manage.py up` prepared {place}?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("made_by", ["this version", "an earlier one"])
def test_the_database_can_give_its_free_space_back(tmp_path: Path, made_by: str) -> None:
    path = tmp_path / "featurememory.sqlite3"
    if made_by == "an earlier one":
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE something (id INTEGER)")
    prepare = "import django; django.setup(); from featurememory.serving import preparation as p; p.prepare_database()"
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {
        "FEATUREMEMORY_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "featurememory.settings",
    }
    subprocess.run(
        [sys.executable, "-c", prepare], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
