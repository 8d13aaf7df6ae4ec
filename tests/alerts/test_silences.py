"""When a silence is in force: once, and in windows that come again, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.alerts.silences import Recurrence, Silence, check_span
from featurememory.errors import ConfigurationError

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 2 * 366 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
RECURRENCES = st.builds(
    lambda days, hour, minute, minutes, zone: Recurrence.of(
        {"weekdays": sorted(days), "start": f"{hour:02}:{minute:02}", "minutes": minutes, "timezone": zone}
    ),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(1, 1_440),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)


def every_day(start: str, minutes: int) -> Recurrence:
    days = list(range(7))
    return Recurrence.of({"weekdays": days, "start": start, "minutes": minutes, "timezone": "Europe/Berlin"})


@given(RECURRENCES, MOMENTS)
def test_a_stage_ends_when_it_says_and_lies_ahead(recurrence: Recurrence, now: datetime) -> None:
    stage = recurrence.stage(now)
    assert stage.until is not None
    assert stage.until > now
    just_before = stage.until - timedelta(microseconds=1)
    if just_before > now:
        assert recurrence.stage(just_before).is_active or not stage.is_active
    if not stage.is_active:
        assert recurrence.stage(stage.until).is_active


@given(RECURRENCES)
def test_it_reads_as_it_was_written(recurrence: Recurrence) -> None:
    assert Recurrence.of(recurrence.as_json()) == recurrence


@given(MOMENTS, st.integers(1, 10_000), st.integers(-20_000, 20_000))
def test_without_windows_it_is_in_force_from_start_to_end(at: datetime, minutes: int, offset: int) -> None:
    silence = Silence(1, (), at, at + timedelta(minutes=minutes))
    stage = silence.stage(at + timedelta(minutes=offset))
    assert stage.is_active == (0 <= offset < minutes)
    assert (stage.until is None) == (offset >= minutes)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_the_next_night_s_window_comes_by_the_clock_on_the_wall(
    day: tuple[int, int, int], hours: int
) -> None:
    """The day on which clocks are changed is shorter or longer by an hour."""
    window = every_day("22:00", 60)
    evening = datetime(*day, 22, 0, tzinfo=BERLIN).astimezone(UTC)
    assert window.stage(evening).is_active
    before = window.begins_on(evening.date() - timedelta(days=1))
    assert before is not None
    assert evening - before == timedelta(hours=hours)


def test_a_window_in_the_hour_that_spring_leaves_out_begins_as_that_hour_would() -> None:
    window = every_day("02:30", 30)
    begin = window.begins_on(date(2026, 3, 29))
    assert begin == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert window.stage(begin).is_active


def test_a_window_over_the_hour_that_comes_twice_lasts_as_long_as_ever() -> None:
    window = every_day("02:00", 60)
    begin = window.begins_on(date(2026, 10, 25))
    assert begin == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert window.stage(begin + timedelta(minutes=59)).is_active
    assert not window.stage(begin + timedelta(minutes=60)).is_active


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": [7]}, "weekdays"),
        ({"weekdays": [True]}, "weekdays"),
        ({"start": "24:00"}, "start"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1_441}, "minutes"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "a\0b"}, "timezone"),
        ({"timezone": 7}, "timezone"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], field: str) -> None:
    given = {"weekdays": [0], "start": "22:00", "minutes": 60, "timezone": "UTC"}
    with pytest.raises(ConfigurationError) as refused:
        Recurrence.of(given | wrong)
    assert refused.value.data["field"] == f"recurrence.{field}"


def test_a_span_must_have_an_end_that_somebody_lives_to_see() -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    check_span(now, now + timedelta(days=366), now)
    for starts_at, ends_at in ((now, now), (now, now + timedelta(days=367)), (now - timedelta(2), now)):
        with pytest.raises(ConfigurationError):
            check_span(starts_at, ends_at, now)
