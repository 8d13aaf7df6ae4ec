"""Alerts that are over: the newest first, a page at a time, quick however many there are."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from dashboard.alert_history import A_PAGE, read_cursor, write_cursor
from featurememory.models import Alert
from tests.alerts.alerts import stored_alert
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
LIST = "/alerts/history/"
MANY = 100_000


def store_over(now: datetime, number: int) -> None:
    Alert.objects.bulk_create(
        (
            Alert(
                name=f"Rule {place % 20}",
                severity=("critical", "warning", "info")[place % 3],
                labels={"model": f"m{place}"},
                fingerprint=f"{place:032x}",
                state="resolved",
                summary=f"m{place} was slow.",
                started_at=now - timedelta(seconds=7 * (place // 3)),  # some at the same moment
                seen_at=now,
                resolved_at=now - timedelta(seconds=place),
            )
            for place in range(number)
        ),
        batch_size=2_000,
    )


def test_pages_follow_each_other_and_leave_nothing_out(sign_in: SignIn, now: datetime) -> None:
    store_over(now, 2 * A_PAGE + 10)
    client, path, seen = sign_in("viktor"), LIST, []
    while True:
        page = page_of(client, path)
        seen += re.findall(r'<a href="/alerts/(\d+)/">', page)
        older = re.search(r'href="\?([^"]*)">Older', page)
        if older is None:
            break
        path = f"{LIST}?{older[1].replace('&amp;', '&')}"
    assert len(seen) == len(set(seen)) == 2 * A_PAGE + 10
    begun = [Alert.objects.get(pk=pk).started_at for pk in seen]
    assert begun == sorted(begun, reverse=True)


def test_it_is_narrowed_and_says_when_nothing_fits(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("viktor")
    assert "No alert is over yet." in text_of(page_of(client, LIST))
    stored_alert(now, "whisper", state="resolved", resolved_at=now, severity="critical", peak=12_345.0)
    stored_alert(now, "bark", state="resolved", resolved_at=now, name="Breaker open")
    stored_alert(now, "open")
    assert "bark is slow" not in text_of(page_of(client, f"{LIST}?severity=critical"))
    assert "whisper is slow" not in text_of(page_of(client, f"{LIST}?name=Breaker+open"))
    told = text_of(page_of(client, f"{LIST}?text=WHISPER"))
    assert "whisper is slow" in told
    assert "5 min" in told.replace("\u00a0", " ")
    assert "open is slow" not in told
    assert "No alert that is over fits the filter." in text_of(page_of(client, f"{LIST}?text=nobody"))
    assert page_of(client, f"{LIST}?before=nonsense&severity=odd&text=%00&name=%00")


def test_a_place_in_the_list_reads_as_it_was_written(now: datetime) -> None:
    assert read_cursor(write_cursor(now, 17)) == (now, 17)
    for text in ("", "x-1", "20260101T000000.0Z-x", f"20260101T000000.000000Z-{'9' * 40}", "-5", "\0-1"):
        assert read_cursor(text) is None


def test_a_hundred_thousand_are_shown_within_half_a_second(
    sign_in: SignIn, now: datetime, django_assert_max_num_queries: Any
) -> None:
    store_over(now, MANY)
    client = sign_in("viktor")
    page_of(client, LIST)
    for query in ("", "?text=m99999", "?severity=info&text=slow", "?name=Rule+7"):
        with django_assert_max_num_queries(8):
            page_of(client, LIST + query)
        took = []
        for _ in range(3):
            began = time.perf_counter()
            page_of(client, LIST + query)
            took.append(time.perf_counter() - began)
        assert min(took) < 0.5, (query, took)
