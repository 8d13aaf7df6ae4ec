"""The range that an address names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from dashboard.timerange import MAX_POINTS, PRESETS, Kept, read_time_range

NOW = datetime(2026, 11, 23, 14, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_ends_with_the_step_that_holds_now(preset: str) -> None:
    found = read_time_range({"range": preset}, NOW)

    assert found.span.end - found.span.start == PRESETS[preset]
    assert found.span.end - timedelta(seconds=found.span.step_s) <= NOW < found.span.end
    assert len(found.span) <= MAX_POINTS
    assert (
        found.span.start.timestamp() % found.span.step_s
        == found.length.total_seconds() % found.span.step_s
        == 0
    )
    assert found.query == f"range={preset}"


def test_an_open_page_asks_for_a_long_range_less_often() -> None:
    assert [read_time_range({"range": preset}, NOW).refresh_s for preset in PRESETS] == [
        30,
        30,
        30,
        50,
        300,
        1_200,
        21_600,
    ]


def test_a_frozen_link_shows_the_same_range_at_any_later_time() -> None:
    found = read_time_range({"range": "6h"}, NOW)

    later = read_time_range(dict(parse_qsl(found.frozen_query)), NOW + timedelta(days=3))

    assert later.span == found.span
    assert later.preset == ""
    assert later.query == found.frozen_query


def test_moments_without_an_offset_are_utc_and_others_are_converted() -> None:
    plain = read_time_range({"from": "2026-11-23T12:00", "to": "2026-11-23T13:00"}, NOW)
    berlin = read_time_range({"from": "2026-11-23T13:00+01:00", "to": "2026-11-23T14:00+01:00"}, NOW)

    assert plain.span == berlin.span


def test_without_an_end_the_range_ends_now() -> None:
    assert read_time_range({"from": "2026-11-23T12:00"}, NOW).span.end >= NOW


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"range": "5y"}, "“5y” is no range"),
        ({"from": "yesterday"}, "“from” cannot be read"),
        ({"from": "2026-11-23T12:00", "to": "0000-00-00"}, "“to” cannot be read"),
        ({"from": "0001-01-01T00:00+14:00"}, "“from” cannot be read"),
        ({"from": "2026-11-23T12:00", "to": "2026-11-23T11:00"}, "ends before it begins"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "longer than 732 days"),
        ({"to": "2026-11-23T11:00"}, "“from” cannot be read"),
    ],
)
def test_a_range_that_makes_no_sense_is_named_and_the_default_shown(
    query: dict[str, str], complaint: str
) -> None:
    found = read_time_range(query, NOW)

    assert complaint in found.problem
    assert found.preset == "1h"


def test_where_minutes_are_gone_a_step_lasts_an_hour() -> None:
    long_ago = {"from": "2026-11-01T12:10", "to": "2026-11-01T14:00"}
    kept = read_time_range(long_ago, NOW)
    gone = read_time_range(long_ago, NOW, Kept(minutes=timedelta(days=7)))

    assert (kept.span.step_s, gone.span.step_s) == (60, 3_600)
    assert gone.span.start == datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_where_hours_are_gone_a_step_lasts_a_day() -> None:
    gone = read_time_range(
        {"from": "2025-11-01T12:10", "to": "2025-11-02T14:00"}, NOW, Kept(hours=timedelta(9))
    )

    assert (gone.span.step_s, len(gone.span)) == (86_400, 2)
    assert gone.step_phrase == "day"


def test_a_range_is_moved_and_widened_by_its_own_length() -> None:
    found = read_time_range({"from": "2026-11-23T12:00", "to": "2026-11-23T13:00"}, NOW)

    before = read_time_range(dict(parse_qsl(found.moved(-1))), NOW)
    around = read_time_range(dict(parse_qsl(found.wider)), NOW)

    assert before.span.end == found.span.start
    assert before.length == found.length
    assert around.length == 3 * found.length
    assert found.earlier(timedelta(days=1)).start == found.span.start - timedelta(days=1)
