"""The pages of validation: what is shown of which, in which words, at what cost."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.models import ValidationRecord, ValidationTally
from featurememory.validation import storage
from featurememory.validation.passes import Passes
from featurememory.validation.results import Judged, Subject, ValidationResult, error, warning
from featurememory.validation.storage import record_failures, record_passes

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
LIST = "/validation/"


def fail(
    now: datetime,
    count: int = 1,
    source: str = "gpu-7:1",
    code: str = "zero",
    validator: str = "pattern",
    **more: Any,
) -> None:
    result = ValidationResult(
        (error(code, "features", "is zero: leave it away", [0.0, 0.0]),),
        (warning("odd", "features", "looks odd"),),
        {"thresholds": {"dimension": 768}, **more},
    )
    record_failures([Judged(validator, source, Subject("embed", "wav", "wav2vec2-768"), result)] * count, now)


def succeed(now: datetime, count: int, source: str = "gpu-7:1") -> None:
    passes = Passes()
    passes.add("pattern", source, count, Subject("embed"), now.timestamp())
    record_passes(passes.drain())


def page_of(client: Client, path: str = LIST, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("\u00a0", " ").split())


def shown(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'<li id="validation-(\d+)"', page)]


def test_before_anything_was_validated_it_says_so(sign_in: SignIn) -> None:
    told = text_of(page_of(sign_in("viktor")))
    assert "Nothing was validated yet." in told
    assert "Nothing was validated in the last 24 hours." in told


def test_where_all_passed_it_says_how_many(sign_in: SignIn, now: datetime) -> None:
    succeed(now, 1_234)
    told = text_of(page_of(sign_in("viktor")))
    assert "Nothing failed in the last 24 hours: 1,234 results, all passed." in told
    assert "No failure is kept: whatever was validated passed" in told
    assert "passed 100 % failures 0 validated 1,234" in told


def test_failures_are_counted_by_code_and_by_source_with_the_pass_rate(
    sign_in: SignIn, now: datetime
) -> None:
    succeed(now, 96)
    fail(now, 3)
    fail(now, 1, "key batch", "literal_error", "operation")
    fail(now - timedelta(hours=30), 5)
    client = sign_in("viktor")
    told = text_of(page_of(client))
    assert "passed 96 % failures 4 validated 100" in told
    assert "zero pattern 3 literal_error operation 1" in told
    assert "gpu-7:1 3 96 97 % key batch 1 0 0 %" in told
    assert "passed 91.4 % failures 9" in text_of(page_of(client, "/validation/?range=7d"))


def test_each_code_and_source_leads_to_its_failures_in_the_same_range(sign_in: SignIn, now: datetime) -> None:
    fail(now, 2)
    fail(now, 1, "key batch", "literal_error", "operation")
    client = sign_in("viktor")
    page = page_of(client, "/validation/?range=7d")
    links = re.findall(r'<tr id="(?:code|source)-\d+"><th scope="row"><a[^>]*href="(\?[^"]*)"', page)
    assert len(links) == 4
    for link in links:
        query = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
        assert query.pop("range") == ["7d"]
        found = ValidationRecord.objects.filter(**{name: value for name, (value,) in query.items()})
        assert shown(page_of(client, LIST + link.replace("&amp;", "&"))) == [each.pk for each in found]


def test_sources_counted_together_have_no_link(
    sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_SOURCES", 1)
    fail(now)
    fail(now, source="stranger")
    assert "other beyond 200 an hour, counted together 1" in text_of(page_of(sign_in("viktor")))


def test_a_filter_that_nothing_fits_is_told_with_its_words(sign_in: SignIn, now: datetime) -> None:
    fail(now)
    client = sign_in("viktor")
    told = text_of(page_of(client, "/validation/?code=nothing&source=gpu-9"))
    assert "No failure that is kept fits the filter: code nothing, source gpu-9. Show all" in told
    assert "Nothing older is kept." in text_of(page_of(client, "/validation/?before=1"))


def test_the_list_is_leafed_through_the_newest_first(sign_in: SignIn, now: datetime) -> None:
    fail(now, 70)
    client, path, seen = sign_in("viktor"), LIST, []
    for _ in range(3):
        page = page_of(client, path)
        seen += shown(page)
        older = re.search(r'href="(\?[^"]*)">Older', page)
        path = LIST + older[1].replace("&amp;", "&") if older else ""
    assert path == ""
    assert seen == list(ValidationRecord.objects.order_by("-pk").values_list("pk", flat=True))


def test_a_sample_of_what_passed_is_shown_on_demand(sign_in: SignIn, now: datetime) -> None:
    succeed(now, 500)
    fail(now)
    client = sign_in("viktor")
    assert len(shown(page_of(client))) == 1
    assert shown(page_of(client, "/validation/?shown=passed")) == [
        ValidationRecord.objects.get(is_valid=True).pk
    ]


def test_the_refresh_is_the_rows_alone_and_the_signals_alone(sign_in: SignIn, now: datetime) -> None:
    fail(now)
    client = sign_in("viktor")
    rows = page_of(client, LIST, **{"HX-Request": "true"})
    assert "<html" not in rows
    assert shown(rows)
    assert "<html" not in page_of(client, "/validation/signals/?range=7d")


def test_a_range_that_cannot_be_read_is_told_and_a_day_is_shown(sign_in: SignIn) -> None:
    told = text_of(page_of(sign_in("viktor"), "/validation/?range=forever"))
    assert "“forever” is no range" in told


def test_the_chart_has_its_points_as_csv(sign_in: SignIn, now: datetime) -> None:
    succeed(now, 9)
    fail(now)
    rows = list(csv.DictReader(page_of(sign_in("viktor"), "/validation/chart.csv").splitlines()))
    assert len(rows) in (24, 25), "the hours that the last 24 touch"
    assert (rows[-1]["passed"], rows[-1]["failed"], rows[-1]["pass rate"]) == ("9", "1", "0.9")


def test_one_failure_says_what_was_wrong_with_what_and_what_else_came(sign_in: SignIn, now: datetime) -> None:
    fail(now - timedelta(hours=2), 2)
    fail(now - timedelta(hours=30))
    fail(now, source="else")
    fail(now, operation="00000000-0000-0000-0000-000000000001")
    newest = ValidationRecord.objects.first()
    assert newest is not None
    client = sign_in("viktor")
    told = text_of(page_of(client, f"/validation/{newest.pk}/"))
    assert "Error features zero Is zero: leave it away It was 2 values: 0, 0" in told
    assert "Warning features odd Looks odd" in told
    for fact in ("Source gpu-7:1", "Operation type embed", "Model wav", "Feature space wav2vec2-768"):
        assert fact in told
    assert "Operation 00000000-0000-0000-0000-000000000001" in told
    assert "2 other results kept" in told
    assert client.get("/validation/999999/").status_code == 404


def test_a_failure_that_came_once_says_so(sign_in: SignIn, now: datetime) -> None:
    fail(now)
    told = text_of(page_of(sign_in("viktor"), f"/validation/{ValidationRecord.objects.get().pk}/"))
    assert "No other is kept: it came once" in told


def test_what_a_caller_wrote_is_shown_as_text(sign_in: SignIn, now: datetime) -> None:
    fail(now, source="<script>alert(1)</script>")
    client = sign_in("viktor")
    for path in (LIST, f"/validation/{ValidationRecord.objects.get().pk}/"):
        assert "<script>alert" not in page_of(client, path)


@pytest.mark.parametrize("count", [1, 400])
def test_pages_cost_the_same_however_much_there_is(sign_in: SignIn, now: datetime, count: int) -> None:
    for number in range(min(count, 40)):
        fail(now - timedelta(hours=number), max(1, count // 40), f"source {number % 7}", f"code {number % 5}")
    assert ValidationTally.objects.exists()
    client = sign_in("viktor")
    newest = ValidationRecord.objects.order_by("-pk")[0]
    for path, most in ((LIST, 13), (f"/validation/{newest.pk}/", 9), ("/validation/signals/", 5)):
        with CaptureQueriesContext(connection) as captured:
            page_of(client, path)
        assert len(captured) <= most, [each["sql"] for each in captured]
